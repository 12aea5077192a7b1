"""Every shell block of the documentation is run, page by page, in order, in one shell (see `tests.pages`)."""

import re
import subprocess

import pytest

from tests import pages


def run(text, town):
    ended = subprocess.run(
        ["bash", "-c", text],  # noqa: S607 - the reader's shell
        capture_output=True,
        text=True,
        env=town.variables,
        cwd=town.directory,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return ended.stdout + ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("README.md", ('"processingStatus":"success"', "2 of 2 records are in.")),
        ("docs/start.md", ("Only 1 of 2 can be reserved", "Reserved 1 of SHIRT")),
    ],
)
def test_every_command_works_from_nothing(page, shown, town, free_port):
    text = (
        pages.script(page)
        .replace("8300", str(free_port))
        .replace("onhand serve", f"onhand serve --port {free_port}", 1)
    )
    printed = run(text, town)
    assert [words for words in shown if words not in printed] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", pages.guides())
def test_every_command_of_a_guide_works(page, shop):
    run(pages.script(page), shop)


@pytest.mark.parametrize(
    "command",
    sorted(
        {
            command
            for page in pages.names()
            for kind, text in pages.blocks(page)
            if kind == "make"
            for command in re.findall(r"^make (\w+)$", text, re.MULTILINE)
        }
    ),
)
def test_make_commands_exist(command):
    ended = subprocess.run(
        ["make", "--dry-run", "--always-make", command],  # noqa: S607 - the reader's make
        cwd=pages.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
