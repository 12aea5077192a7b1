"""The stored form of an order: what the client sees, its reservation ledger, and the run in progress.

One document, one version: the order cannot say anything else than its ledger. A row belongs to one line in one shipment and is
never removed, so that a reduction is never forgotten, not even when the order is deleted or imported again.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from onhand.core.orders.configuration import WorkflowStep
from onhand.core.orders.model import EntityError, Order
from onhand.core.orders.moves import LineRef
from onhand.core.orders.repeating import Mark

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


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """Reservation ledger of one line in one shipment (specification 3.5). Open while `remaining` is above zero."""

    shipment_id: str
    line_item_id: str
    sku: str
    warehouse: str
    virtual: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()
    hold_id: str = ""
    """External id of the line's hold; empty while nothing was ever reserved."""
    node: str = ""
    """Position key at which the hold is kept."""
    reservation_id: str = ""
    reserved: Decimal = ZERO
    consumed: Decimal = ZERO
    released: Decimal = ZERO
    canceled: Decimal = ZERO
    """Cancelled units among what was released: each is given back once (D14)."""
    revision: int = 0
    """Grows with each change; part of the command ids, so that an effect that may recur has an id of its own."""
    reduction: Reduction | None = None

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


class StepResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
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


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a run; one of a workflow group knows the step that called the group."""

    step: WorkflowStep
    caller: WorkflowStep | None = None
    first: bool = False
    """The first of its group: here the conditions of the caller are looked at."""
    group: str = ""
    """Which call of a group it belongs to; empty outside of groups."""
    group_stops: bool = False
    """An error in the group ends the group."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the steps of a status. It is in the record from the status change to the last save."""

    id: str
    status: str
    order_type: str
    shipment_id: str | None = None
    return_id: str | None = None
    user_id: str = ""
    steps: tuple[PlannedStep, ...] = ()
    """The steps in order, as they were configured when the run began; groups are laid out."""
    after: tuple[PlannedStep, ...] = ()
    """Steps that run once the order is saved."""
    next_step: int = 0
    """Index of the first step that is not concluded."""
    done_units: tuple[str, ...] = ()
    """Units of `next_step` that are committed."""
    ended_groups: tuple[str, ...] = ()
    """Calls of groups of which nothing more runs."""
    results: tuple[StepResult, ...] = ()
    aborted: bool = False
    errors: tuple[EntityError, ...] = ()
    """What the last save adds to `order.errors`; what is only information becomes an event."""
    skipped: tuple[str, ...] = ()
    """Steps that did not run, with the reason, for the verbose log."""
    trigger: str = ""
    trigger_order_type: str = ""
    trigger_without_workflow: bool = False
    depth: int = 0
    """How many statuses triggered one another before this one."""
    started_at: datetime
    claim: str = ""
    """Who executes it; another process may take over after `claimed_to`."""
    claimed_to: datetime


class Restocked(msgspec.Struct, frozen=True, kw_only=True):
    """A returned line that is back in stock (POS_RETURN)."""

    return_id: str
    line_item_id: str
    transaction_id: str


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the order's document."""

    order: Order | None
    """None: permanently deleted. The rows stay, so that nothing happens twice under the id."""
    revision: int = 0
    """What the client sees as `versionId`: grows with a change of the order, not with each unit of a run."""
    rows: tuple[LedgerRow, ...] = ()
    counted: bool = True
    """Whether the holds of the rows are marked as those of an open order."""
    restocked: tuple[Restocked, ...] = ()
    run: Run | None = None
    """The run in progress: while it is claimed nobody else changes the order."""
    queued: tuple[Run, ...] = ()
    """Runs that the request of `run` began too, for its other shipments: each follows when the one before has ended."""
    later: tuple[Run, ...] = ()
    """Runs of steps that wait for the order to be saved, oldest first."""
    following: Run | None = None
    """The run that ended last and wants a status that was not entered yet; it has no steps any more."""
    next_event: int = 1
    marks: tuple[Mark, ...] = ()
    """Of the last changes, so that none of them is made twice."""

    def row(self, line: LineRef) -> LedgerRow | None:
        """The line's row."""
        return next((row for row in self.rows if row.line == line), None)

    def with_row(self, row: LedgerRow) -> OrderRecord:
        """The record with this row in place of the line's old one, or as its last."""
        if self.row(row.line) is None:
            return msgspec.structs.replace(self, rows=(*self.rows, row))
        rows = tuple(row if one.line == row.line else one for one in self.rows)
        return msgspec.structs.replace(self, rows=rows)
