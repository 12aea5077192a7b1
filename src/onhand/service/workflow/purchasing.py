"""Purchase orders: created, changed, found (order specification 6.8, 8.5).

The document of a purchase order is its fence; its lines have documents too, which make their ids unique over all purchase
orders. What came in is never lowered by a client: the delivered quantity of a line is the business of receptions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from onhand.core.commands import DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.costing.arithmetic import per, times
from onhand.core.orders.arrivals import StoredPurchase
from onhand.core.orders.configuration import Texts
from onhand.core.orders.entities import Entity, Id, Moment, Name, Quantity, show
from onhand.core.orders.labels import exact, label
from onhand.core.orders.numbers import ZERO, rounded
from onhand.core.orders.purchasing import (
    LINE,
    PURCHASE,
    PurchaseLine,
    PurchaseOrder,
    PurchaseRecord,
    key_of,
    modified,
    problems_of,
    purchase_write,
    read_purchase,
    with_line,
    with_lines,
)
from onhand.core.orders.refusals import Code, Refused, invalid
from onhand.core.orders.working import datetime_of
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.service.batcher import Batcher
from onhand.service.faults import Conflict

ATTEMPTS: Final = 8
"""How often a change is made anew because somebody else was faster."""
HITS_MAX: Final = 10_000
"""Hits are counted up to this number."""


class PurchaseSearch(Entity, frozen=True, kw_only=True):
    """Which purchase orders are wanted; several values of a filter are alternatives."""

    statuses: Texts = ()
    store_ids: Texts = ()
    market_ids: Texts = ()
    supplier_ids: Texts = ()
    warehouse_codes: Texts = ()
    skus: Texts = ()
    order_numbers: Texts = ()
    delivery_id: str | None = None
    open: bool | None = None
    """Whether something is still to come."""
    limit: int | None = None
    cursor: str | None = None


class FoundPurchases(msgspec.Struct, frozen=True):
    """A page as JSON values, newest first."""

    rows: list[dict[str, Any]]
    total: int
    next: str | None


class Split(Entity, frozen=True, kw_only=True):
    """A part of what is to come of a line becomes a line of its own."""

    line_item_id: Id
    quantity: Quantity
    new_line_item_id: Id
    delivery_id: Name | None = None
    estimated_time_of_arrival: Moment | None = None


Edit = Callable[[PurchaseOrder], PurchaseOrder | Refused]
"""Pure."""


class Purchasing:
    """The purchase orders of an environment."""

    def __init__(self, documents: Documents, batcher: Batcher) -> None:
        self._documents = documents
        self._batcher = batcher

    # Reading -----------------------------------------------------------------------------------------------

    async def stored(self, rules: Rules, identity: str) -> StoredPurchase | None:
        """A purchase order's document; None when there is none."""
        row = await self._documents.document(key_of(rules.environment, PURCHASE, identity))
        return None if row is None else StoredPurchase(row.key, row.version, read_purchase(row.body))

    async def read(self, rules: Rules, identity: str) -> PurchaseOrder | Refused:
        """A purchase order with its version."""
        stored = await self.stored(rules, identity)
        found = None if stored is None else stored.shown
        return missing(identity) if found is None else found

    async def search(
        self, rules: Rules, wanted: PurchaseSearch, after: str | None, limit: int
    ) -> FoundPurchases:
        """Purchase orders, newest first.

        Raises:
            ValueError: `after` is not a cursor of this listing.
        """
        labels, any_of = _labels(wanted)
        page = await self._documents.find(
            rules.environment, PURCHASE, labels, any_of=any_of, after=after, limit=limit
        )
        total = await self._documents.count(
            rules.environment, PURCHASE, labels, any_of=any_of, limit=HITS_MAX
        )
        found = [StoredPurchase(row.key, row.version, read_purchase(row.body)).shown for row in page.rows]
        return FoundPurchases([show(one) for one in found if one is not None], total, page.next)

    async def owners(self, rules: Rules, line_item_ids: Sequence[str]) -> dict[str, str]:
        """Line -> its purchase order; lines that nobody knows are missing."""
        keys = [key_of(rules.environment, LINE, one) for one in dict.fromkeys(line_item_ids)]
        rows = await self._documents.documents(keys)
        return {row.key.id: row.body.decode() for row in rows}

    # Changing ----------------------------------------------------------------------------------------------

    async def create(self, rules: Rules, order: PurchaseOrder) -> PurchaseOrder | Refused:
        """Store a new purchase order; its id and those of its lines are new."""
        problems = problems_of(order)
        if problems:
            return invalid(problems, "The purchase order")
        key = key_of(rules.environment, PURCHASE, order.id)
        done = await self._write(rules, StoredPurchase(key, 0, PurchaseRecord(order=None)), order)
        return _exists(order) if done is None else done

    async def change(
        self, rules: Rules, identity: str, edit: Edit, expected: str | None = None
    ) -> PurchaseOrder | Refused:
        """Change a purchase order with a pure function; `expected` is the version that the client knows.

        Raises:
            Conflict: others changed it again and again; nothing was recorded.
        """
        for _ in range(ATTEMPTS):
            stored = await self.stored(rules, identity)
            if stored is None or stored.record.order is None:
                return missing(identity)
            if expected is not None and str(stored.record.revision) != expected:
                return Refused(
                    Code.VERSION_CONFLICT,
                    f"It has version {stored.record.revision}, not {expected[:40]!r}. Read it again and repeat the change.",
                )
            after = edit(stored.record.order)
            if isinstance(after, Refused):
                return after
            problems = problems_of(after)
            if problems:
                return invalid(problems, "The purchase order")
            done = await self._write(rules, stored, after)
            if done is not None:
                return done
        raise Conflict("The purchase order is changed by many at once.")

    async def delete(self, rules: Rules, identity: str) -> Refused | None:
        """Forget a purchase order of which nothing came; its lines' ids are free again."""
        stored = await self.stored(rules, identity)
        if stored is None or stored.record.order is None:
            return missing(identity)
        if stored.record.shipped or any(line.delivered_quantity > ZERO for line in stored.record.order.lines):
            return Refused(
                Code.VALIDATION_FAILED,
                "Goods of it came already. Cancel its open lines instead of deleting it.",
            )
        done = await self._write(rules, stored, None)
        return (
            None if done is not None else Refused(Code.VERSION_CONFLICT, "It changed meanwhile. Try again.")
        )

    async def _write(
        self, rules: Rules, stored: StoredPurchase, after: PurchaseOrder | None
    ) -> PurchaseOrder | Refused | None:
        """The stored order, or None when somebody else was faster (or it exists already, for a new one)."""
        old = (
            set() if stored.record.order is None else {one.line_item_id for one in stored.record.order.lines}
        )
        new = set() if after is None else {one.line_item_id for one in after.lines}
        changed = {one: key_of(rules.environment, LINE, one) for one in sorted(old ^ new)}
        taken: list[str] = []
        result: list[PurchaseOrder] = []

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            taken.clear()
            result.clear()
            found = dict(zip(changed, concluded.documents[1:], strict=True))
            taken.extend(one for one, document in found.items() if one in new and document.version)
            if concluded.documents[0].version != stored.version or taken:
                return Rejected(Reason.STALE_DOCUMENT, "The purchase order changed meanwhile.")
            order = None if after is None else modified(after, datetime_of(concluded.now))
            record = msgspec.structs.replace(stored.record, order=order, revision=stored.record.revision + 1)
            if order is not None:
                result.append(msgspec.structs.replace(order, version_id=str(record.revision)))
            lines = [
                DocumentWrite(document.key, document.version, stored.key.id.encode(), delete=one not in new)
                for one, document in found.items()
            ]
            due_at = concluded.now if record.unsettled else None
            if order is None:
                return [DocumentWrite(stored.key, stored.version, b"", delete=True), *lines]
            return [purchase_write(stored.key, stored.version, record, due_at), *lines]

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(stored.key, *changed.values()), finish=finish)
        )
        refusal = outcome.refusal if isinstance(outcome, GroupOutcome) else outcome
        if taken:
            return Refused(
                Code.DUPLICATE_ID,
                f"Another purchase order has a line {taken[0]!r}; ids of lines are unique over all purchase orders.",
            )
        if isinstance(refusal, Rejected):
            return None
        return result[0] if result else PurchaseOrder()


