"""The reference pages say what the code says."""

from __future__ import annotations

from onhand.core.outcomes import Reason
from onhand.settings import knobs
from tools import reference


def test_the_committed_pages_are_those_of_the_code() -> None:
    assert reference.stale() == [], "run `make docs`"


def test_each_setting_has_a_heading() -> None:
    page = reference.render("settings.md")
    assert [knob.name for knob in knobs() if f"### `{knob.name}`" not in page] == []


def test_each_reason_has_a_row() -> None:
    page = reference.render("reasons.md")
    assert [reason for reason in Reason if f"| `{reason}` |" not in page] == []
