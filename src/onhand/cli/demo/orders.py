"""Orders of the channels on ready-made workflows: five stories, each request with what it did to the stock.

The stories have products of their own at one store, so that every number can be followed by eye. Each says beforehand
what must be left at its end; the audit compares that with the service, like the books of the channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from onhand.cli.demo.channels import Books, Node
from onhand.cli.demo.retailer import ORGANIZATION, WAREHOUSES
from onhand.client import AsyncClient, CallFailed, calls
from onhand.core.orders import presets

STORE: Final = WAREHOUSES[1]
CODE: Final = STORE.location
"""The warehouse of the orders is called like its location."""
WORKFLOWS: Final = ("mixed-reservation", "pos", "backorder", "cancellation", "return")
CART_SECONDS: Final = 900

Level = tuple[int, int]
"""(inventory, reserved)."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who calls."""

    web: AsyncClient
    pos: AsyncClient
    marketplace: AsyncClient
    warehouse: AsyncClient
    office: AsyncClient
    """Configures the workflows and drives the orders."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a request did to items; those with the same numbers are named together."""

    items: str
    before: Level
    after: Level


@dataclass(frozen=True, slots=True)
class Row:
    """One request."""

    says: str
    answer: str
    effects: tuple[Effect, ...]


@dataclass(slots=True)
class Story:
    """What happened to a few items, request by request."""

    title: str
    office: AsyncClient
    wanted: Mapping[str, Level]
    """Item -> what must be left at the end."""
    lines: int
    """Order lines that leave the stock."""
    rows: list[Row] = field(default_factory=list)
    left: dict[str, Level] = field(default_factory=dict)

    async def does(self, says: str, work: Callable[[], Awaitable[str]]) -> None:
        """Do something, and note the stock before and after it."""
        before = await self.levels()
        answer = await work()
        self.left = await self.levels()
        grouped: dict[tuple[Level, Level], list[str]] = {}
        for item, level in self.left.items():
            grouped.setdefault((before[item], level), []).append(item)
        effects = (Effect(" ".join(items), *levels) for levels, items in grouped.items())
        self.rows.append(Row(says, answer, tuple(effects)))

    async def levels(self) -> dict[str, Level]:
        """The items as the service shows them."""
        rows = await self.office.send(
            calls.index_query(
                organization=ORGANIZATION,
                products=list(self.wanted),
                filters={"siteId": [STORE.site], "locationId": [STORE.location]},
            )
        )
        found = {row.product_id: row.quantities.get("iv", {}) for row in rows}
        return {
            item: (int(found.get(item, {}).get("onhand", 0)), int(found.get(item, {}).get("softreserved", 0)))
            for item in self.wanted
        }

    async def stocked(self, pieces: int, cost: int) -> str:
        """Put pieces of each item into the store."""
        rows = [
            {"sku": item, "warehouseCode": CODE, "inventory": pieces, "cost": cost, "costCurrency": "EUR"}
            for item in self.wanted
        ]
        await self.office.send(
            calls.ask("POST", "/inventory-items/bulk?mode=add", rows, key=f"stock {self.title}")
        )
        return f"{pieces} each"


async def play(cast: Cast) -> list[Story]:
    """All stories, one after another."""
    await _configure(cast.office)
    return [await tell(cast) for tell in (_mixed, _till, _backorder, _cancelled, _returned)]


async def _configure(office: AsyncClient) -> None:
    """Warehouses, settings and the ready-made workflows, as a client installs them."""
    settings = {"organizationId": ORGANIZATION, "defaultProductCostCurrency": "EUR"}
    await office.send(calls.ask("PUT", "/inventory-settings", settings, repeatable=True))
    for place in WAREHOUSES:
        body = {"code": place.location, "name": place.name, "siteId": place.site}
        await office.send(calls.ask("PUT", f"/warehouses/{place.location}", body, repeatable=True))
    for found in filter(None, map(presets.preset, WORKFLOWS)):
        shown = presets.show(found)
        kind = shown["orderType"]
        await office.send(calls.ask("PUT", f"/order-types/{kind['name']}", kind, repeatable=True))
        if "returnSettings" in shown:
            body = {"returnSettings": shown["returnSettings"]}
            await office.send(calls.ask("PUT", "/order-settings", body, repeatable=True))


# The stories -------------------------------------------------------------------------------------------------


