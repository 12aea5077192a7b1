"""What the edge needs of the rest of the house, and its own bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onhand.ports import Clock, Reader
from onhand.service.access import Access

if TYPE_CHECKING:
    from onhand.service.auditor import Auditor
    from onhand.service.batcher import Batcher
    from onhand.service.environments import Environments
    from onhand.service.erp.side import ErpSide
    from onhand.service.jobs import Jobs
    from onhand.service.queries import Queries
    from onhand.service.workflow.desk import OrderDesk
    from onhand.service.workflow.items import InventoryItems
    from onhand.service.workflow.purchasing import Purchasing
    from onhand.service.workflow.rates import Rates
    from onhand.service.workflow.receptions import Receptions
    from onhand.service.workflow.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the edge."""

    body_bytes_max: int = 4 * 1024 * 1024
    """Bytes of a request body; more is answered with 413."""
    query_bytes_max: int = 32 * 1024
    """Bytes of a query string; more is answered with 414."""
    items_max: int = 512
    """Items of a bulk request (specification 1.8)."""
    products_max: int = 5_000
    """Product ids of one query (specification 1.8)."""
    page_max: int = 1_000
    """Rows of one page of a native listing."""
    requests_per_second_max: float = 0.0
    """Sustained requests a second of one client; 0 sets no limit."""
    burst_requests: int = 200
    """Requests that a client may send at once before the rate counts."""
    body_s: float = 20.0
    """Seconds a body may take to arrive; a slower one is answered with 408."""
    deadline_s: float = 30.0
    """Seconds a request may take before it is answered with 503."""


def _ignore(_route: str, _outcome: str, _reason: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that handlers call. Made by the composition root."""

    batcher: Batcher
    environments: Environments
    queries: Queries
    jobs: Jobs
    auditor: Auditor
    access: Access
    erp: ErpSide
    rates: Rates
    items: InventoryItems
    transactions: Transactions
    purchasing: Purchasing
    receptions: Receptions
    orders: OrderDesk
    reader: Reader
    clock: Clock
    metrics: Callable[[], tuple[bytes, str]]
    """Body and content type of `/metrics`."""
    ready: Callable[[], Awaitable[dict[str, str]]]
    """What is not ready, by part, with the reason; empty when the service can take requests."""
    on_request: Callable[[str, str, str], None] = _ignore
    """Told about each answer: route template, status, reason or fault (`Probe.request`)."""
    limits: Limits = Limits()
