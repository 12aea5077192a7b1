"""What is reserved, recomputed (order specification 4.6, D16, C5; decisions 28).

What a product has reserved is the sum of its open holds. Lines of imported orders that show a reserved quantity without a hold
get one first, found by a label of their orders; then the product's holds and balances are settled under its lock, and no order
of another shard is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onhand.core.commands import DocumentWrite
from onhand.core.concluding import Concluded
from onhand.core.orders import running
from onhand.core.orders.applying import Application, Stored
from onhand.core.orders.configuration import same
from onhand.core.orders.following import item_of_line
from onhand.core.orders.labels import label, order_labels, shows_unbacked
from onhand.core.orders.lines import all_lines
from onhand.core.orders.moves import Applied, LineRef, Move, Reserve
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.statuses import is_completed
from onhand.core.orders.working import Note, Surroundings
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Documents
from onhand.service.batcher import Batcher
from onhand.service.workflow.saving import is_open
from onhand.service.workflow.searching import ORDER, read_record

PAGE: Final = 200
"""Orders that are looked at at once."""


class Recalculating:
    """Gives lines the holds that they show."""

    def __init__(self, documents: Documents, batcher: Batcher) -> None:
        self._documents = documents
        self._batcher = batcher

    async def back(self, around: Surroundings, sku: str, own_order: str = "") -> bool:
        """Make the holds that lines of open orders show for this product; whether `own_order` was changed by it."""
        changed = False
        wanted = [label("unbacked", sku), "open=yes"]
        after = None
        while True:
            page = await self._documents.find(
                around.rules.environment, ORDER, wanted, after=after, limit=PAGE
            )
            for row in page.rows:
                stored = Stored(row.key, row.version, read_record(row.body))
                moves = unbacked(stored.record, around, sku)
                if moves and await self._reserve(around, stored, moves) and row.key.id == own_order:
                    changed = True
            after = page.next
            if after is None:
                return changed

    async def _reserve(self, around: Surroundings, stored: Stored, moves: Sequence[Move]) -> bool:
        writing = _Writing(around)
        application = Application(
            around,
            stored,
            moves,
            finish=writing.finish,
            extra=writing.extra,
            index=writing.index,
            attempt="back",
        )
        outcome = await self._batcher.submit(around.rules, application)
        refusal = outcome if isinstance(outcome, Rejected) else None
        if isinstance(outcome, GroupOutcome):
            refusal = outcome.refusal
        return refusal is None or refusal.reason is Reason.STALE_DOCUMENT


def unbacked(record: OrderRecord, around: Surroundings, sku: str) -> tuple[Move, ...]:
    """The reservations that lines show for a product and that no ledger row has."""
    order = record.order
    if order is None or not is_open(order, around.workflows):
        return ()
    moves: list[Move] = []
    for shipment, line in all_lines(order):
        ref = LineRef(shipment.shipment_id, line.line_item_id)
        warehouse = around.workflows.warehouse(shipment.warehouse_code)
        if not same(line.code, sku) or record.row(ref) is not None or is_completed(shipment):
            continue
        item = item_of_line(order, shipment, line)
        if item is None or not shows_unbacked(line) or warehouse is None or warehouse.is_virtual:
            continue
        moves.append(Reserve(line=ref, item=item, quantity=line.reserved_inventory_quantity))
    return tuple(moves)


class _Writing:
    """The order as it is, with rows for its lines."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def finish(
        self, record: OrderRecord, _applied: Sequence[Applied], _notes: Sequence[Note], _concluded: Concluded
    ) -> OrderRecord:
        """The rows are all that changed."""
        return record

    def extra(
        self, _record: OrderRecord, _notes: Sequence[Note], _concluded: Concluded
    ) -> Sequence[DocumentWrite]:
        """Nothing beside it."""
        return ()

    def index(self, record: OrderRecord) -> tuple[tuple[str, ...], int | None]:
        """Labels without those of lines that have rows now."""
        labels = order_labels(record, is_open=is_open(record.order, self._around.workflows))
        return labels, running.due_of(record)
