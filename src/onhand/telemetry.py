"""Metrics and logs made real: Prometheus metrics behind the `Probe` port, structlog for logs."""

from __future__ import annotations

from typing import Literal

from onhand.ports import BatchReport


class Metrics:
    """A `Probe` over a Prometheus registry of its own."""

    def batch(self, report: BatchReport) -> None:
        """A batch was committed."""
        raise NotImplementedError

    def fault(self, where: str, name: str, affected: int) -> None:
        """A fault was answered, or a retry was needed."""
        raise NotImplementedError

    def request(self, route: str, outcome: str, reason: str) -> None:
        """The edge answered a request."""
        raise NotImplementedError

    def job(self, kind: str, status: str, age_seconds: float) -> None:
        """A job changed its state."""
        raise NotImplementedError

    def audit(self, environment_id: str, drift_units: float, oversell: int) -> None:
        """An audit ended."""
        raise NotImplementedError

    def exposition(self) -> tuple[bytes, str]:
        """Body and content type of the metrics page."""
        raise NotImplementedError


def configure_logging(form: Literal["json", "console"] = "json", level: str = "INFO") -> None:
    """Set up structlog and the standard logging once, at the start of the process; secrets are redacted."""
    raise NotImplementedError
