"""What the simulator has to know of the environment it plays in: which figures move, when a reservation ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.simulator.model import PLACES, STATUSES, Rows
from onhand.client import AsyncClient, calls

LEFT = STATUSES[3:]
"""Statuses in which the goods have left their shelf."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Parameters of the ERP side, as far as the books depend on them."""

    rows: dict[str, Rows]
    """Location -> status -> measure of `fno` -> 1 or -1."""
    measures: frozenset[str]
    """Measures of `fno` that the environment has."""
    reserved: str
    """`source.measure` that is reserved."""
    trigger: int
    """Rank of the first status that offsets."""


async def read_terms(service: AsyncClient) -> Terms:
    """The terms of the environment.

    Raises:
        CommandFailed: it is set up in a way that the simulator does not play.
    """
    parameters = (await service.send(calls.fetch("/erp/parameters")))["parameters"]
    document = (await service.send(calls.fetch("/configuration")))["document"]
    sources = document["inventorySystemConfigurations"]
    _insist(parameters, sources)
    owners = {name.casefold(): owner for name, owner in parameters["warehouseOwners"].items()}
    rows = {}
    for _, location in PLACES:
        owner = owners.get(location, parameters["physicalOwner"])
        table = {status: dict(row) for status, row in parameters["deltas"].items()}
        rows[location] = {
            status: {} if owner == "workflow" and status in LEFT else row for status, row in table.items()
        }
    soft = sources["iv"]["physicalMeasures"]
    default = next((name for name in ("softreserved", "softreservphysical") if name in soft), "softreserved")
    return Terms(
        rows,
        frozenset(sources["fno"]["physicalMeasures"]),
        parameters.get("reservedMeasure") or f"iv.{default}",
        0 if parameters["offsetModifier"] == "onOrder" else 1,
    )


def _insist(parameters: dict[str, Any], sources: dict[str, Any]) -> None:
    wrong = [
        words
        for found, words in (
            ("fno" not in sources, "it has no data source fno"),
            (parameters["figures"] != "derived", "figures is not 'derived'"),
            (parameters["softReservation"], "softReservation is on"),
            (parameters.get("offsetEnabled") is False, "offsetEnabled is off"),
            (not parameters["syncEnabled"], "syncEnabled is off"),
            (parameters["releaseOnCancel"], "releaseOnCancel is on"),
        )
        if found
    ]
    if wrong:
        raise CommandFailed(
            Exit.FAULT, f"The simulator does not play in this environment: {'; '.join(wrong)}."
        )
