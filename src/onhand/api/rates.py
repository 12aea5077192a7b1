"""How often one client may ask: a token bucket each."""

from __future__ import annotations

import time

CLIENTS_MAX = 10_000
"""Buckets kept; beyond it all start afresh, which errs on the caller's side."""


class Rates:
    """Buckets by client id. `per_second` 0 lets everything pass."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(max(burst, 1))
        self._buckets: dict[str, tuple[float, float]] = {}

    @property
    def limits(self) -> bool:
        """Whether anybody ever has to wait."""
        return bool(self._per_second)

    def wait_s(self, client: str) -> float:
        """0 when the client may go on (one request is taken), else seconds until it may."""
        if not self._per_second:
            return 0.0
        now = time.monotonic()
        left, since = self._buckets.get(client, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        if left < 1.0:
            return (1.0 - left) / self._per_second
        if len(self._buckets) >= CLIENTS_MAX:
            self._buckets.clear()
        self._buckets[client] = (left - 1.0, now)
        return 0.0
