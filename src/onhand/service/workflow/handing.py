"""Goods that came are offered to the customer orders that wait for them (order specification 6.8).

A line that is reserved on a purchase order line has nothing reserved in a warehouse. When enough has come, its reservation moves
to the warehouse of its shipment: the flag that it waits is cleared and its quantity is reserved, in one group with the
order. How much of a line has been handed out is not counted anywhere, it is read from the orders that name it, so that doing
it twice hands nothing out twice. Orders are served oldest first; one that cannot be served as a whole waits on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import msgspec
import structlog

from onhand.core.commands import DocumentWrite, Group, SettleReserved
from onhand.core.concluding import Concluded
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.applying import Stored
from onhand.core.orders.arrivals import setting
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.events import Actor, Category, Entry, Operation
from onhand.core.orders.following import item_of_line
from onhand.core.orders.labels import exact
from onhand.core.orders.lines import all_lines, with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ItemRef, LineRef, Reserve
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.purchasing import PURCHASE, pledged, purchase_write, read_purchase
from onhand.core.orders.refusals import Refused
from onhand.core.orders.requests import ShipmentInfo, StatusUpdate
from onhand.core.orders.statuses import is_completed
from onhand.core.orders.working import Surroundings
from onhand.core.outcomes import Rejected
from onhand.ports import Clock, Documents
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.workflow.item_reading import Around
from onhand.service.workflow.orders import Orders
from onhand.service.workflow.purchasing import Purchasing
from onhand.service.workflow.recalculating import Recalculating
from onhand.service.workflow.saving import Change, is_open
from onhand.service.workflow.searching import ORDER, read_record

PAGE: Final = 200
"""Orders that are read at a time."""
DUE_MAX: Final = 100
"""Purchase orders that one round of the clock settles."""

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger("onhand.purchasing")


class Handing:
    """Hands received goods over to orders."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        around: Around,
        environments: Environments,
        purchasing: Purchasing,
        documents: Documents,
        batcher: Batcher,
        orders: Orders,
        clock: Clock,
    ) -> None:
        self._around = around
        self._environments = environments
        self._purchasing = purchasing
        self._documents = documents
        self._batcher = batcher
        self._orders = orders
        self._clock = clock
        self._recalculating = Recalculating(documents, batcher)

    async def settle_due(self) -> None:
        """Hand over what a reception left behind, because its process died or an order was locked. The schedule calls it."""
        for row in await self._documents.due(PURCHASE, self._clock.now_us(), DUE_MAX):
            rules = await self._environments.numbered(row.key.environment)
            await self.settle(rules.environment_id, row.key.id, Actor(user="onhand", origin="Schedule"))

    async def settle(self, environment: str, purchase_order_id: str, actor: Actor) -> None:
        """Offer what came of a purchase order to the orders that wait for it."""
        around = await self._around(environment, actor.user, actor.user_id)
        stored = await self._purchasing.stored(around.rules, purchase_order_id)
        if stored is None or stored.record.order is None or not stored.record.unsettled:
            return
        complete = True
        for identity in stored.record.unsettled:
            line = stored.record.order.line(identity)
            if line is not None:
                complete = await self._line(around, identity, line.delivered_quantity, actor) and complete
                await self._recalculate(around, line.code)
        if not complete:
            log.info("purchase_order_not_settled", purchase_order=purchase_order_id)
            return  # it stays due: the schedule tries again
        version = stored.version

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            (document,) = concluded.documents
            if document.version != version:  # more came meanwhile, which is not settled
                return ()
            record = msgspec.structs.replace(read_purchase(document.body), unsettled=())
            return [purchase_write(document.key, version, record)]

        await self._batcher.submit(
            around.rules, lambda _: Group(commands=(), documents=(stored.key,), finish=finish)
        )

    async def _line(self, around: Surroundings, identity: str, delivered: Decimal, actor: Actor) -> bool:
        """Serve the orders of a purchase order line; whether each that could be served was."""
        linked = await self._linked(around, identity)
        free = delivered
        for order in linked:
            free -= sum((pledged(line) for _, line in _of(order, identity, waiting=False)), ZERO)
        served = True
        for order in sorted(linked, key=_age):
            granted: list[LineRef] = []
            for shipment, line in _of(order, identity, waiting=True):
                need = pledged(line) if is_open(order, around.workflows) else ZERO
                if need <= free:
                    free -= need
                    granted.append(LineRef(shipment.shipment_id, line.line_item_id))
            if granted and not await self._hand(around, order.id, identity, granted, actor):
                served = False
        return served

    async def _hand(
        self, around: Surroundings, order_id: str, identity: str, granted: Sequence[LineRef], actor: Actor
    ) -> bool:
        def make(stored: Stored, _now: datetime) -> Change | None:
            return handed(stored, around.workflows, identity, granted)

        environment = around.rules.environment_id
        done = await self._orders.apply(environment, order_id, make, actor)
        if isinstance(done, Refused):
            log.info("order_not_served", order=order_id, code=done.code, reason=done.message)
            return False
        status = setting(around, "goodsReceptionShipmentOrderStatusUpdate")
        if status:
            runs = setting(around, "goodsReceptionRunShipmentWorkflow").lower() == "true"
            for shipment in done.order.shipments:
                if shipment.shipment_id in {ref.shipment_id for ref in granted} and not _waits(shipment):
                    update = StatusUpdate(
                        status=status,
                        shipment_info=ShipmentInfo(shipment_id=shipment.shipment_id),
                        skip_run_workflow=not runs,
                    )
                    await self._orders.enter(environment, order_id, update, actor)
        return True

    async def _linked(self, around: Surroundings, identity: str) -> list[Order]:
        """Orders that name the purchase order line, whether they still wait or not."""
        found: list[Order] = []
        after: str | None = None
        while True:
            page = await self._documents.find(
                around.rules.environment, ORDER, [exact("purchase", identity)], after=after, limit=PAGE
            )
            records = [read_record(row.body) for row in page.rows]
            found += [record.order for record in records if record.order is not None]
            after = page.next
            if after is None:
                return found

    async def _recalculate(self, around: Surroundings, sku: str) -> None:
        """Make what is reserved of a product equal to its open holds."""
        await self._recalculating.back(around, sku)
        addresses = [
            one
            for warehouse in around.workflows.warehouses.values()
            if isinstance(
                one := resolve(around.rules, around.workflows, ItemRef(sku, warehouse.code)), Address
            )
        ]
        for product in dict.fromkeys(one.product for one in addresses):
            command = SettleReserved(
                id=f"reception~{uuid4()}",
                caller=around.caller,
                product=product,
                product_shown=sku,
                organization_shown=next(one.organization for one in addresses if one.product == product),
                measures=frozenset((around.reserved_measure,)),
                reason="goods reception",
            )
            outcome = await self._batcher.submit(around.rules, _as_it_is(command))
            if isinstance(outcome, Rejected):
                log.warning("reserved_not_recalculated", sku=sku, reason=outcome.message)


