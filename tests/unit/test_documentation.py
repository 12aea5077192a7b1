"""The pages hold together: links and anchors lead somewhere, and commands and options exist."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath
from typing import Any

import pytest
import typer

from onhand.cli.main import app
from tests import pages

COMMAND = re.compile(r"(?:^|[;&|(]\s*|\bexec \w+ )onhand ((?:[a-z-]+ ?)[^\n|;)]*)", re.MULTILINE)


def commands(page: str) -> list[list[str]]:
    """The words of each `onhand` command on a page."""
    text = "".join(block for _, block in pages.blocks(page)).replace("\\\n", " ")
    return [shlex.split(words.replace('"', "").replace("'", "")) for words in COMMAND.findall(text)]


def test_blocks_are_of_a_known_kind() -> None:
    for page in pages.names():
        assert {kind for kind, _ in pages.blocks(page)} <= pages.KINDS, page
        assert pages.text(page).count("```sh") == len(pages.blocks(page)), page


def test_the_first_commands_of_the_readme_are_make_commands() -> None:
    assert next(kind for kind, _ in pages.blocks("README.md")) == "make"


@pytest.mark.parametrize("page", pages.names())
def test_links_and_anchors_lead_somewhere(page: str) -> None:
    for link in pages.links(page):
        path, _, anchor = link.partition("#")
        target = (pages.ROOT / PurePosixPath(page).parent / path).resolve() if path else pages.ROOT / page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in pages.anchors(str(target.relative_to(pages.ROOT))), link


@pytest.mark.parametrize("page", [page for page in pages.names() if commands(page)])
def test_commands_and_options_exist(page: str) -> None:
    for words in commands(page):
        command: Any = typer.main.get_command(app)
        rest = list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        assert not getattr(command, "commands", None) or rest in (["--help"], []), f"onhand {' '.join(words)}"
        known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)}
        assert given <= known, f"onhand {' '.join(words)}"


def test_each_page_is_in_the_index() -> None:
    index = {link.partition("#")[0] for link in pages.links("docs/README.md")}
    own = {str(PurePosixPath(page).relative_to("docs")) for page in pages.names() if page.startswith("docs/")}
    steps = {f"reference/steps/{link}" for link in pages.links("docs/reference/steps/README.md")}
    reports = {page for page in own if page.startswith("benchmarks/2")}  # `make bench` adds one a day
    assert sorted(own - index - steps - reports - {"README.md"}) == []


def test_each_module_of_the_core_and_the_service_is_in_the_architecture() -> None:
    page = pages.text("docs/ARCHITECTURE.md")
    source = pages.ROOT / "src" / "onhand"
    modules = [
        f"{room}/{path.name}" for room in ("core", "service") for path in (source / room).glob("[a-z]*.py")
    ]
    assert sorted(module for module in modules if f"`{module}`" not in page) == []
