"""What a step says to another system, and what comes back. Values only; `ports.Outside` carries them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

NOT_ALLOWED: Final = "HttpActionNotAllowed"
NOT_ANSWERED: Final = "HttpActionFailed"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to another system."""

    url: str
    body: bytes
    """JSON."""
    patience: timedelta
    """How long the whole call may take."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What another system answered."""

    status: int
    body: bytes


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer; the request may have arrived all the same."""

    key: str
    """`NOT_ALLOWED`: nothing was sent. `NOT_ANSWERED`: anything else."""
    reason: str
