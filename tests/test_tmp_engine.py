import json
import pytest
from onhand.core.orders.configuration import *
from onhand.core.orders.model import *
from onhand.core.orders import entities, lines
from onhand.core.orders.events import Actor
from onhand.core.orders.requests import StatusUpdate
from tests.serving import serving
from onhand.service.workflow.desk import open_desk
from onhand.storage.postgres.documents import PostgresDocuments

def step(name, **kw):
    return WorkflowStep(name=name, **kw)

WF = Workflows(
    order_types={"online": OrderType(name="Online", default_order_type=True, order_statuses=(
        OrderStatus(name="New", order=1, workflow_steps=(step("UpdateOrderLineReservedInventory"), step("IncreaseReservedInventory", properties=(Property(key="onlyReservedLines", value="true"),)))),
        OrderStatus(name="Ship", order=2, shipment_status_update="Released", workflow_steps=(step("ReduceInventoryOnlyOnReservedOrderLines"),step("CompleteShipment"))),
        OrderStatus(name="OrderCanceled", order=3, is_canceled_status=True, workflow_steps=(step("ReduceReservedInventory"),step("RecalculateReservedInventory", run_after_order_is_saved=True))),
        OrderStatus(name="Completed", order=9, is_delivered_status=True, workflow_steps=(step("ReduceInventory"),)),
    ))},
    warehouses={"wh1": Warehouse(code="WH1", site_id="1", organization_id="usmf")},
)

class Static:
    async def workflows(self, rules): return WF

async def test_it(database_url):
    async with serving(database_url, configurations=Static()) as running:
        t = await running.environment("shop")
        s = running.services
        desk = s.orders
        for sku, q in (("A", 10), ("B", 1)):
            await t.on_hand(id=f"oh{sku}", organizationId="usmf", productId=sku, dimensions={"siteId":"1","locationId":"WH1"}, quantities={"iv":{"onhand":q}})
        order = lines.read_order({"id":"O1","orderType":"Online","marketId":"NO","storeId":"ST1","billingCurrency":"NOK","orderForm":{"shipments":[{"shipmentId":"S1","warehouseCode":"WH1","lineItems":[{"lineItemId":"L1","code":"A","quantity":2},{"lineItemId":"L2","code":"B","quantity":3}]}]}})
        assert isinstance(order, Order), order
        made = await desk.orders.create("shop", order, Actor(user="t"))
        print(made.order.version_id)
        for status in ("Ship","Ship","Completed"):
            r = await desk.parts.status("shop","O1",StatusUpdate(status=status),Actor(user="t"), None)
            print(status, r.results, r.is_aborted, r.order.line_items_cost, [(l.cost,l.reserved_inventory_quantity) for l in r.order.shipments[0].line_items])
        rows = await t.rows({"organizationId":["usmf"],"productId":["A","B"]})
        print(json.dumps(rows))
        audit = await s.auditor.audit("shop") if hasattr(s.auditor,"audit") else None
        print(audit)
