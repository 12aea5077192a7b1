import pytest

from bench.goals import TARGETS, Target, Verdict
from bench.report import Report, missed, page, rows, table

RATIO = Target("figure", "work", 7, 3)
CEILING = Target("figure", "work", 4, 8, ceiling=True)
SHOWN = Target("figure", "work", 5, None, ceiling=True)


@pytest.mark.parametrize(
    ("target", "measured", "verdict"),
    [
        (RATIO, 7.0, Verdict.GOAL),
        (RATIO, 6.99, Verdict.GATE),
        (RATIO, 2.99, Verdict.MISSED),
        (RATIO, None, Verdict.NOT_MEASURED),
        (CEILING, 4.0, Verdict.GOAL),
        (CEILING, 8.0, Verdict.GATE),
        (CEILING, 8.01, Verdict.MISSED),
        (SHOWN, 4.0, Verdict.GOAL),
        (SHOWN, 6.0, Verdict.SHOWN),
    ],
)
def test_verdict(target, measured, verdict):
    assert target.verdict(measured) is verdict


def test_one_piece_oversold_misses_the_goal():
    (target,) = TARGETS["P10"]
    assert target.verdict(0) is Verdict.GOAL
    assert target.verdict(1) is Verdict.MISSED


def report(**figures):
    return Report(started="2026-01-02T03:04:05+00:00", arguments="--quick", commit="abc", figures=figures)


def test_a_rival_that_cannot_run_is_not_measured_and_never_met():
    (row,) = rows(report(zipf_vs_redis=None), ["P3"])
    assert row[-1] == Verdict.NOT_MEASURED
    assert missed(report(), ["P3"]) == []


def test_missed_gates_are_listed():
    assert missed(report(zipf_vs_function=2.0, zipf_vs_fastapi=30.0), ["P1"]) == ["P1"]


def test_table_and_page_are_markdown_with_every_wanted_goal():
    made = report(zipf_vs_floor=0.5)
    made.books["onhand"] = {"agree": False, "accepted": 3, "stored": 2}
    text = table(made, ["P4"])
    assert text.splitlines()[1].startswith("|--")
    assert "gate met" in text
    assert "DISAGREE" in page(made, ["P4"])
    assert not made.books_agree
