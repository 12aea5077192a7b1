"""Reading a file of exchange rates."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from onhand.cli.exits import CommandFailed
from onhand.cli.rates import _read


def rates(tmp_path: Path, text: str) -> list[dict[str, object]]:
    file = tmp_path / "rates.csv"
    file.write_text(text, encoding="utf-8")
    return _read(file)


def test_days_and_times(tmp_path: Path) -> None:
    found = rates(
        tmp_path,
        "\ufefffrom,to,rate,date,note\r\nEUR,NOK,11.5,2026-03-01,x\r\n\r\nUSD,NOK,10,2026-03-01T12:00:00Z\r\n",
    )
    assert found == [
        {
            "fromCurrency": "EUR",
            "toCurrency": "NOK",
            "rate": Decimal("11.5"),
            "validFrom": "2026-03-01T00:00:00Z",
        },
        {
            "fromCurrency": "USD",
            "toCurrency": "NOK",
            "rate": Decimal(10),
            "validFrom": "2026-03-01T12:00:00Z",
        },
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from,to,rate\nEUR,NOK,1", "validFrom missing"),
        ("from,to,rate,date\nEUR,NOK,x,2026-03-01", "line 2: rate: 'x' is no number"),
        ("from,to,rate,date\nEUR,,1,2026-03-01", "line 2: no toCurrency"),
        ('from,to,rate,date\n"EUR', "not CSV"),
    ],
)
def test_a_wrong_file_sends_nothing(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CommandFailed, match=message):
        rates(tmp_path, text)
