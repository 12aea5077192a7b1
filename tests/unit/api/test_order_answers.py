"""Answers of the order side."""

from __future__ import annotations

import pytest

from onhand.api.orders.answers import CODES, of_cursor, to_cursor
from onhand.api.problems import EdgeProblem
from onhand.core.orders.refusals import Code


def test_every_code_has_a_status() -> None:
    assert set(CODES) == set(Code)


def test_cursors_go_there_and_back() -> None:
    assert of_cursor(to_cursor(["a", 1, None]), list) == ["a", 1, None]
    for wrong in ("", "!", to_cursor("a"), "aGVq"):
        with pytest.raises(EdgeProblem):
            of_cursor(wrong, int)
