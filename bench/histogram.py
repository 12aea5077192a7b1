"""Latency histogram: logarithmic buckets of 32 linear steps, so any quantile is at most 3.2 % too high."""

from __future__ import annotations

from collections.abc import Sequence

STEPS = 32
"""Linear steps per power of two."""
BITS = STEPS.bit_length() - 1
LONGEST_US = 1 << 30
"""Longer latencies (18 minutes) are counted as this long."""
BUCKETS = (LONGEST_US.bit_length() - BITS) * STEPS + STEPS


def bucket(us: int) -> int:
    """Index of the bucket that holds a latency of `us` microseconds."""
    if us < STEPS:
        return max(0, us)
    us = min(us, LONGEST_US)
    shift = us.bit_length() - 1 - BITS
    return (shift << BITS) + (us >> shift)


def upper(index: int) -> int:
    """The longest latency, in microseconds, that falls into a bucket."""
    if index < STEPS:
        return index
    shift = (index >> BITS) - 1
    return (((index & (STEPS - 1)) + STEPS + 1) << shift) - 1


class Histogram:
    """Counts of latencies in microseconds."""

    __slots__ = ("counts", "longest", "total")

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.total = 0
        self.longest = 0

    def record(self, us: int) -> None:
        """Count one latency."""
        self.counts[bucket(us)] += 1
        self.total += 1
        self.longest = max(self.longest, us)

    def quantile(self, share: float) -> int:
        """Microseconds that at least `share` of the latencies do not exceed; 0 when nothing was counted."""
        wanted = share * self.total
        seen = 0
        for index, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return min(upper(index), self.longest)
        return 0

    def summary(self, shares: Sequence[float] = (0.5, 0.9, 0.99, 0.999)) -> dict[str, int]:
        """Named quantiles: `{"p50": …, "p99": …, "max": …}` in microseconds."""
        named = {f"p{100 * share:g}": self.quantile(share) for share in shares}
        return named | {"max": self.longest}
