"""What is asked for: which keys, how often, and the bytes of each request.

Every system under test gets the same requests: the reserve body of the compatible API at one cell of a
place (site, location, colour, size), quantity 1. So three nested levels are checked for each: the cell, its
colour, and the place.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, repeat

import msgspec

ZIPF = 1.001
"""Exponent of the Zipf distribution. Just above 1 because pgbench, one of the rivals, demands that."""
ORGANIZATION = "usmf"
SITE, LOCATION, COLOR, SIZE = "1", "11", "red", "m"
ID_LENGTH = 26
"""Characters of a command id, as long as a ULID; ids ascend in time, as the API guide advises."""
REMEMBERED = 200_000
"""Keys whose bytes are kept."""
_DRAWS = 65_536
"""Keys are drawn in blocks of this many, outside of the measured path as far as possible."""


class Keys(msgspec.Struct, frozen=True):
    """A distribution of keys: `zipf`, `uniform`, `hot` (always the first) or `once` (each in turn) over `skus` keys."""

    distribution: str
    skus: int = 100_000

    def draw(self, seed: int) -> Iterator[int]:
        """Endless key numbers, 0 the most frequent; the same seed draws the same ones."""
        if self.distribution == "hot":
            return repeat(0)
        if self.distribution == "once":
            return iter(range(self.skus))
        source = random.Random(seed)
        if self.distribution == "uniform":
            return self._blocks(lambda: source.choices(range(self.skus), k=_DRAWS))
        if self.distribution != "zipf":
            raise ValueError(f"unknown distribution {self.distribution!r}: use zipf, uniform, hot or once")
        cumulative = list(accumulate(1 / (rank**ZIPF) for rank in range(1, self.skus + 1)))
        top = cumulative[-1]
        return self._blocks(
            lambda: [bisect_left(cumulative, source.random() * top) for _ in range(_DRAWS)],
        )

    @staticmethod
    def _blocks(block) -> Iterator[int]:  # noqa: ANN001 - a local closure
        while True:
            yield from block()


def product(number: int) -> str:
    """Product id of a key number."""
    return f"sku-{number:07d}"


DIMENSIONS = f'{{"SiteId":"{SITE}","LocationId":"{LOCATION}","ColorId":"{COLOR}","SizeId":"{SIZE}"}}'
ASKED = {
    "reserve": '"quantityDataSource":"iv","modifier":"softreserved","quantity":1,"ifCheckAvailForReserv":true}',
    "on-hand": '"quantities":{"iv":{"onhand":100}}}',
}
"""What is asked of a cell, by kind of request."""


def item(number: int, kind: str = "reserve") -> tuple[bytes, bytes]:
    """JSON of one event, cut where the command id goes."""
    body = (
        f'","organizationId":"{ORGANIZATION}","productId":"{product(number)}",'
        f'"dimensions":{DIMENSIONS},{ASKED[kind]}'
    )
    return b'{"id":"', body.encode()


def query(products: range, group_by: list[str]) -> bytes:
    """JSON of an index query of products at the one location."""
    filters = {
        "organizationId": [ORGANIZATION],
        "productId": [product(number) for number in products],
        "siteId": [SITE],
        "locationId": [LOCATION],
    }
    return msgspec.json.encode({"filters": filters, "groupByValues": group_by, "returnNegative": True})


class Requests:
    """Complete HTTP requests for one target; only the command id is filled in while measuring."""

    def __init__(  # noqa: PLR0913 - the parts of a request
        self,
        path: str,
        headers: dict[str, str],
        keys: Keys,
        run: str,
        seed: int,
        bulk: int = 1,
        kind: str = "reserve",
        body: str | None = None,
    ) -> None:
        """`body` is sent as it is, the same each time, instead of events."""
        self._keys = keys.draw(seed)
        self._bulk = bulk
        self._kind = kind
        self._run = run
        self._number = 0
        opening, closing = item(0, kind)
        each = len(opening) + ID_LENGTH + len(closing)
        length = each if bulk == 1 else bulk * (each + 1) + 1
        if body is not None:
            length = len(body.encode())
        names = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "Content-Length": str(length),
        } | headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in names.items())
        self._head = f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode()
        self._start = self._head + opening
        self._whole = None if body is None else self._head + body.encode()
        self._closing: dict[int, bytes] = {}

    def _next_id(self) -> bytes:
        self._number += 1
        return f"{self._run}{self._number:0{ID_LENGTH - len(self._run)}d}".encode()

    def _end(self) -> bytes:
        key = next(self._keys)
        end = self._closing.get(key)
        if end is None:
            end = item(key, self._kind)[1]
            if len(self._closing) < REMEMBERED:
                self._closing[key] = end
        return end

    def next(self) -> bytes:
        """Bytes of the next request."""
        if self._whole is not None:
            return self._whole
        if self._bulk == 1:
            return self._start + self._next_id() + self._end()
        items = b",".join(b'{"id":"' + self._next_id() + self._end() for _ in range(self._bulk))
        return self._head + b"[" + items + b"]"
