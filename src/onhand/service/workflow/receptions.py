"""Goods receptions and deliveries (order specification 6.8): what comes in, or leaves for a transfer, with its purchase order.

A reception is one group: stock, costs, transactions, purchase orders and the ids of the reception. Offering the goods to the
customer orders that wait for them comes after it, order by order (`Handing`); the purchase order remembers that it is due.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from onhand.core.orders.arrivals import Delivering, Receiving, Renaming, StoredPurchase, moves_of
from onhand.core.orders.configuration import same
from onhand.core.orders.events import Actor
from onhand.core.orders.moves import ItemRef, TransactionType
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.purchasing import (
    DELIVERY,
    Delivery,
    PurchaseLine,
    PurchaseOrder,
    ReceptionLine,
    key_of,
    read_delivery,
)
from onhand.core.orders.receiving import Incoming
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.working import Surroundings
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Documents
from onhand.service.batcher import Batcher
from onhand.service.workflow.handing import Handing
from onhand.service.workflow.item_reading import Around
from onhand.service.workflow.promises import Promise, Promises
from onhand.service.workflow.purchasing import Purchasing, missing


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a reception."""

    purchase_orders: tuple[PurchaseOrder, ...]
    """As they are now."""
    goods_reception_ids: tuple[str, ...]
    rates_missing: tuple[str, ...]
    """SKUs that came in without their cost, because its currency could not be converted."""


