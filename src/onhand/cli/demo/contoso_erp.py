"""The documented example goes on in the ERP: the web shop's orders are recreated there, and end their reservations.

Option 1 copies the returned reservation id to the order line; option 2 leaves it blank and lets item and dimensions say
which reservation it is. Both are physically reserved; one synchronisation later each reservation has been offset once, and
what is available has not moved, because the hard reservation took the place of the soft one. The same order, recreated by
mistake at warehouse 1, offsets nothing and is on the failed list with both places; the shop cancels it by a negative
quantity.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from onhand.cli.demo.contoso import DIMENSIONS, ORGANIZATION, PRODUCT
from onhand.cli.output import where
from onhand.client import AsyncClient, calls

STOCK = 10
Standing = tuple[int, int, int]
"""Softly reserved, reserved in the ERP, available; at warehouse 11."""


@dataclass(frozen=True, slots=True)
class ErpStep:
    """What happened, and how things stand after it."""

    says: str
    answer: str
    standing: Standing
    right: bool
    """Whether it is what the documentation promises."""


class ContosoErp:
    """The ERP of the example, and the web shop beside it."""

    def __init__(self, service: AsyncClient) -> None:
        self._service = service
        self._available = 0

    async def play(self) -> AsyncIterator[ErpStep]:
        """The steps, one after another."""
        await self._ask("PUT", "/erp/parameters", {"physicalOwner": "erp"}, {"If-Match": "*"})
        await self._stock()
        self._available = (await self._standing())[2]
        yield await self._step("ERP: 10 cabinets in stock", "posted", 0, 0)
        first = await self._reserve("web-1", 2)
        yield await self._step("web order 1 reserves 2", "success", 2, 0)
        yield await self._step("web order 2 reserves 3", await self._again("web-2", 3), 5, 0)
        await self._line("000123-1", 2, {"reservationId": first["reservationId"]})
        yield await self._step("order 1 to the ERP, with id", "on order", 5, 0)
        await self._line("000124-1", 3, {"inventoryServiceAutoOffset": True})
        yield await self._step("order 2 to the ERP, auto", "on order", 5, 0)
        for line in ("000123-1", "000124-1"):
            await self._ask("POST", f"/erp/lines/{line}/moves", {"to": "reservedPhysical"})
        yield await self._step("both physically reserved", "waits for the sync", 5, 0)
        yield await self._step("one sync later", await self._synchronise(2, 0), 0, 5)
        yield await self._step("another sync", await self._synchronise(0, 0), 0, 5)
        third = await self._reserve("web-3", 1)
        yield await self._step("web order 3 reserves 1", "success", 1, 5)
        await self._line("000125-1", 1, {"reservationId": third["reservationId"]}, location="1")
        await self._ask("POST", "/erp/lines/000125-1/moves", {"to": "reservedPhysical"})
        yield await self._step("order 3 to the ERP, at 1/1", await self._synchronise(0, 1), 1, 5)
        yield await self._step("the failed list", await self._failed(), 1, 5)
        yield await self._step("order 3 cancelled: minus 1", await self._again("web-3", -1), 0, 5)

    async def _step(self, says: str, answer: str, soft: int, hard: int) -> ErpStep:
        """The state afterwards; what is reserved, softly or hard, is not available."""
        standing = await self._standing()
        right = standing == (soft, hard, self._available - soft - hard) and not answer.startswith("!")
        return ErpStep(says, answer.removeprefix("!"), standing, right)

    async def _standing(self) -> Standing:
        rows = await self._service.send(
            calls.index_query(
                organization=ORGANIZATION,
                products=[PRODUCT],
                filters={name: [value] for name, value in DIMENSIONS.items()},
                group_by=["ColorId", "SizeId"],
            )
        )
        found = rows[0].quantities if rows else {}
        soft = found.get("iv", {}).get("softreservphysical", 0)
        hard = found.get("fno", {}).get("reservphysical", 0)
        return int(soft), int(hard), int(found.get("iv", {}).get("availabletoreserve", 0))

    async def _stock(self) -> None:
        event = {
            "id": "opening-stock",
            "organizationId": ORGANIZATION,
            "productId": PRODUCT,
            "dimensions": DIMENSIONS,
            "quantities": {"fno": {"physicalinvent": STOCK}},
        }
        await self._service.send(calls.ask("POST", "/erp/sync", [event], repeatable=True))

    async def _reserve(self, id_: str, quantity: int) -> dict[str, str]:
        body = calls.reservation(
            id=id_,
            organization=ORGANIZATION,
            product=PRODUCT,
            dimensions=DIMENSIONS,
            quantity=quantity,
            source="iv",
            modifier="softreservphysical",
            check=quantity > 0,
        )
        answer = await self._service.send(calls.reserve(body))
        return {"reservationId": answer.reservation_id, "status": answer.processing_status}

    async def _again(self, id_: str, quantity: int) -> str:
        return (await self._reserve(id_, quantity))["status"]

    async def _line(
        self, line: str, quantity: int, reservation: dict[str, Any], location: str = DIMENSIONS["locationid"]
    ) -> None:
        body = {
            "orderId": line.partition("-")[0],
            "organizationId": ORGANIZATION,
            "productId": PRODUCT,
            "dimensions": DIMENSIONS | {"locationid": location},
            "quantity": quantity,
            **reservation,
        }
        await self._ask("PUT", f"/erp/lines/{line}", body)

    async def _synchronise(self, posted: int, failed: int) -> str:
        done = await self._service.send(calls.ask("POST", "/erp/sync/run", repeatable=True))
        wrong = "" if (done["posted"], done["failed"]) == (posted, failed) else "!"
        return f"{wrong}{done['posted']} posted, {done['failed']} failed"

    async def _failed(self) -> str:
        """The mistake, with the place of the line and that of the reservation."""
        items = (await self._service.send(calls.fetch("/erp/failed")))["items"]
        if [one["lineId"] for one in items] != ["000125-1"]:
            return f"!{len(items)} entries"
        offset = items[0]["offset"]
        line, reserved = (where(offset[name]).partition(" ")[0] for name in ("lineNode", "reservedNode"))
        return f"at {line}, reserved at {reserved}"

    async def _ask(self, method: str, path: str, body: object, headers: dict[str, str] | None = None) -> None:
        key = f"contoso-{method}-{path}" if method == "POST" or "/lines/" in path else None
        await self._service.send(calls.ask(method, path, body, key=key, headers=headers, repeatable=True))
