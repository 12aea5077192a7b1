import re

import pytest


@pytest.mark.slow
def test_the_demo_passes_its_own_audit_and_fits_the_screen(town):
    ended = town.run("demo", "--fast")
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert "NO" not in ended.stdout.split("The audit")[1]
    assert len(re.findall(r"^yes ", ended.stdout, re.MULTILINE)) == 8
    assert "kill -9" in ended.stdout
    assert list(town.directory.iterdir()) == []


@pytest.mark.slow
def test_the_demo_as_json(town):
    played = town.json("demo", "--fast", "--seed", "2")
    assert all(check["passed"] for check in played["audit"])
    assert [len(story["rows"]) for story in played["orders"]] == [7, 4, 6, 4, 4]
    assert all(check["passed"] for check in played["erp"]["checks"])
    assert {row["channel"] for row in played["channels"]} == {"web", "pos", "marketplace"}
    assert all(row["accepted"] and row["refused"] and row["returned"] for row in played["channels"])
