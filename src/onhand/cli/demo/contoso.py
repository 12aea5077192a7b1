"""The example of the original's documentation, word for word: one cabinet, reserved and cancelled.

Product D0002 (cabinet), organization usmf, site 1, warehouse 11, color red, size small; one piece with
quantityDataSource `iv` and modifier `softreservphysical`; cancelled by posting the negative quantity with the same
information, even the same id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from onhand.client import AsyncClient, Envelope, calls

PRODUCT, ORGANIZATION = "D0002", "usmf"
DIMENSIONS = {"siteid": "1", "locationid": "11", "colorid": "red", "sizeid": "small"}


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer, in few words."""

    request: str
    says: str
    answer: str
    right: bool
    """Whether the answer is the one that the documentation promises."""


async def play(service: AsyncClient) -> AsyncIterator[Step]:
    """The steps, one after another."""
    yield await _event(
        service,
        "onhand",
        "pos.posinbound +1",
        calls.change_on_hand(
            calls.change(
                id="receipt-1",
                organization=ORGANIZATION,
                product=PRODUCT,
                dimensions=DIMENSIONS,
                quantities={"pos": {"posinbound": 1}},
            )
        ),
    )
    yield await _reserve(service, "order-1", 1, "one for the web shop")
    yield await _query(service, "1", "0")
    yield await _reserve(service, "order-2", 1, "one for the call centre", accepted=False)
    yield await _reserve(service, "order-1", 1, "web shop again, same id")
    yield await _reserve(service, "order-1", -1, "web shop, minus one")
    yield await _query(service, "0", "1")


async def _reserve(
    service: AsyncClient, id_: str, quantity: int, says: str, *, accepted: bool = True
) -> Step:
    body = calls.reservation(
        id=id_,
        organization=ORGANIZATION,
        product=PRODUCT,
        dimensions=DIMENSIONS,
        quantity=quantity,
        source="iv",
        modifier="softreservphysical",
        check=quantity > 0,
    )
    return await _event(service, "onhand/reserve", says, calls.reserve(body), accepted=accepted)


async def _event(
    service: AsyncClient, path: str, says: str, call: calls.Call[Envelope], *, accepted: bool = True
) -> Step:
    answer = await service.send(call)
    words: str = answer.processing_status
    if not answer.accepted:
        words += f", {answer.afr_quantity} available"
    return Step(f"POST {path}", says, words, answer.accepted == accepted)


async def _query(service: AsyncClient, reserved: str, available: str) -> Step:
    call = calls.index_query(
        organization=ORGANIZATION,
        products=[PRODUCT],
        filters={name: [value] for name, value in DIMENSIONS.items()},
        group_by=["ColorId", "SizeId"],
    )
    rows = await service.send(call)
    found = rows[0].quantities["iv"] if rows else {}
    shown = {name: str(found.get(name, "-")) for name in ("softreservphysical", "availabletoreserve")}
    return Step(
        "POST onhand/indexquery",
        "",
        f"{shown['softreservphysical']} reserved, {shown['availabletoreserve']} left",
        shown == {"softreservphysical": reserved, "availabletoreserve": available},
    )
