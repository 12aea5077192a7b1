"""`onhand orders` against the real service."""

import uuid

import httpx
import msgspec
import pytest

STATUSES = [
    {"name": "New", "order": 1, "workflowSteps": [{"name": "IncreaseReservedInventory"}]},
    {
        "name": "Ship",
        "order": 2,
        "shipmentStatusUpdate": "Released",
        "workflowSteps": [{"name": "ReduceInventoryAndReservedInventory"}],
    },
    {
        "name": "Broken",
        "order": 3,
        "workflowSteps": [{"name": "ChangeStatusIfOutOfStock", "stopOnError": True}],
    },
]


@pytest.fixture(scope="module")
def ordering(shop):
    """The shop with an order type and a warehouse."""
    url = f"{shop.variables['ONHAND_URL']}/v1/environments/shop"
    token = shop.run("token").stdout.strip()
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
        for path, body in (
            ("inventory-settings", {"organizationId": "usmf"}),
            ("warehouses/WH1", {"siteId": "1"}),
            ("order-types/Web", {"name": "Web", "defaultOrderType": True, "orderStatuses": STATUSES}),
        ):
            answer = client.put(f"{url}/{path}", json=body)
            assert answer.is_success, answer.text
    return shop


@pytest.fixture
def order(ordering):
    """An order of two pieces, in a file."""
    order_id = f"web {uuid.uuid4().hex[:8]}/1"
    lines = [{"lineItemId": "L1", "code": "MUG", "quantity": 2}]
    body = {
        "id": order_id,
        "marketId": "NO",
        "storeId": "WEB",
        "customerId": order_id,
        "orderForm": {"shipments": [{"shipmentId": "S1", "warehouseCode": "WH1", "lineItems": lines}]},
    }
    (ordering.directory / "order.json").write_bytes(msgspec.json.encode(body))
    return order_id


def test_an_order_lives(ordering, order):
    made = ordering.json("orders", "create", "order.json")
    assert made["orderForm"]["lineItems"][0]["reservedInventoryQuantity"] == 2
    (listed,) = ordering.json("orders", "list", "--customer", order, "--status", "New", "--open")
    assert listed["id"] == order
    tried = ordering.json("orders", "dry-run", order, "Ship")
    assert [one["actionStatus"] for one in tried["orderActionExecutionResults"]] == ["Success"]
    assert ordering.json("orders", "show", order) == made
    done = ordering.json("orders", "status", order, "ship", "--shipment", "S1", "--user", "anna")
    assert (done["isAborted"], done["order"]["status"]) == (False, "Ship")
    events = ordering.json("orders", "events", order, "--category", "Workflow")
    assert "anna" in {one.get("userId") for one in events if one["operationId"] == 111102}
    assert ordering.json("orders", "show", order, "--version", made["versionId"])["status"] == "New"


def test_tables_fit_80_columns_and_say_what_matters(ordering, order):
    printed = ordering.run("orders", "create", "order.json").stdout
    printed += ordering.run("orders", "list", "--customer", order).stdout
    printed += ordering.run("orders", "status", order, "Ship").stdout
    printed += ordering.run("orders", "events", order, "--limit", "2").stdout
    assert max(map(len, printed.splitlines())) <= 80
    for word in ("MUG", "WH1", "S1", "Ship", "Success", "Workflow"):
        assert word in printed


def test_the_same_id_is_the_same_order(ordering, order):
    first = ordering.json("orders", "create", "order.json", "--id", order)
    assert ordering.json("orders", "create", "order.json", "--id", order) == first
    ended = ordering.run("orders", "create", "order.json", code=3)
    assert "already" in ended.stderr


def test_a_halted_workflow_ends_with_3(ordering, order):
    ordering.run("orders", "create", "order.json")
    ended = ordering.run("orders", "status", order, "Broken", code=3)
    assert "Error" in ended.stdout
    assert "halted" in ended.stderr
    assert "orderStatus" in ordering.run("orders", "show", order).stdout


def test_wrong_requests_end_with_2(ordering, order):
    ordering.run("orders", "create", "missing.json", code=2)
    (ordering.directory / "broken.json").write_text("{")
    assert "not JSON" in ordering.run("orders", "create", "broken.json", code=2).stderr
    (ordering.directory / "empty.json").write_text("{}")
    assert "marketId" in ordering.run("orders", "create", "empty.json", code=2).stderr
    ordering.run("orders", "show", order, code=2)
    ordering.run("orders", "create", "order.json")
    assert "It has" in ordering.run("orders", "status", order, "Nope", code=2).stderr
    ordering.run("orders", "events", "none", code=2)
