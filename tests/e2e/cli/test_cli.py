"""The real commands against the real service."""

import signal
import threading
import uuid
from decimal import Decimal

import httpx
import msgspec
import pytest

PLACE = ("-d", "siteid=1,locationid=11,colorid=red,sizeid=M,styleid=Slim")


@pytest.fixture
def product(shop):
    """A product with ten pieces."""
    name = f"P{uuid.uuid4().hex[:8].upper()}"
    file = shop.directory / f"{name}.csv"
    file.write_text(
        f"product,siteid,locationid,colorid,sizeid,styleid,iv.onhand\n{name},1,11,red,M,Slim,10\n"
    )
    assert shop.json("load", str(file))["accepted"] == 1
    return name


def quantities(shop, product):
    rows = shop.json("query", product, "--by", "ColorId,SizeId,StyleId")
    return {name: Decimal(value) for name, value in rows[0]["quantities"]["iv"].items()}


def test_reserve_query_unreserve(shop, product):
    taken = shop.json("reserve", product, "4", *PLACE)
    assert taken["afrQuantity"] == 6
    assert quantities(shop, product) == {"onhand": 10, "softreserved": 4, "availabletoreserve": 6}
    back = shop.json("unreserve", product, "5", *PLACE, "--reservation", taken["reservationId"])
    assert (back["processingStatus"], back["totalInvalidOffsetQtyByReservId"]) == ("partialSuccess", 1)
    assert quantities(shop, product)["softreserved"] == 0


def test_a_refusal_ends_with_3_and_is_listed(shop, product):
    ended = shop.run("reserve", product, "11", *PLACE, code=3)
    assert "10" in ended.stderr
    refused = [row for row in shop.json("refusals", "--since", "1h") if row["productId"] == product]
    assert [(row["requested"], row["available"], row["reason"]) for row in refused] == [(11, 10, "shortage")]
    assert quantities(shop, product) == {"onhand": 10, "softreserved": 0, "availabletoreserve": 10}


def test_the_same_id_counts_once_and_another_body_is_refused(shop, product):
    first = shop.json("reserve", product, "2", *PLACE, "--id", f"{product}-1")
    assert shop.json("reserve", product, "2", *PLACE, "--id", f"{product}-1") == first
    shop.run("reserve", product, "3", *PLACE, "--id", f"{product}-1", code=3)
    assert quantities(shop, product)["softreserved"] == 2


def test_a_negative_quantity_takes_back_even_with_the_same_id(shop, product):
    shop.run("reserve", product, "2", *PLACE, "--id", product)
    assert "Took back 2" in shop.run("reserve", product, "-2", *PLACE, "--id", product).stdout
    assert quantities(shop, product)["softreserved"] == 0
    shop.run("reserve", product, "--nonsense", *PLACE, code=2)


def test_holds_have_an_owner_and_an_expiry(shop, product):
    shop.run("reserve", product, "3", *PLACE, "--reference", product, "--channel", "web", "--for", "15m")
    (hold,) = shop.json("holds", "list", "--reference", product)
    assert (hold["remaining"], hold["channel"]) == (3, "web")
    later = shop.json("holds", "extend", hold["holdId"], "--for", "1h")
    assert later["expiresAt"] > hold["expiresAt"]
    assert shop.json("holds", "release", hold["holdId"], "--quantity", "1")["released"] == 1
    shop.run("holds", "release", hold["holdId"], "--quantity", "9", code=3)
    assert "Released 2" in shop.run("holds", "release", hold["holdId"]).stdout
    assert shop.json("holds", "list", "--reference", product) == []
    assert len(shop.json("holds", "list", "--reference", product, "--all")) == 1
    assert quantities(shop, product)["softreserved"] == 0


def test_movements_explain_a_quantity(shop, product):
    shop.run("reserve", product, "1", *PLACE)
    rows = shop.json("movements", product, *PLACE)
    assert [(row["kind"], row["measure"], row["delta"], row["level"]) for row in rows] == [
        ("reserve", "iv.softreserved", 1, 1),
        ("change", "iv.onhand", 10, 10),
    ]
    assert len(shop.json("movements", product, "--measure", "iv.onhand")) == 1
    assert product not in shop.run("movements", product).stdout  # the table is of one product


def test_loading_again_changes_nothing_and_a_count_sets(shop, product):
    file = shop.directory / f"{product}.csv"
    assert shop.json("load", str(file))["accepted"] == 1
    assert quantities(shop, product)["onhand"] == 10
    file.write_text(file.read_text().replace(",10", ",7"))
    assert shop.json("load", str(file), "--set", "iv")["accepted"] == 1
    assert quantities(shop, product)["onhand"] == 7


def test_a_file_with_a_wrong_line_sends_nothing(shop, product):
    file = shop.directory / f"{product}-2.csv"
    file.write_text(f"product,siteid,locationid,iv.onhand\n{product},1,11,5\n{product},1,11,five\n")
    ended = shop.run("load", str(file), code=2)
    assert "line 3: iv.onhand: 'five' is no quantity" in ended.stderr
    assert quantities(shop, product)["onhand"] == 10


