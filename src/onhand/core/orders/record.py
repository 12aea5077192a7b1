"""The stored form of an order: what the client sees, its reservation ledger, and the run in progress.

One document, one version: the order cannot say anything else than its ledger. A row belongs to one line in one shipment and is
never removed, so that a reduction is never forgotten, not even when the order is deleted or imported again.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from onhand.core.orders.model import Order
from onhand.core.orders.moves import LineRef

ZERO = Decimal(0)


class Reduction(msgspec.Struct, frozen=True, kw_only=True):
    """The one reduction of a line: what its cost is repaired from."""

    transaction_id: str
    quantity: Decimal
    reserved: Decimal = ZERO
    """How much of it was attributed to the line's reservation, before any clamp (C3)."""
    unit_cost: Decimal | None = None
    currency: str = ""
    rate: Decimal | None = None
    rate_date: datetime | None = None
    at: datetime
    step: str = ""
    run: str = ""
    """Run that made it: the rest of the same run does not call it a repetition."""
    reversed_by: str = ""
    """Transaction that took it back knowingly (A20)."""


class LedgerRow(msgspec.Struct, kw_only=True):
    """Reservation ledger of one line in one shipment (specification 3.5). Open while `remaining` is above zero."""

    shipment_id: str
    line_item_id: str
    sku: str
    warehouse: str
    virtual: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()
    hold_id: str = ""
    """External id of the line's hold; empty while nothing was ever reserved."""
    reservation_id: str = ""
    reserved: Decimal = ZERO
    consumed: Decimal = ZERO
    released: Decimal = ZERO
    revision: int = 0
    """Grows with each change; part of the command ids, so that an effect that may recur has an id of its own."""
    forced: bool = False
    """Marked as reserved without a reservation (D19): never touches the counter."""
    reduction: Reduction | None = None
    restocked: dict[str, str] = {}
    """Return id -> transaction id."""

    @property
    def line(self) -> LineRef:
        """Which line it belongs to."""
        return LineRef(self.shipment_id, self.line_item_id)

    @property
    def remaining(self) -> Decimal:
        """What is still reserved."""
        return max(ZERO, self.reserved - self.consumed - self.released)

    @property
    def shown(self) -> Decimal:
        """What the line shows as its reserved quantity; consumption by shipping does not lower it (A32)."""
        return max(ZERO, self.reserved - self.released)


class StepResult(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Result of a step as the client sees it (specification 2.7)."""

    action_type: str
    action_status: str
    message: str = ""
    message_heading: str = ""
    error_reason: str = ""
    translate_key: str = ""
    duration: str = ""
    cancel_workflow: bool = False
    trigger_new_status: str = ""
    order_status_changed: bool = False
    is_invisible: bool = False


class Run(msgspec.Struct, kw_only=True):
    """One run of the steps of a status. It is in the record from the status change to the last save."""

    id: str
    status: str
    order_type: str
    shipment_id: str | None = None
    return_id: str | None = None
    user_id: str = ""
    steps: list[bytes] = []
    """The configured steps in order, as they were when the run began; JSON of `WorkflowStep`."""
    next_step: int = 0
    """Index of the first step that is not concluded."""
    done_units: list[str] = []
    """Units of `next_step` that are committed."""
    later: list[int] = []
    """Steps to run after the order is saved."""
    after_save: bool = False
    results: list[StepResult] = []
    succeeded: bool = True
    warned: bool = False
    failed: bool = False
    aborted: bool = False
    trigger: str = ""
    trigger_order_type: str = ""
    trigger_without_workflow: bool = False
    depth: int = 0
    """How many statuses triggered one another before this one."""
    started_at: datetime
    claim: str = ""
    """Who executes it; another process may take over after `claimed_to`."""
    claimed_to: datetime


class OrderRecord(msgspec.Struct, kw_only=True):
    """Body of the order's document."""

    order: Order | None
    """None: permanently deleted. The rows stay, so that nothing happens twice under the id."""
    rows: list[LedgerRow] = []
    run: Run | None = None
    next_event: int = 1

    def row(self, line: LineRef) -> LedgerRow | None:
        """The line's row."""
        return next((row for row in self.rows if row.line == line), None)
