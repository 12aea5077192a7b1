"""`onhand erp` against a running service."""

import json

import httpx
import pytest


@pytest.fixture
def erp(run_root, town):
    """An environment of the profile default-2024 and a client that may write for the ERP."""
    town.run("environments", "create", "plant", "--profile", "default-2024")
    made = town.json(
        "clients", "create", "d365", "-e", "plant", "--scope", "onhand:read", "--scope", "erp:write"
    )
    town.serve()
    town.variables |= {
        "ONHAND_ENVIRONMENT": "plant",
        "ONHAND_ORGANIZATION": "usmf",
        "ONHAND_CLIENT_ID": made["clientId"],
        "ONHAND_CLIENT_SECRET": made["clientSecret"],
    }
    return town


def physical(town):
    rows = town.json("query", "A", "B", "--by", "ColorId")
    return {
        (row["productId"], row["dimensions"]["ColorId"]): row["quantities"]["fno"]["physicalinvent"]
        for row in rows
        if row["quantities"].get("fno", {}).get("physicalinvent")
    }


def test_a_resync_is_shown_applied_once_and_repeated_without_effect(erp):
    file = erp.directory / "figures.csv"
    head = "product,siteid,locationid,colorid,fno.physicalinvent\n"
    file.write_text(head + "A,1,11,red,10\nA,1,11,blue,5\nB,1,11,red,7\n")
    shown = erp.run("erp", "resync", str(file), "--preview")
    assert "3 figures of 2 products change" in shown.stdout
    assert physical(erp) == {}
    assert erp.json("erp", "resync", str(file), "--yes") == {
        "products": 2, "changes": 3, "lines": 0, "applied": True,
    }  # fmt: skip
    assert physical(erp) == {("A", "red"): 10, ("A", "blue"): 5, ("B", "red"): 7}
    file.write_text(head + "A,1,11,red,8\n")
    again = erp.run("erp", "resync", str(file), "--yes", "--source", "d365", "--up-to", "12")
    assert "3 figures of 2 products change; 1 products are not in the file" in again.stdout
    assert physical(erp) == {("A", "red"): 8}
    assert erp.json("erp", "resync", str(file), "--yes")["changes"] == 0


def test_what_a_resync_cannot_read_changes_nothing(erp):
    file = erp.directory / "figures.csv"
    file.write_text("product,siteid,locationid,fno.physicalinvent\nA,1,11,ten\n")
    assert "line 2" in erp.run("erp", "resync", str(file), "--yes", code=2).stderr
    file.write_text("product,siteid,locationid,fno.odd\nA,1,11,1\n")
    assert "odd" in erp.run("erp", "resync", str(file), "--yes", code=3).stderr
    assert "--up-to" in erp.run("erp", "resync", str(file), "--source", "d365", code=2).stderr


def test_the_lists_are_empty_and_say_so(erp):
    assert "Nothing failed" in erp.run("erp", "failed").stdout
    assert "no such line" in erp.run("erp", "lines", "--state", "failed").stdout
    assert erp.json("erp", "sync") == {"posted": 0, "failed": 0, "waiting": 0}
    assert json.loads(erp.run("erp", "lines", "--json").stdout) == []


def test_sources_say_what_they_refused_and_how_much_of_it_is_forgotten(erp):
    assert "No source" in erp.run("erp", "sources").stdout
    messages = [{"sequence": n, "lineId": f"L{n}", "move": {"to": "picked"}} for n in range(1, 104)]
    told = httpx.post(
        f"{erp.variables['ONHAND_URL']}/v1/environments/plant/erp/messages",
        json={"source": "d365", "messages": messages},
        headers={"Authorization": f"Bearer {erp.run('token').stdout.strip()}"},
    )
    assert told.status_code == 200, told.text
    (source,) = erp.json("erp", "sources")
    assert (source["next"], len(source["refused"]), source["refusedForgotten"]) == (104, 100, 3)
    shown = " ".join(erp.run("erp", "sources", COLUMNS="200").stdout.split())
    assert "d365 104 103 3 103 (L103): There is no line 'L103'" in shown