class Receptions:
    """Receives goods, and sends them on their way."""

    def __init__(
        self, around: Around, purchasing: Purchasing, documents: Documents, batcher: Batcher, handing: Handing
    ) -> None:
        self._around = around
        self._purchasing = purchasing
        self._documents = documents
        self._batcher = batcher
        self.handing = handing
        self._promises = Promises(documents)

    # Receptions --------------------------------------------------------------------------------------------

    async def receive(
        self, environment: str, lines: Sequence[ReceptionLine], actor: Actor, delivery_id: str = ""
    ) -> Received | Refused:
        """Receive goods, all or none; a goods reception id counts once.

        Raises:
            Fault: see `Batcher.submit`; after an unknown outcome the same call says whether it took place.
        """
        around = await self._around(environment, actor.user, actor.user_id)
        stored = await self._purchases(around, lines)
        if isinstance(stored, Refused):
            return stored
        moves: list[Incoming] = []
        for line in lines:
            made = moves_of(around, stored[line.line_item_id].record, line, delivery_id)
            if isinstance(made, Refused):
                return made
            moves += made
        group = Receiving(around, lines, moves, stored, delivery_id)
        refusal = _refusal(await self._batcher.submit(around.rules, group))
        if group.duplicates:
            shown = ", ".join(group.duplicates)
            return Refused(
                Code.DUPLICATE_GOODS_RECEPTION,
                f"Processed before: {shown}. Nothing was received; send new goods under a new id.",
            )
        if refusal is not None:
            return refusal
        orders = dict.fromkeys(one.key.id for one in stored.values())
        for identity in orders:
            await self.handing.settle(environment, identity, actor)
        found = [await self._purchasing.read(around.rules, identity) for identity in orders]
        return Received(
            purchase_orders=tuple(one for one in found if isinstance(one, PurchaseOrder)),
            goods_reception_ids=tuple(dict.fromkeys(one.goods_reception_id for one in lines)),
            rates_missing=group.rates_missing,
        )

    async def _purchases(
        self, around: Surroundings, lines: Sequence[ReceptionLine]
    ) -> dict[str, StoredPurchase] | Refused:
        """Line -> its purchase order as it is stored."""
        owners = await self._purchasing.owners(around.rules, [one.line_item_id for one in lines])
        unknown = sorted({one.line_item_id for one in lines} - owners.keys())
        if unknown:
            return Refused(
                Code.VALIDATION_FAILED, f"No purchase order has a line {', '.join(unknown)[:200]}."
            )
        found: dict[str, StoredPurchase] = {}
        for identity in dict.fromkeys(owners.values()):
            stored = await self._purchasing.stored(around.rules, identity)
            if stored is None or stored.record.order is None:
                return missing(identity)
            found[identity] = stored
        return {line: found[identity] for line, identity in owners.items()}

    async def promises(self, environment: str, purchase_order_id: str) -> list[Promise] | Refused:
        """What is still expected from a purchase order, and how much of it waits for nobody."""
        around = await self._around(environment, "", "")
        order = await self._purchasing.read(around.rules, purchase_order_id)
        return order if isinstance(order, Refused) else await self._promises.of_order(around, order)

    # Deliveries --------------------------------------------------------------------------------------------

    async def read_delivery(self, environment: str, identity: str) -> Delivery | Refused:
        """A delivery."""
        around = await self._around(environment, "", "")
        row = await self._documents.document(key_of(around.rules.environment, DELIVERY, identity))
        return no_delivery(identity) if row is None else read_delivery(row.body)

    async def deliver(
        self, environment: str, purchase_order_id: str, wanted: Delivery, actor: Actor
    ) -> Delivery | Refused:
        """Make a delivery of lines of a purchase order. Goods of a transfer leave their source now."""
        around = await self._around(environment, actor.user, actor.user_id)
        stored = await self._purchasing.stored(around.rules, purchase_order_id)
        if stored is None or stored.record.order is None:
            return missing(purchase_order_id)
        order = stored.record.order
        lines = _travelling(order, wanted)
        if isinstance(lines, Refused):
            return lines
        moves = [
            Incoming(
                item=ItemRef(line.code, order.supplier_warehouse_code or ""),
                quantity=-line.open,
                kind=TransactionType.TRANSFER,
                purchase_order_id=order.id,
                line_item_id=line.line_item_id,
                delivery_id=wanted.id,
            )
            for line in lines
            if order.is_transfer and line.open > ZERO and line.line_item_id not in stored.record.shipped
        ]
        group = Delivering(around, stored, order, wanted, lines, moves)
        refusal = _refusal(await self._batcher.submit(around.rules, group))
        if group.exists:
            return Refused(Code.DUPLICATE_ID, f"A delivery {wanted.id!r} exists already.")
        return refusal or group.delivery

    async def set_delivery_status(self, environment: str, identity: str, status: str) -> Delivery | Refused:
        """Give a delivery another status."""
        around = await self._around(environment, "", "")
        key = key_of(around.rules.environment, DELIVERY, identity)
        group = Renaming(around, key, status)
        refusal = _refusal(await self._batcher.submit(around.rules, group))
        return refusal or group.delivery or no_delivery(identity)


def _travelling(order: PurchaseOrder, wanted: Delivery) -> list[PurchaseLine] | Refused:
    if not wanted.line_item_ids:
        return [line for line in order.lines if line.open > ZERO and not line.delivery_id]
    found = []
    for identity in wanted.line_item_ids:
        line = order.line(identity)
        if line is None:
            return Refused(Code.VALIDATION_FAILED, f"The purchase order has no line {identity!r}.")
        if line.delivery_id and not same(line.delivery_id, wanted.id):
            return Refused(
                Code.VALIDATION_FAILED, f"Line {identity!r} belongs to delivery {line.delivery_id!r}."
            )
        found.append(line)
    return found


def _refusal(outcome: object) -> Refused | None:
    refusal = outcome.refusal if isinstance(outcome, GroupOutcome) else outcome
    if not isinstance(refusal, Rejected):
        return None
    code = Code.VERSION_CONFLICT if refusal.reason is Reason.STALE_DOCUMENT else Code.VALIDATION_FAILED
    return Refused(code, refusal.message)


def no_delivery(identity: str) -> Refused:
    """There is no such delivery."""
    return Refused(Code.NOT_FOUND, f"There is no delivery {identity!r}.")
