"""Configuration documents that an environment can start with (specification 1.6, 1.7, 1.7b)."""

from __future__ import annotations

from typing import Any

PROFILES = ("standalone", "default-2024", "default-2023")


def document(profile: str, environment_id: str) -> dict[str, Any]:
    """A fresh document of a profile.

    Raises:
        KeyError: no such profile.
    """
    raise NotImplementedError
