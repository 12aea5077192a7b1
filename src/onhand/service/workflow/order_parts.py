"""Changes of parts of an order: lines, shipments, reductions taken back (order specification 8.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from onhand.core.orders import editing, returning, statuses
from onhand.core.orders.actions import CancelRequest, ReverseRequest
from onhand.core.orders.applying import Stored
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.entities import Json
from onhand.core.orders.events import Actor, Category, Entry, Operation
from onhand.core.orders.model import Order
from onhand.core.orders.moves import ItemRef, LineRef, Move, Reverse
from onhand.core.orders.parting import Parted, Reduced
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.repeating import Mark
from onhand.core.orders.requests import LinesUpdate, ShipmentInfo, StatusUpdate
from onhand.core.orders.splitting import cancelled, status_after, update_lines
from onhand.service.faults import Fault
from onhand.service.workflow.engine import RunAnswer
from onhand.service.workflow.orders import Orders, no_order, sized
from onhand.service.workflow.saving import Around, Change

ORDERS_MAX: Final = 100
"""Orders whose lines are cancelled in one call."""


class OrderParts:
    """Changes of parts of orders."""

    def __init__(self, orders: Orders, around: Around) -> None:
        self._orders = orders
        self._around = around

    # Lines -------------------------------------------------------------------------------------------------

    async def add_lines(  # noqa: PLR0913 - who adds what, and where
        self,
        environment_id: str,
        order_id: str,
        value: Json,
        shipment_id: str | None,
        actor: Actor,
        expected: str | None,
    ) -> Order | Refused:
        """Add lines to a shipment, or to none."""

        def edit(order: Order, _now: datetime) -> Order | Refused:
            return editing.with_new_lines(order, value, shipment_id)

        entry = Entry(message="Lines were added.", category=Category.UPDATED, shipment_id=shipment_id or "")
        return await self._orders.edit(environment_id, order_id, edit, entry, actor, expected=expected)

    async def patch_lines(
        self, environment_id: str, order_id: str, value: Json, actor: Actor, expected: str | None
    ) -> Order | Refused:
        """Change properties of lines. What is reserved for a line that has a ledger row is said by the row."""

        def edit(order: Order, _now: datetime) -> Order | Refused:
            return editing.with_patched_lines(order, value)

        entry = Entry(message="Lines were changed.", category=Category.UPDATED)
        return await self._orders.edit(environment_id, order_id, edit, entry, actor, expected=expected)

    async def cancel_lines(
        self,
        environment_id: str,
        order_id: str,
        line_ids: Sequence[str],
        actor: Actor,
        expected: str | None = None,
    ) -> Order | Refused:
        """Cancel lines as a whole; what is reserved for them stays until a workflow gives it back (C11)."""
        entry = Entry(
            message=f"Cancelled: {', '.join(line_ids)[:500]}.",
            category=Category.CANCELED,
            operation=Operation.API_LINE_CANCELED,
        )

        def make(stored: Stored, _now: datetime) -> Change | Refused | None:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            after = statuses.writable(before) or cancelled(before, line_ids, reduced=_reduced(stored.record))
            return None if after == before else sized(after, entry)

        done = await self._orders.apply(environment_id, order_id, make, actor, expected)
        return done if isinstance(done, Refused) else done.order

    async def cancel_many(
        self, environment_id: str, requests: Sequence[CancelRequest], actor: Actor
    ) -> list[tuple[str, Order | Refused | Fault]]:
        """Cancel lines of several orders, one after the other; each by itself."""
        results: list[tuple[str, Order | Refused | Fault]] = []
        for one in requests:
            try:
                done: Order | Refused | Fault = await self.cancel_lines(
                    environment_id, one.order_id, one.line_item_ids, actor
                )
            except Fault as fault:
                done = fault
            results.append((one.order_id, done))
        return results

    async def update_lines(  # noqa: PLR0913 - who changes what, from which version
        self,
        environment_id: str,
        order_id: str,
        request: LinesUpdate,
        actor: Actor,
        expected: str | None,
        mark: Mark | None = None,
    ) -> RunAnswer | Refused:
        """Deliver, cancel or split parts of lines, then run the workflow for what is delivered (A15, A16, C10).

        The split, the status of each shipment and its run are one group, so that a part is never delivered twice, and
        whatever was accepted is finished.
        """
        around = await self._around(environment_id, actor.user, actor.user_id)

        def make(stored: Stored, now: datetime) -> Change | Refused:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            parted = statuses.writable(before) or update_lines(
                before,
                request,
                stored.record.revision,
                reduced=_reduced(stored.record),
                allow_over_delivery=around.workflows.settings.allow_over_delivery,
            )
            if isinstance(parted, Refused):
                return parted
            updates = _updates(request, parted)
            entry = Entry(
                message="Lines were updated.",
                category=Category.UPDATED,
                operation=Operation.STATUS_PARTIAL,
                shipment_id=parted.runs[0] if parted.runs else "",
                previous_status=before.status,
            )
            change = sized(parted.order, entry)
            if isinstance(change, Refused):
                return change
            change = msgspec.structs.replace(change, splits=parted.splits)
            for update in updates:
                begun = self._orders.begun(
                    around.workflows, change, change.after or parted.order, update, now, actor, enforced=True
                )
                if isinstance(begun, Refused):
                    return begun
                change = begun
            return _followed(change, around.workflows, parted) if updates else change

        return await self._orders.apply(environment_id, order_id, make, actor, expected, mark)

    # Shipments ---------------------------------------------------------------------------------------------

    async def put_shipments(
        self, environment_id: str, order_id: str, value: Json, actor: Actor, expected: str | None
    ) -> Order | Refused:
        """Add shipments, or replace those of the same ids; what is reserved follows (D26)."""

        def edit(order: Order, _now: datetime) -> Order | Refused:
            return editing.with_put_shipments(order, value)

        entry = Entry(message="Shipments were replaced.", category=Category.UPDATED)
        return await self._orders.edit(environment_id, order_id, edit, entry, actor, expected=expected)

    async def patch_shipments(
        self, environment_id: str, order_id: str, value: Json, actor: Actor, expected: str | None
    ) -> Order | Refused:
        """Change properties of shipments; what is reserved follows (D26)."""

        def edit(order: Order, _now: datetime) -> Order | Refused:
            return editing.with_patched_shipments(order, value)

        entry = Entry(message="Shipments were changed.", category=Category.UPDATED)
        return await self._orders.edit(environment_id, order_id, edit, entry, actor, expected=expected)

    async def delete_shipments(
        self,
        environment_id: str,
        order_id: str,
        shipment_ids: Sequence[str],
        actor: Actor,
        expected: str | None,
    ) -> Order | Refused:
        """Remove shipments; their lines are in none then, and what was reserved for them is given back."""

        def edit(order: Order, _now: datetime) -> Order | Refused:
            return editing.without_shipments(order, shipment_ids)

        entry = Entry(
            message=f"Removed shipments: {', '.join(shipment_ids)[:500]}.", category=Category.UPDATED
        )
        return await self._orders.edit(environment_id, order_id, edit, entry, actor, expected=expected)

    async def assign_lines(
        self, environment_id: str, order_id: str, value: Json, actor: Actor, expected: str | None
    ) -> Order | Refused:
        """Move lines into shipments, with what is reserved for them."""

        def edit(order: Order, _now: datetime) -> Order | Refused:
            return editing.with_assigned_lines(order, value)

        entry = Entry(message="Lines were moved to other shipments.", category=Category.UPDATED)
        return await self._orders.edit(environment_id, order_id, edit, entry, actor, expected=expected)

    # Reversals ---------------------------------------------------------------------------------

    async def reverse(
        self,
        environment_id: str,
        order_id: str,
        request: ReverseRequest,
        actor: Actor,
        expected: str | None,
    ) -> Order | Refused:
        """Take reductions back knowingly (A20); lines that were taken back before are passed over."""

        def make(stored: Stored, _now: datetime) -> Change | Refused | None:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            moves = _reversals(stored.record, request)
            if isinstance(moves, Refused):
                return moves
            if not moves:
                return None
            entry = Entry(
                message=f"Reductions were taken back: {', '.join(request.line_item_ids)[:500]}.",
                category=Category.UPDATED,
                operation=Operation.INVENTORY_UPDATE,
                shipment_id=request.shipment_id,
            )
            return Change(after=before, entries=(entry,), moves=tuple(moves))

        done = await self._orders.apply(environment_id, order_id, make, actor, expected)
        return done if isinstance(done, Refused) else done.order

    # Status ------------------------------------------------------------------------------------------------

    async def status(
        self,
        environment_id: str,
        order_id: str,
        update: StatusUpdate,
        actor: Actor,
        expected: str | None,
    ) -> RunAnswer | Refused:
        """An order, one of its shipments, or one of its returns enters a status, and the workflow runs."""
        around = await self._around(environment_id, actor.user, actor.user_id)

        def make(stored: Stored, now: datetime) -> Change | Refused:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            if update.return_id is not None and returning.find_return(before, update.return_id) is None:
                return returning.no_return(update.return_id)
            change = Change(after=before)
            return self._orders.begun(around.workflows, change, before, update, now, actor, enforced=True)

        return await self._orders.apply(environment_id, order_id, make, actor, expected)


def _reduced(record: OrderRecord) -> Reduced:
    """Lines that were taken from stock and not taken back."""
    return frozenset(
        (row.shipment_id, row.line_item_id)
        for row in record.rows
        if row.reduction is not None and not row.reduction.reversed_by
    )


def _updates(request: LinesUpdate, parted: Parted) -> list[StatusUpdate]:
    """One status update for each shipment that enters the status; none when the request names no status."""
    if not request.status.strip():
        return []
    info = request.shipment_info or ShipmentInfo()
    return [
        StatusUpdate(
            status=request.status,
            shipment_info=msgspec.structs.replace(info, shipment_id=shipment_id),
            skip_run_workflow=request.skip_run_workflow,
            user_id=request.user_id,
        )
        for shipment_id in parted.runs
    ]


def _followed(change: Change, workflows: Workflows, parted: Parted) -> Change:
    """The change whose order has the status that its shipments lead to: partially shipped until all are there."""
    after = change.after
    order_type = None if after is None else workflows.order_type(after.order_type)
    if after is None or order_type is None:
        return change
    status = status_after(after, order_type, delivered=parted.delivered)
    return msgspec.structs.replace(change, after=msgspec.structs.replace(after, status=status))


def _reversals(record: OrderRecord, request: ReverseRequest) -> list[Move] | Refused:
    moves: list[Move] = []
    for line_id in dict.fromkeys(request.line_item_ids):
        ref = LineRef(request.shipment_id, line_id)
        row = record.row(ref)
        if row is None or row.reduction is None:
            return Refused(
                Code.VALIDATION_FAILED,
                f"Line {line_id!r} of shipment {request.shipment_id!r} was not taken from stock: there is nothing to "
                "take back.",
            )
        if not row.reduction.reversed_by:
            moves.append(Reverse(line=ref, item=ItemRef(row.sku, row.warehouse, row.virtual, row.dimensions)))
    return moves