def handed(stored: Stored, workflows: Workflows, identity: str, granted: Sequence[LineRef]) -> Change | None:
    """The order whose granted lines do not wait any more and have their quantity reserved; None if none waits."""
    order = stored.record.order
    if order is None:
        return None
    waiting = {
        LineRef(shipment.shipment_id, line.line_item_id): (shipment, line)
        for shipment, line in _of(order, identity, waiting=True)
    }
    served = {ref: waiting[ref] for ref in granted if ref in waiting}
    if not served:
        return None

    def change(shipment: Shipment, line: OrderLine) -> OrderLine:
        if LineRef(shipment.shipment_id, line.line_item_id) not in served:
            return line
        return msgspec.structs.replace(line, is_awaiting_purchase_order=False, expected_delivery_date=None)

    moves = []
    for ref, (shipment, line) in served.items():
        item = item_of_line(order, shipment, line)
        row = stored.record.row(ref)
        left = (
            row is not None and row.reduction is not None
        )  # before its goods came: nothing would consume it
        quantity = ZERO if left else pledged(line) - (ZERO if row is None else row.shown)
        ships = is_open(order, workflows) and not is_completed(shipment) and line.moves_stock
        if item is not None and ships and quantity > ZERO:
            moves.append(Reserve(line=ref, item=item, quantity=quantity))
    entry = Entry(
        message=f"Goods of purchase order line {identity} came; {len(served)} lines do not wait any more.",
        category=Category.UPDATED,
        operation=Operation.GOODS_RECEPTION,
    )
    return Change(after=with_lines(order, change), entries=(entry,), moves=tuple(moves))


def _of(order: Order, identity: str, *, waiting: bool) -> list[tuple[Shipment, OrderLine]]:
    """Lines that are linked to a purchase order line, and wait for it or do not any more."""
    return [
        (shipment, line)
        for shipment, line in all_lines(order)
        if line.reserved_inventory_purchase_order_line_id == identity
        and (line.is_awaiting_purchase_order is True) is waiting
    ]


def _waits(shipment: Shipment) -> bool:
    return any(line.is_awaiting_purchase_order for line in shipment.line_items)


def _age(order: Order) -> tuple[datetime, str]:
    return order.created or LONG_AGO, order.id


def _as_it_is(command: SettleReserved) -> Any:  # noqa: ANN401 - a build
    return lambda _: command
