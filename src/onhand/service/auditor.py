"""Refold the ledger and compare it with what is stored (`onhand verify`)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from onhand.ports import Probe, Reader
from onhand.service.environments import Environments


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One contradiction. Quantities are scaled."""

    invariant: str
    """I2, I3 or I5."""
    organization: str
    product: str
    position: str
    """Folded key; empty for a contradiction of the whole product."""
    source: str
    measure: str
    expected: int
    found: int
    message: str


class AuditReport(msgspec.Struct, kw_only=True):
    """What an audit found."""

    environment_id: str
    products: int = 0
    records: int = 0
    drifts: list[Drift] = []
    """The first `drifts_max`."""
    drift_count: int = 0
    units: int = 0
    """Sum of absolute differences, scaled."""

    @property
    def clean(self) -> bool:
        """Whether nothing contradicts."""
        return self.drift_count == 0


Progress = Callable[[AuditReport], None]
"""Called after each page of products."""


class Auditor:
    """Checks I2, I3, the projection onto cells and the gap-free ledger, page by page of products."""

    def __init__(
        self,
        reader: Reader,
        environments: Environments,
        *,
        probe: Probe,
        page: int = 200,
        drifts_max: int = 1_000,
    ) -> None:
        raise NotImplementedError

    async def audit(self, environment_id: str, on_progress: Progress | None = None) -> AuditReport:
        """Audit an environment while it serves; bounded memory."""
        raise NotImplementedError
