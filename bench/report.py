"""Results as a table on the terminal, as JSON, and as a markdown page."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from bench.goals import TARGETS, Verdict

HEADINGS = ("#", "work", "goal", "first gate", "measured", "verdict")


class Report(msgspec.Struct, kw_only=True):
    """Everything of one run."""

    started: str
    arguments: str
    commit: str
    machine: dict[str, Any] = {}
    postgresql: dict[str, str] = {}
    fdatasync_us: dict[str, float] = {}
    durability: dict[str, str] = {}
    runs: list[dict[str, Any]] = []
    """Each single measurement, in the order it was made."""
    medians: dict[str, float] = {}
    """Figure -> median, absolute."""
    figures: dict[str, float | None] = {}
    """What the goals are compared with."""
    ceiling: dict[str, float] = {}
    """What the load generator itself can do."""
    books: dict[str, dict[str, Any]] = {}
    notes: list[str] = []

    @property
    def books_agree(self) -> bool:
        """Whether every audit came out clean."""
        return all(found["agree"] for found in self.books.values())


def rows(report: Report, wanted: Iterable[str]) -> list[tuple[str, ...]]:
    """One row per target."""
    made = []
    for number in wanted:
        for target in TARGETS[number]:
            measured = report.figures.get(target.figure)
            shown = "-" if measured is None else f"{measured:.3g} {target.unit}".strip()
            made.append(
                (
                    number,
                    target.words,
                    target.bound(target.goal),
                    target.bound(target.gate),
                    shown,
                    str(target.verdict(measured)),
                )
            )
    return made


def missed(report: Report, wanted: Iterable[str]) -> list[str]:
    """Goals whose first gate is not met."""
    return [row[0] for row in rows(report, wanted) if row[-1] == Verdict.MISSED]


def table(report: Report, wanted: Iterable[str]) -> str:
    """The goals as a markdown table; readable on a terminal as well."""
    return _markdown(HEADINGS, rows(report, wanted))


def page(report: Report, wanted: Iterable[str]) -> str:
    """The markdown page of a run."""
    facts = [(name, str(value)) for name, value in report.machine.items()]
    facts += [("fdatasync of one WAL page", f"median {report.fdatasync_us.get('median')} us")]
    facts += [(f"PostgreSQL {name}", value) for name, value in report.postgresql.items()]
    absolute = [(name, f"{value:,.0f}") for name, value in report.medians.items()]
    books = [
        (name, "agree" if found["agree"] else "DISAGREE", str(found["accepted"]), str(found["stored"]))
        for name, found in report.books.items()
    ]
    parts = [
        f"# Run of {report.started}",
        f"`python -m bench {report.arguments}`".replace(" `", "`") + f" at commit {report.commit}.",
        table(report, wanted),
        "## Medians\n\n" + _markdown(("figure", "value"), absolute),
        "## Books\n\n" + _markdown(("system", "books", "accepted answers", "stored"), books),
        "## Durability\n\n" + _markdown(("system", "when it answers"), list(report.durability.items())),
        "## Machine\n\n" + _markdown(("fact", "value"), facts),
    ]
    if report.notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def save(report: Report, wanted: Iterable[str], folder: Path) -> Path:
    """Write `<date>.json` and `<date>.md`; a later run of the same day is `<date>-2`, and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    day = report.started[:10]
    names = (day if number == 1 else f"{day}-{number}" for number in itertools.count(1))
    path = next(path for path in (folder / f"{name}.json" for name in names) if not path.exists())
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    path.with_suffix(".md").write_text(page(report, wanted))
    return path


def _markdown(headings: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    widths = [max(len(line[column]) for line in (headings, *lines)) for column in range(len(headings))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (headings, *lines)
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)
