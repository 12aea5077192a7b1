"""The pages of the documentation, their blocks of shell commands, headings and links.

The word after `sh` says what kind of block it is: none is run as it is; `background` is started and waited for;
`exit=3` must end with this code; `make` blocks name commands of the Makefile; `activate` and `external` need an
installation, a database or a host that a test does not have, and only their `onhand` commands are checked.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"", "background", "make", "activate", "external", "exit=2", "exit=3"}
STANDALONE = ("README.md", "docs/start.md")
"""Pages that begin with nothing and start the service themselves; all others use one that runs."""

BLOCK = re.compile(r"^```sh ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)

READY = """
for _ in $(seq 600); do curl --fail --silent http://127.0.0.1:8300/readyz > /dev/null && break; sleep 0.1; done
"""


def names() -> list[str]:
    """Every page, from the root of the repository."""
    outside = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    return [*outside, *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md"))]


def text(name: str) -> str:
    """A page as it is."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[tuple[str, str]]:
    """(kind, commands) of each shell block."""
    return BLOCK.findall(text(name))


def guides() -> list[str]:
    """Pages with commands to run against a service that runs already."""
    return [
        name
        for name in names()
        if name not in STANDALONE and any(kind in {"", "exit=2", "exit=3"} for kind, _ in blocks(name))
    ]


def script(name: str) -> str:
    """The blocks of a page as one script; each says its number first, so that a failure can be found."""
    lines = ["set -euo pipefail"]
    for number, (kind, commands) in enumerate(blocks(name)):
        lines.append(f"echo '== block {number}'")
        if kind == "background":
            lines.append(
                f"{commands.strip()} > service.log 2>&1 &\n"
                f"SERVICE=$!\ntrap 'kill $SERVICE; wait $SERVICE || true' EXIT{READY}"
            )
        elif kind.startswith("exit="):
            lines.append(f"set +e\n{commands}code=$?\nset -e\n[ $code = {kind[5:]} ]")
        elif not kind:
            lines.append(commands)
    return "\n".join(lines)


def links(name: str) -> list[str]:
    """Targets inside the repository: a path, an anchor, or both."""
    return [link for link in _LINK.findall(_FENCED.sub("", text(name))) if "://" not in link]


def anchors(name: str) -> set[str]:
    """Anchors of the headings, as code hosts make them."""
    headings = _HEADING.findall(_FENCED.sub("", text(name)))
    plain = [re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}