def replaced(new: PurchaseOrder) -> Edit:
    """The order as the client sent it; what was delivered stays."""

    def edit(old: PurchaseOrder) -> PurchaseOrder | Refused:
        gone = [
            one.line_item_id
            for one in old.lines
            if one.delivered_quantity > ZERO and new.line(one.line_item_id) is None
        ]
        if gone:
            return Refused(Code.VALIDATION_FAILED, f"Goods of line {gone[0]!r} came; it cannot be left out.")
        lines = tuple(_kept(old.line(one.line_item_id), one) for one in new.lines)
        return with_lines(msgspec.structs.replace(new, id=old.id, created=old.created), lines)

    return edit


def _kept(old: PurchaseLine | None, new: PurchaseLine) -> PurchaseLine:
    delivered = ZERO if old is None else old.delivered_quantity
    return msgspec.structs.replace(new, delivered_quantity=delivered)


def cancelled(line_item_id: str) -> Edit:
    """What is still to come of a line does not come any more."""

    def edit(old: PurchaseOrder) -> PurchaseOrder | Refused:
        line = old.line(line_item_id)
        if line is None:
            return no_line(line_item_id)
        canceled = line.canceled_quantity + line.open
        return with_line(old, msgspec.structs.replace(line, canceled_quantity=canceled))

    return edit