async def _mixed(cast: Cast) -> Story:
    """Five lines: three reserved in the web shop, two that the marketplace held when the order came."""
    kept, others = ("LAMP", "RUG", "VASE"), ("SOFA", "TABLE")
    wanted = dict.fromkeys(kept, (9, 0)) | dict.fromkeys(others, (9, 4))
    story = Story("A mixed order: five lines, three of them reserved", cast.office, wanted, lines=5)
    cart: dict[str, str] = {}
    held: dict[str, str] = {}

    async def into_the_cart() -> str:
        for item in kept:
            answer = await cast.web.send(
                calls.reserve(_asked(f"cart-{item}", item, 1, reference="W-1", lives=CART_SECONDS))
            )
            cart[item] = answer.hold_id or ""
        return "held for 15 min"

    async def at_the_marketplace() -> str:
        for item in others:
            answer = await cast.marketplace.send(calls.reserve(_asked(f"offer-{item}", item, 10)))
            held[item] = answer.reservation_id
        return "all of them"

    async def given_back() -> str:
        for item in others:
            back = calls.unreserve(
                id=f"offer-{item}-back",
                organization=ORGANIZATION,
                product=item,
                dimensions=_place(),
                reservation_id=held[item],
                quantity=6,
            )
            await cast.marketplace.send(back)
        return "6 each"

    await story.does("stock arrives", lambda: story.stocked(10, 120))
    await story.does("web: cart", into_the_cart)
    await story.does("marketplace holds", at_the_marketplace)
    lines = [_line(item, 1, **({"holdId": cart[item]} if item in cart else {})) for item in wanted]
    await story.does("web: order W-1", lambda: _ordered(cast.web, "W-1", "OnlineMixed", lines))
    await story.does("marketplace frees", given_back)
    await story.does("status Ship", lambda: _entered(cast.office, "W-1", "Ship"))
    await story.does("Ship again", lambda: _entered(cast.office, "W-1", "Ship"))
    return story


async def _till(cast: Cast) -> Story:
    """A sale that has taken place already; what others have reserved stays."""
    story = Story("A sale of the till, imported as Completed", cast.office, {"MUG": (8, 4)}, lines=1)
    body = {
        "orderNumber": "4711",
        "marketId": "DE",
        "storeId": CODE,
        "orderForm": {"shipments": [_shipment([_line("MUG", 2)])]},
    }

    async def elsewhere() -> str:
        await cast.web.send(calls.reserve(_asked("cart-MUG", "MUG", 4)))
        return "4 for somebody else"

    async def imported() -> str:
        try:
            order = await cast.pos.send(calls.ask("POST", "/orders/pos", body))
        except CallFailed as failure:
            return f"{failure.status} {failure.code}"
        return f"{order['status']}: {order['id']}"

    await story.does("stock arrives", lambda: story.stocked(10, 6))
    await story.does("web reserves", elsewhere)
    await story.does("pos: sale of two", imported)
    await story.does("pos: sent again", imported)
    return story


async def _backorder(cast: Cast) -> Story:
    """Ordered while there is none; goods reception brings it."""
    story = Story("A backorder that goods reception serves", cast.office, {"CLOCK": (0, 0)}, lines=1)
    bought = {"lineItemId": "PO-1-1", "code": "CLOCK", "quantity": 5, "warehouseCode": CODE}
    purchase = {
        "id": "PO-1",
        "storeId": CODE,
        "supplierId": "CLOCKMAKER",
        "purchaseOrderForm": {"lineItems": [bought | {"discountedPriceExclTax": 400, "currency": "EUR"}]},
    }
    come = [{"lineItemId": "PO-1-1", "deliveredQuantity": 5, "goodsReceptionId": "GR-1"}]

    async def purchased() -> str:
        made = await cast.warehouse.send(calls.ask("POST", "/purchase-orders", purchase))
        return f"PO-1 is {made['status']}"

    async def received() -> str:
        try:
            done = await cast.warehouse.send(calls.ask("POST", "/goods-receptions", come))
        except CallFailed as failure:
            return f"{failure.status} {failure.code}"
        return f"PO-1 is {done['purchaseOrders'][0]['status']}"

    await story.does(
        "web: order of five", lambda: _ordered(cast.web, "W-2", "BackorderAllowed", [_line("CLOCK", 5)])
    )
    await story.does("five are bought", purchased)
    await story.does("goods reception", received)
    await story.does("received again", received)
    await story.does("New again", lambda: _entered(cast.office, "W-2", "New"))
    await story.does("status Ship", lambda: _entered(cast.office, "W-2", "Ship"))
    return story


