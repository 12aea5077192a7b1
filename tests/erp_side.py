"""The ERP side over HTTP, for tests: lines, moves, synchronisation, what is available."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from onhand.core import presets
from tests.serving import Running, Tenant

RED = {"siteId": "1", "locationId": "11", "colorId": "red", "sizeId": "small"}


@dataclass
class Erp:
    """An ERP beside a web shop, both on one product of one environment."""

    tenant: Tenant
    soft: str = "iv.softreservphysical"
    organization: str = "usmf"
    product: str = "D0002"
    numbers: Any = field(default_factory=lambda: count(1))

    async def parameters(self, **parameters: Any) -> dict[str, Any]:
        answer = await self.tenant.native("PUT", "erp/parameters", parameters, If_Match="*")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def stock(self, units: int, **dimensions: str) -> None:
        await self.tenant.erp(
            {
                "id": f"stock-{next(self.numbers)}",
                "organizationId": self.organization,
                "productId": self.product,
                "dimensions": {**RED, **dimensions},
                "quantities": {"fno": {"physicalinvent": units}},
            }
        )

    async def reserve(self, units: int, *, check: bool = True, **more: Any) -> dict[str, Any]:
        """The web shop reserves; answers the envelope of the compatible surface."""
        source, _, measure = self.soft.partition(".")
        body = {
            "id": f"web-{next(self.numbers)}",
            "organizationId": self.organization,
            "productId": self.product,
            "dimensions": RED,
            "quantityDataSource": source,
            "modifier": measure,
            "quantity": units,
            "ifCheckAvailForReserv": check,
            **more,
        }
        answer: dict[str, Any] = await self.tenant.post("onhand/reserve", body)
        return answer

    async def put(self, line: str, units: float, **more: Any) -> httpx.Response:
        body = {
            "organizationId": self.organization,
            "productId": self.product,
            "dimensions": RED,
            "quantity": units,
            **more,
        }
        return await self.tenant.native("PUT", f"erp/lines/{line}", body)

    async def line(self, line: str, units: float, **more: Any) -> dict[str, Any]:
        answer = await self.put(line, units, **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def moved(self, line: str, to: str, units: float | None = None, **more: Any) -> httpx.Response:
        body = {"to": to, **({} if units is None else {"quantity": units}), **more}
        return await self.tenant.native("POST", f"erp/lines/{line}/moves", body)

    async def move(self, line: str, to: str, units: float | None = None, **more: Any) -> dict[str, Any]:
        answer = await self.moved(line, to, units, **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def read(self, line: str) -> dict[str, Any]:
        answer = await self.tenant.native("GET", f"erp/lines/{line}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def sync(self) -> dict[str, Any]:
        """The synchronisation, on demand."""
        answer = await self.tenant.native("POST", "erp/sync/run")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def failed(self) -> list[dict[str, Any]]:
        answer = await self.tenant.native("GET", "erp/failed")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def standing(self) -> dict[str, Any]:
        """fno.physicalinvent, fno.reservphysical, what is soft-reserved, and what is available, over the product."""
        rows = await self.tenant.rows({"organizationId": [self.organization], "productId": [self.product]})
        quantities = rows[0]["quantities"] if rows else {}
        source, _, measure = self.soft.partition(".")
        return {
            "physical": quantities.get("fno", {}).get("physicalinvent", 0),
            "hard": quantities.get("fno", {}).get("reservphysical", 0),
            "soft": quantities.get(source, {}).get(measure, 0),
            "available": quantities.get("iv", {}).get("availabletoreserve", 0),
        }


async def contoso(running: Running, profile: str = "default-2023", **parameters: Any) -> Erp:
    """An environment whose ERP owns the physical quantity of its warehouses."""
    made = await running.environment("contoso", presets.document(profile, "contoso"))
    soft = "iv.softreservphysical" if profile == "default-2023" else "iv.softreserved"
    erp = Erp(made, soft)
    await erp.parameters(**{"physicalOwner": "erp", **parameters})
    return erp