def split(wanted: Split) -> Edit:
    """A part of a line becomes a line of its own."""

    def edit(old: PurchaseOrder) -> PurchaseOrder | Refused:
        line = old.line(wanted.line_item_id)
        if line is None:
            return no_line(wanted.line_item_id)
        if old.line(wanted.new_line_item_id) is not None:
            return Refused(Code.DUPLICATE_ID, f"The line {wanted.new_line_item_id!r} is there already.")
        if not ZERO < wanted.quantity < line.open:
            return Refused(
                Code.VALIDATION_FAILED, f"quantity must be above 0 and below what is to come, {line.open}."
            )
        price = line.discounted_price_excl_tax
        share = None if price is None else rounded(times(per(price, line.quantity), wanted.quantity))
        part = msgspec.structs.replace(
            line,
            line_item_id=wanted.new_line_item_id,
            quantity=wanted.quantity,
            canceled_quantity=ZERO,
            delivered_quantity=ZERO,
            discounted_price_excl_tax=share,
            delivery_id=wanted.delivery_id or line.delivery_id,
            estimated_time_of_arrival=wanted.estimated_time_of_arrival or line.estimated_time_of_arrival,
            virtual_warehouse_allocations=(),
        )
        rest = msgspec.structs.replace(
            line,
            quantity=line.quantity - wanted.quantity,
            discounted_price_excl_tax=None if price is None or share is None else price - share,
        )
        return with_line(with_line(old, rest), part)

    return edit


def missing(identity: str) -> Refused:
    """There is no such purchase order."""
    return Refused(Code.NOT_FOUND, f"There is no purchase order {identity!r}.")


def no_line(line_item_id: str) -> Refused:
    """There is no such line."""
    return Refused(Code.NOT_FOUND, f"There is no purchase order line {line_item_id!r}.")


def _exists(order: PurchaseOrder) -> Refused:
    return Refused(Code.DUPLICATE_ID, f"A purchase order {order.id!r} exists already.")


def _labels(wanted: PurchaseSearch) -> tuple[list[str], list[list[str]]]:
    labels = [] if wanted.open is None else [f"open={'yes' if wanted.open else 'no'}"]
    if wanted.delivery_id:
        labels.append(exact("delivery", wanted.delivery_id))
    choices = (
        ("status", wanted.statuses),
        ("store", wanted.store_ids),
        ("market", wanted.market_ids),
        ("supplier", wanted.supplier_ids),
        ("warehouse", wanted.warehouse_codes),
        ("sku", wanted.skus),
        ("number", wanted.order_numbers),
    )
    return labels, [[label(name, value) for value in values] for name, values in choices if values]
