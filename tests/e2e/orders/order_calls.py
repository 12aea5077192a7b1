"""Bodies of orders, and a caller of the order endpoints, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from tests.serving import Tenant


def line(line_id: str = "L1", quantity: Any = 2, code: str = "A", **more: Any) -> dict[str, Any]:
    return {"lineItemId": line_id, "code": code, "quantity": quantity, **more}


def shipment(shipment_id: str, *lines: dict[str, Any], warehouse: str = "WH1", **more: Any) -> dict[str, Any]:
    return {"shipmentId": shipment_id, "warehouseCode": warehouse, "lineItems": list(lines), **more}


def order(order_id: str | None, *shipments: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {
        "orderType": "Online",
        "marketId": "NO",
        "storeId": "ST1",
        "orderForm": {"shipments": list(shipments)},
        **more,
    }
    return body if order_id is None else {"id": order_id, **body}


@dataclass
class Desk:
    """A caller of the order endpoints of one environment."""

    tenant: Tenant

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.tenant.native(method, path, body, **headers)

    async def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of an answer that must be good."""
        answer = await self.send(method, path, body, **headers)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def refused(
        self, status: int, code: str, method: str, path: str, body: Any = None, **headers: str
    ) -> str:
        """The detail of an answer that must refuse."""
        answer = await self.send(method, path, body, **headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["code"], problem["status"]) == (code, status), problem
        detail: str = problem["detail"]
        return detail

    async def create(self, order_id: str | None, *shipments: dict[str, Any], **more: Any) -> Any:
        return await self.ok("POST", "orders", order(order_id, *shipments, **more))

    async def levels(self, product: str = "A", location: str = "WH1") -> tuple[Decimal, Decimal]:
        """(inventory, reserved) of an item."""
        answer = await self.tenant.native(
            "GET", f"availability?organizationId=org&productId={product}&siteId=1&locationId={location}"
        )
        assert answer.status_code == 200, answer.text
        measures = answer.json()["quantities"].get("iv", {})
        return Decimal(str(measures.get("onhand", 0))), Decimal(str(measures.get("softreserved", 0)))

    async def stock(self, quantity: Any, product: str = "A", location: str = "WH1") -> None:
        await self.tenant.on_hand(
            organizationId="org",
            productId=product,
            dimensions={"siteId": "1", "locationId": location},
            quantities={"iv": {"onhand": quantity}},
        )

    async def audit(self) -> None:
        """Ledger, holds and stock agree."""
        report = await self.ok("POST", "verify")
        assert report["clean"], report
