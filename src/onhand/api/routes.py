"""The route table: every path the service answers, with the scope it needs, in one visible list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from onhand.api import health
from onhand.api.exchange import Call, Reply
from onhand.api.services import Services

Handler = Callable[[Call, Services], Awaitable[Reply]]
Surface = Literal["compat", "native", "open"]

COMPAT: Final = "/api/environment/{environment}"
NATIVE: Final = "/v1/environments/{environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. The API description is generated from it."""

    method: str
    path: str
    """Template; on the compatible surface it is matched without regard to case."""
    handler: Handler
    scope: str | None
    """Scope a caller needs; None: open to everybody."""
    summary: str
    surface: Surface
    event: bool = False
    """A post of the compatible surface: faults are answered with a result envelope."""
    body: Any = None
    """Type of the request body."""
    answer: Any = None
    """Type of the successful answer."""
    query: tuple[str, ...] = ()
    """Names of query parameters, for the description."""
    tag: str = ""

    @property
    def label(self) -> str:
        """Name of the route in metrics."""
        return f"{self.method} {self.path}"


OPEN: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/health/ping", handler=health.ping, scope=None, surface="open", tag="Health",
          summary="Say that the process answers."),
    Route(method="GET", path="/livez", handler=health.live, scope=None, surface="open", tag="Health",
          summary="Say that the process lives."),
    Route(method="GET", path="/readyz", handler=health.ready, scope=None, surface="open", tag="Health",
          summary="Say whether requests can be taken, and if not, which part is not ready."),
    Route(method="GET", path="/metrics", handler=health.metrics, scope=None, surface="open", tag="Health",
          summary="Metrics in the Prometheus text format."),
)

ROUTES: Final[tuple[Route, ...]] = OPEN
