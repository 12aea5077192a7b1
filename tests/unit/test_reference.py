"""The reference pages say what the code says."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import typer

from onhand.api.routes import ROUTES
from onhand.cli.main import app
from onhand.core.outcomes import Reason
from onhand.core.rules import Switches
from onhand.service.principals import SCOPES
from onhand.settings import knobs
from onhand.steps.registry import CATALOGUE
from onhand.telemetry import Metrics
from tools import reference


def test_the_committed_pages_are_those_of_the_code() -> None:
    assert reference.stale() == [], "run `make docs`"


def test_each_setting_has_a_heading() -> None:
    page = reference.render("settings.md")
    assert [knob.name for knob in knobs() if f"### `{knob.name}`" not in page] == []


def test_each_reason_has_a_row() -> None:
    page = reference.render("reasons.md")
    assert [reason for reason in Reason if f"| `{reason}` |" not in page] == []


def test_each_switch_has_a_row() -> None:
    page = reference.render("switches.md")
    names = [field.encode_name for field in msgspec.structs.fields(Switches)]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_each_route_and_scope_has_a_row() -> None:
    page = reference.render("endpoints.md")
    rows = [f"{route.method} {route.path}" for route in ROUTES] + list(SCOPES)
    assert [row for row in rows if f"| `{row}` |" not in page] == []


def test_each_metric_has_a_row() -> None:
    page = reference.render("metrics.md")
    _, exposed = Metrics().exposition()
    families = re.findall(r"^# TYPE (\w+) (?!.*_created)", exposed.decode(), re.MULTILINE)
    assert families
    assert [name for name in families if not name.endswith("_created") and f"| `{name}` |" not in page] == []


def test_each_command_has_a_heading() -> None:
    page = reference.render("cli.md")
    pending: list[tuple[str, Any]] = [("onhand", typer.main.get_command(app))]
    paths = []
    while pending:
        path, command = pending.pop()
        paths += [path] if not getattr(command, "commands", None) and not command.hidden else []
        pending += [(f"{path} {name}", child) for name, child in getattr(command, "commands", {}).items()]
    assert len(paths) > 20
    assert [path for path in paths if f"## `{path}`" not in page] == []


def test_each_step_that_is_built_has_a_page_and_every_key_is_in_the_overview() -> None:
    overview = reference.render("steps/README.md")
    assert [spec.key for spec in CATALOGUE if f"`{spec.key}`" not in overview] == []
    built = [spec for spec in CATALOGUE if spec.implemented]
    for spec in built:
        page = reference.render(f"steps/{spec.key}.md")
        assert [one.name for one in spec.properties if f"| `{one.name}` |" not in page] == []
    assert len(built) > 25
