"""What a route is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from onhand.api.exchange import Call, Reply
from onhand.api.services import Services

Handler = Callable[[Call, Services], Awaitable[Reply]]
Give = Callable[..., None]
"""Takes what makes the answer of a request, and its arguments, and calls it where a failure is answered too."""
Starter = Callable[[Call, Services, Give], bool]
"""The handler without a task: starts the work and has the answer given when it is there. False: nothing was started
because something must be waited for first; then the handler does it."""
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
    tag: str
    starter: Starter | None = None
    """On the hot road, tried before the handler; both give the same answers."""
    untimed: bool = False
    """The edge sets no timer: the batcher has its own deadline, or the work is long by nature."""
    needs_rules: bool = True
    """The environment in the path must exist; its rules are looked up before the handler runs."""
    body: Any = None
    """Type of the request body."""
    form: tuple[str, ...] = ()
    """Fields of a form body."""
    answer: Any = None
    """Type of the successful answer."""
    status: int = 200
    """Status of the successful answer."""
    query: tuple[str, ...] = ()
    """Names of query parameters."""
    headers: tuple[str, ...] = ()
    """Names of request headers that matter."""

    label: str = field(init=False)
    """Name of the route in metrics."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.method} {self.path}")

    @property
    def reads_body(self) -> bool:
        """Whether a body is read; some clients send a form with GET (specification 0.3, X8)."""
        return self.method != "GET" or bool(self.form)