def test_what_the_rules_refuse_in_a_file_can_be_corrected_in_place(shop, product):
    file = shop.directory / f"{product}.ndjson"
    good = f'{{"productId":"{product}","quantities":{{"iv":{{"onhand":1}}}},"dimensions":{{"siteid":"1","locationid":"11"}}}}'
    file.write_text(f"{good}\n{good.replace('onhand', 'onhnd')}\n")
    ended = shop.run("load", str(file), code=3)
    assert "line 2: " in ended.stderr
    run = ended.stderr.split("--run ")[1].split(":")[0]
    file.write_text(f"{good}\n{good}\n")
    assert shop.json("load", str(file), "--run", run)["accepted"] == 2
    rows = shop.json("query", product)
    assert rows[0]["quantities"]["iv"]["onhand"] == 12


def test_a_large_file_goes_in_many_bulks(shop):
    name = f"L{uuid.uuid4().hex[:8].upper()}"
    file = shop.directory / f"{name}.csv"
    lines = [f"{name}{number % 50},1,11,{number},1" for number in range(1_500)]
    file.write_text("\n".join(["product,siteid,locationid,batchid,iv.onhand", *lines, ""]))
    assert shop.json("load", str(file)) == {
        "records": 1_500,
        "accepted": 1_500,
        "refused": [],
        "busy": 0,
        "run": shop.json("load", str(file))["run"],
    }
    rows = shop.json("query", f"{name}0", f"{name}49")
    assert [row["quantities"]["iv"]["onhand"] for row in rows] == [30, 30]


def test_configuration_is_shown_checked_compared_and_applied(shop):
    file = shop.directory / "configuration.json"
    file.write_text(shop.run("config", "show").stdout)
    assert "can be applied" in shop.run("config", "validate", str(file)).stdout
    assert shop.json("config", "diff", str(file)) == []
    text = file.read_text()
    file.write_text(text.replace('"@allocated"', '"@allocated", "@extra"', 1))
    (change,) = shop.json("config", "diff", str(file))
    assert "@extra" in str(change)
    before = shop.json("config", "history")[0]["version"]
    shop.run("config", "apply", str(file), "--reason", "one more measure", "--yes")
    newest = shop.json("config", "history")[0]
    assert (newest["version"], newest["reason"]) == (before + 1, "one more measure")
    file.write_text(text.replace('"reservConfiguration"', '"reservConfigurasion"'))
    shop.run("config", "validate", str(file), code=2)


def test_the_token_opens_the_api(shop):
    token = shop.run("token").stdout.strip()
    url = f"{shop.variables['ONHAND_URL']}/v1/environments/shop"
    assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert httpx.get(url).status_code == 401


def test_wrong_credentials_and_scopes_end_with_2(shop):
    mistaken = {"ONHAND_CLIENT_SECRET": "no"}
    assert "wrong" in shop.run("token", code=2, **mistaken).stderr
    reader = shop.json("clients", "create", "reader", "-e", "shop", "--scope", "onhand:read")
    keys = {"ONHAND_CLIENT_ID": "reader", "ONHAND_CLIENT_SECRET": reader["clientSecret"]}
    shop.run("query", "A", **keys)
    shop.run("reserve", "A", "1", *PLACE, code=2, **keys)
    shop.run("query", "A", "-e", "elsewhere", code=2, **keys)


def test_clients_are_rotated_and_disabled_beside_the_service(shop):
    name = f"c{uuid.uuid4().hex[:6]}"
    first = shop.json("clients", "create", name, "-e", "shop")
    shop.run("clients", "create", name, "-e", "shop", code=2)
    shop.run("clients", "create", f"{name}x", "-e", "nowhere", code=2)
    second = shop.json("clients", "rotate", name)
    keys = {"ONHAND_CLIENT_ID": name}
    shop.run("token", code=2, ONHAND_CLIENT_SECRET=first["clientSecret"], **keys)
    shop.run("token", ONHAND_CLIENT_SECRET=second["clientSecret"], **keys)
    shop.run("clients", "disable", name)
    shop.run("token", code=2, ONHAND_CLIENT_SECRET=second["clientSecret"], **keys)
    assert {row["clientId"]: row["disabled"] for row in shop.json("clients", "list")}[name]


def test_environments_come_and_go_beside_the_service(shop):
    shop.run("environments", "create", "shop", code=2)
    shop.run("environments", "create", "other", "--profile", "nonsense", code=2)
    shop.run("environments", "create", "other", "--profile", "default-2024")
    shop.run("environments", "rename", "other", "renamed")
    assert {row["environment"] for row in shop.json("environments", "list")} == {"shop", "renamed"}
    shop.run("environments", "delete", "renamed", "--yes")
    shop.run("environments", "delete", "renamed", "--yes", code=2)


