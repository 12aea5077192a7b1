"""`onhand demo`: the whole thing in a minute, on real processes."""

from __future__ import annotations


def demo() -> None:
    """Play the demo."""
    raise NotImplementedError
