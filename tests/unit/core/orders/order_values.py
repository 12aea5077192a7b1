"""Orders, ledger rows and records for tests, with as little as they need."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from onhand.core.orders.lines import read_order
from onhand.core.orders.model import Order
from onhand.core.orders.record import LedgerRow, OrderRecord, Reduction
from onhand.core.orders.refusals import Refused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(line_id: str = "L1", quantity: Any = 2, code: str = "A", **more: Any) -> dict[str, Any]:
    return {"lineItemId": line_id, "code": code, "quantity": quantity, **more}


def shipment(shipment_id: str, *lines: dict[str, Any], warehouse: str = "WH1", **more: Any) -> dict[str, Any]:
    return {"shipmentId": shipment_id, "warehouseCode": warehouse, "lineItems": list(lines), **more}


def order(*shipments: dict[str, Any], loose: list[dict[str, Any]] | None = None, **more: Any) -> Order:
    found = read_order(
        {
            "id": "O1",
            "orderType": "Online",
            "status": "New",
            "marketId": "NO",
            "storeId": "ST1",
            "orderForm": {"shipments": list(shipments), "lineItems": loose or []},
            **more,
        }
    )
    assert not isinstance(found, Refused), found
    return found


def row(
    shipment_id: str = "S1",
    line_id: str = "L1",
    reserved: Any = 2,
    *,
    sku: str = "A",
    warehouse: str = "WH1",
    reduced: bool = False,
    **more: Any,
) -> LedgerRow:
    reduction = Reduction(transaction_id="t", quantity=Decimal(reserved), at=NOW) if reduced else None
    return LedgerRow(
        shipment_id=shipment_id,
        line_item_id=line_id,
        sku=sku,
        warehouse=warehouse,
        reserved=Decimal(reserved),
        hold_id=more.pop("hold_id", "aaaaaaaaaaaaaaaa-1-1"),
        reduction=reduction,
        **more,
    )


def record(of: Order | None, *rows: LedgerRow, **more: Any) -> OrderRecord:
    return OrderRecord(order=of, rows=rows, **more)
