"""Every shell block of README.md is run, in order, in one shell, in an empty directory.

The word after `sh` says what kind of block it is: none is run as it is; `background` is started and waited for;
`exit=3` must end with this code; `make` blocks must name commands that the Makefile has (they are what CI runs);
`activate` and `external` need an installation and a database that are not here, and only their commands are checked.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```sh ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = BLOCK.findall(README)

READY = """
for _ in $(seq 600); do curl --fail --silent http://127.0.0.1:8300/readyz > /dev/null && break; sleep 0.1; done
"""


def script() -> str:
    """The blocks as one script; each says its number first, so that a failure can be found."""
    lines = ["set -euo pipefail"]
    for number, (kind, text) in enumerate(BLOCKS):
        lines.append(f"echo '== block {number}'")
        if kind == "background":
            lines.append(
                f"{text.strip()} > service.log 2>&1 &\nSERVICE=$!\ntrap 'kill $SERVICE; wait $SERVICE || true' EXIT{READY}"
            )
        elif kind.startswith("exit="):
            lines.append(f"set +e\n{text}code=$?\nset -e\n[ $code = {kind[5:]} ]")
        elif not kind:
            lines.append(text)
    return "\n".join(lines)


def test_the_readme_has_its_kinds_of_blocks():
    kinds = [kind for kind, _ in BLOCKS]
    assert set(kinds) <= {"", "background", "make", "activate", "external", "exit=3"}
    assert README.count("```sh") == len(BLOCKS)
    assert kinds.index("make") == 0, "the first commands are make demo and make test"


@pytest.mark.slow
def test_every_command_of_the_readme_works(town, free_port):
    text = (
        script()
        .replace("8300", str(free_port))
        .replace("onhand serve", f"onhand serve --port {free_port}", 1)
    )
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
    assert '"processingStatus":"success"' in ended.stdout
    assert "2 of 2 records are in." in ended.stdout


@pytest.mark.parametrize(
    "command",
    re.findall(r"^make (\w+)$", "".join(text for kind, text in BLOCKS if kind == "make"), re.MULTILINE),
)
def test_make_commands_exist(command):
    ended = subprocess.run(
        ["make", "--dry-run", "--always-make", command],  # noqa: S607 - the reader's make
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_other_commands_of_the_readme_exist(town):
    text = "".join(text for kind, text in BLOCKS if kind == "external")
    for command in re.findall(r"^onhand (\w+)", text, re.MULTILINE):
        town.run(command, "--help")


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