async def _cancelled(cast: Cast) -> Story:
    """What was reserved is free again."""
    story = Story("A cancellation", cast.office, {"CHAIR": (10, 0)}, lines=0)
    await story.does("stock arrives", lambda: story.stocked(10, 45))
    await story.does(
        "web: order of two", lambda: _ordered(cast.web, "W-3", "Reservation", [_line("CHAIR", 2)])
    )
    canceled = "OrderCanceledByCustomer"
    await story.does("customer cancels", lambda: _entered(cast.office, "W-3", canceled))
    await story.does("once more", lambda: _entered(cast.office, "W-3", canceled))
    return story


async def _returned(cast: Cast) -> Story:
    """One of two pieces comes back."""
    story = Story("A return", cast.office, {"SHIRT": (9, 0)}, lines=1)

    async def comes_back() -> str:
        body = {
            "storeId": CODE,
            "status": "Completed",
            "returns": [{"lineItemId": "SHIRT", "returnQuantity": 1, "returnReason": "too small"}],
        }
        done = await cast.office.send(calls.ask("POST", "/orders/W-4/returns", body))
        return str(done["order"]["status"])

    await story.does("stock arrives", lambda: story.stocked(10, 15))
    lines = [_line("SHIRT", 2)]
    await story.does("web: order of two", lambda: _ordered(cast.web, "W-4", "OnlineWithReturns", lines))
    await story.does("status Ship", lambda: _entered(cast.office, "W-4", "Ship"))
    await story.does("one piece comes back", comes_back)
    return story


# Requests ----------------------------------------------------------------------------------------------------


async def _ordered(
    channel: AsyncClient, order_id: str, order_type: str, lines: Sequence[dict[str, Any]]
) -> str:
    """Create an order; its status, and what it has reserved."""
    body = {
        "id": order_id,
        "orderType": order_type,
        "marketId": "DE",
        "storeId": CODE,
        "billingCurrency": "EUR",
        "orderForm": {"shipments": [_shipment(lines)]},
    }
    order = await channel.send(calls.ask("POST", "/orders", body, key=order_id))
    parts = order["orderForm"]["shipments"][0]["lineItems"]
    reserved = sum(1 for part in parts if part.get("reservedInventoryQuantity"))
    return f"{order['status']}: {reserved} of {len(parts)} reserved"


async def _entered(office: AsyncClient, order_id: str, status: str) -> str:
    """Enter a status; what the step that moves stock says."""
    done = await office.send(calls.ask("POST", f"/orders/{order_id}/status", {"status": status}))
    results = done["orderActionExecutionResults"]
    moving = [one for one in results if "Inventory" in one["actionType"]]
    said = (moving or results)[-1]
    return f"{said['actionStatus']}: {said.get('message', '').partition(';')[0]}"


def _asked(
    id_: str, item: str, pieces: int, *, reference: str | None = None, lives: int | None = None
) -> dict[str, Any]:
    return calls.reservation(
        id=id_,
        organization=ORGANIZATION,
        product=item,
        dimensions=_place(),
        quantity=pieces,
        reference=reference,
        lives_seconds=lives,
    )


def _place() -> dict[str, str]:
    return {"siteId": STORE.site, "locationId": STORE.location}


def _line(item: str, quantity: int, **more: str) -> dict[str, Any]:
    return {"lineItemId": item, "code": item, "quantity": quantity, **more}


def _shipment(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"shipmentId": "S1", "warehouseCode": CODE, "lineItems": list(lines)}


# Books -------------------------------------------------------------------------------------------------------


def books(stories: Sequence[Story]) -> Books:
    """What the stories believe to be reserved at their end."""
    made = Books("orders")
    for item, (_, reserved) in _items(stories):
        made.held[_node(item)] += reserved
    return made


def on_hand(stories: Sequence[Story]) -> Counter[Node]:
    """What the stories believe to be in stock at their end."""
    return Counter({_node(item): inventory for item, (inventory, _) in _items(stories)})


async def reductions(office: AsyncClient) -> list[tuple[str, str]]:
    """(order, line) of everything that left the stock for an order."""
    found = []
    for order_id in ("W-1", "W-2", "W-3", "W-4", f"DE:{CODE}:4711"):
        page = await office.send(calls.fetch("/inventory-transactions", orderId=order_id, take=100))
        found += [
            (order_id, str(one["lineItemId"])) for one in page["result"] if one.get("inventoryChange", 0) < 0
        ]
    return found


def _items(stories: Sequence[Story]) -> list[tuple[str, Level]]:
    return [pair for story in stories for pair in story.wanted.items()]


def _node(item: str) -> Node:
    return (item, STORE.site, STORE.location, "", "", "")
