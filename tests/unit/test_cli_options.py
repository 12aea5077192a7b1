from decimal import Decimal

import pytest

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import credentials, dimensions_of, seconds_of
from onhand.cli.output import quantity, where
from onhand.cli.stock import quantity_of
from onhand.client import BearerToken, ClientSecret


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        (["siteid=1", "colorid=red"], {"siteid": "1", "colorid": "red"}),
        (["siteid=1,locationid=11"], {"siteid": "1", "locationid": "11"}),
        (["colorid=red, dark,sizeid=S"], {"colorid": "red, dark", "sizeid": "S"}),
        (["colorid=a=b"], {"colorid": "a=b"}),
        (["colorid="], {"colorid": ""}),
    ],
)
def test_dimensions(given, expected):
    assert dimensions_of(given) == expected


@pytest.mark.parametrize("given", ["red", "=red", "siteid=1;", "x,siteid=1"])
def test_a_dimension_without_name_or_value_is_refused(given):
    if given == "siteid=1;":  # a legal value
        assert dimensions_of([given]) == {"siteid": "1;"}
        return
    with pytest.raises(CommandFailed) as caught:
        dimensions_of([given])
    assert caught.value.code is Exit.FAULT


@pytest.mark.parametrize(
    ("given", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2H", 7200), ("1d", 86400)]
)
def test_durations(given, seconds):
    assert seconds_of(given) == seconds


@pytest.mark.parametrize("given", ["", "m", "1w", "-5", "1.5h"])
def test_wrong_durations(given):
    with pytest.raises(CommandFailed):
        seconds_of(given)


@pytest.mark.parametrize("given", ["", "x", "nan", "inf", "0", "1e"])
def test_wrong_quantities(given):
    with pytest.raises(CommandFailed):
        quantity_of(given)


def test_quantities_stay_exact():
    assert quantity_of("0.1") == Decimal("0.1")
    assert [quantity(Decimal(text)) for text in ("1.500", "1000", "-0.25", "0")] == [
        "1.5",
        "1,000",
        "-0.25",
        "0",
    ]


@pytest.mark.parametrize(
    ("dimensions", "shown"),
    [
        ({}, "-"),
        ({"siteid": "1", "locationid": "11", "ColorId": "red", "SizeId": "S"}, "1/11 red S"),
        ({"siteid": "1", "BatchId": "B7"}, "1 batchid=B7"),
        ({"ColorId": ""}, "-"),
    ],
)
def test_where(dimensions, shown):
    assert where(dimensions) == shown


def test_credentials_come_from_the_environment(monkeypatch, tmp_path):
    for name in ("TOKEN", "CLIENT_ID", "CLIENT_SECRET", "CLIENT_SECRET_FILE"):
        monkeypatch.delenv(f"ONHAND_{name}", raising=False)
    assert credentials() is None
    monkeypatch.setenv("ONHAND_CLIENT_ID", "web")
    with pytest.raises(CommandFailed, match="ONHAND_CLIENT_SECRET"):
        credentials()
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    monkeypatch.setenv("ONHAND_CLIENT_SECRET_FILE", str(file))
    assert credentials() == ClientSecret("web", "s3cret")
    monkeypatch.setenv("ONHAND_TOKEN", "t")
    assert credentials() == BearerToken("t")