def test_verify_finds_nothing_and_doctor_is_content(shop, product):
    (report,) = shop.json("verify")
    assert report["clean"]
    assert report["products"] > 0
    shop.run("verify", "nowhere", code=2)
    findings = {row["what"]: row["state"] for row in shop.json("doctor")["findings"]}
    assert findings["database"] == findings["durability"] == findings["environments"] == "ok"


def test_verify_ends_with_70_when_a_quantity_was_changed_behind_the_ledger(town):
    import psycopg

    from onhand.storage.postgres.embedded import EmbeddedServer, reachable_data_directory

    town.run("environments", "create", "shop")
    town.serve("--auth", "none")
    town.variables |= {"ONHAND_ENVIRONMENT": "shop", "ONHAND_ORGANIZATION": "usmf"}
    file = town.directory / "a.csv"
    file.write_text("product,siteid,locationid,iv.onhand\nA,1,11,5\n")
    town.run("load", str(file))
    with (
        EmbeddedServer(reachable_data_directory(town.directory / ".onhand"), visitor=True) as url,
        psycopg.connect(url) as connection,
    ):
        connection.execute("UPDATE stock SET own = own + 1000000")
    ended = town.run("verify", code=70)
    assert "I3" in ended.stdout
    (report,) = town.json("verify", code=70)
    (drift,) = [drift for drift in report["drifts"] if drift["invariant"] == "I3"]
    assert (drift["measure"], drift["expected"], drift["found"]) == ("iv.onhand", 5, 6)


def test_one_service_per_data_directory(shop):
    ended = shop.run("serve", "--port", "0", code=4)
    assert "Another onhand service" in ended.stderr


def test_a_taken_port_is_said_so(shop, town):
    port = shop.variables["ONHAND_URL"].rpartition(":")[2]
    ended = town.run("serve", "--port", port, code=4)
    assert "--port" in ended.stderr
    assert not (town.directory / ".onhand").exists()


def test_an_own_database_is_migrated_only_when_asked(town, empty_database_url):
    town.variables["ONHAND_DATABASE_URL"] = empty_database_url
    assert "onhand migrate" in town.run("serve", "--port", "0", code=4).stderr
    town.run("migrate")
    town.run("migrate")
    process = town.serve("--auth", "none")
    assert town.stop(process, signal.SIGINT) == 0


def test_a_stop_finishes_what_was_asked(town):
    """Requests in flight at SIGTERM are answered; what was answered is there after the next start."""
    town.run("environments", "create", "shop")
    process = town.serve("--auth", "none")
    url = f"{town.variables['ONHAND_URL']}/api/environment/shop/onhand"
    counts = {"answered": 0}

    def post(worker):
        with httpx.Client() as client:
            for number in range(1_000):
                body = {
                    "id": f"{worker}-{number}",
                    "organizationId": "usmf",
                    "productId": "A",
                    "dimensions": {"siteid": "1", "locationid": "11"},
                    "quantities": {"iv": {"onhand": 1}},
                }
                try:
                    if client.post(url, json=body).status_code != 200:
                        return
                except httpx.TransportError:
                    return
                counts["answered"] += 1
                if number == 20:
                    warm.release()

    warm = threading.Semaphore(0)
    workers = [threading.Thread(target=post, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for _ in workers:
        warm.acquire()
    assert town.stop(process, signal.SIGTERM) == 0
    for worker in workers:
        worker.join()
    town.serve("--auth", "none")
    town.variables |= {"ONHAND_ENVIRONMENT": "shop", "ONHAND_ORGANIZATION": "usmf"}
    stored = town.json("query", "A")[0]["quantities"]["iv"]["onhand"]
    assert counts["answered"] >= 84
    assert stored == counts["answered"]


def test_a_ready_made_workflow_is_listed_shown_and_installed(shop):
    keys = [row["key"] for row in shop.json("workflows", "list")]
    assert "backorder" in keys
    assert "click-and-collect" in shop.run("workflows", "list").stdout
    shown = msgspec.json.decode(shop.run("workflows", "show", "backorder").stdout)
    assert shown["orderType"]["name"] == "BackorderAllowed"
    told = shop.run("workflows", "install", "backorder", "--name", "Later").stdout
    assert "Order type Later has version 1." in told
    assert "Task try-reserve-order-lines runs at */5 * * * *." in told
    assert "exists" not in shop.run("workflows", "install", "backorder", "--name", "later", code=3).stdout
    assert shop.json("workflows", "install", "backorder", "--name", "later", "--replace")["versionId"] == "2"
    assert "return workflow" in shop.run("workflows", "install", "return").stdout
    assert "stays as it is" in shop.run("workflows", "install", "return", "--name", "Other").stdout
    assert "Known: online-standard" in shop.run("workflows", "show", "nothing", code=2).stderr
