"""The benchmark runs from end to end; its figures are not looked at, its books are."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_overload_with_kills_and_replays_sells_each_piece_once(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "P10", "--strict", "--out", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]
    (path,) = tmp_path.glob("*.json")
    report = msgspec.json.decode(path.read_bytes())
    assert report["figures"]["oversold"] == 0
    assert report["books"]["onhand_scarce"]["agree"]
    assert report["medians"]["overload: kills"] > 0
    assert report["postgresql"]["fsync"] == "on"
    assert "goal met" in path.with_suffix(".md").read_text()


def test_an_unknown_goal_is_named():
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "P99"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "P99" in ran.stderr
    assert "P10" in ran.stderr
