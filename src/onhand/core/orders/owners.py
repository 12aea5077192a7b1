"""Who moves the physical quantity of a warehouse: one answer for the order workflow and for the ERP's lines (decisions 20).

The setting is the warehouse's own (`owner`). The ERP's parameters name locations that no configured warehouse speaks for,
as an environment without an order workflow has them, and give the default; both sides go by what `owned` makes of it all.
If they went by different words, a shipment would be taken off twice, or never.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.erp.figures import Owner
from onhand.core.erp.parameters import Parameters
from onhand.core.orders.configuration import ERP, WORKFLOW, Warehouse, Workflows, folded, stock_address


def owned(parameters: Parameters, workflows: Workflows) -> Parameters:
    """The parameters with each warehouse's own word in them; `owner` of these is what counts, on both sides.

    The ERP is the default if either side's default names it. Of warehouses that share a location and disagree, it has the
    location: its word is that somebody else already takes the goods off.
    """
    named: dict[str, Owner] = {
        name.casefold(): owner for name, owner in parameters.warehouse_owners.items()
    } | _said(workflows)
    default: Owner = "erp" if _default(workflows) == "erp" else parameters.physical_owner
    if named == parameters.warehouse_owners and default == parameters.physical_owner:
        return parameters
    return msgspec.structs.replace(parameters, warehouse_owners=named, physical_owner=default)


def contradictions(parameters: Parameters, workflows: Workflows) -> Iterator[Problem]:
    """Words of the ERP's parameters that do not count, and warehouses of one location that disagree."""
    said = _said(workflows)
    for name, owner in parameters.warehouse_owners.items():
        counts = said.get(name.casefold(), owner)
        if counts != owner:
            yield Problem(
                f"warehouseOwners.{name}",
                f"The warehouse at {name!r} says {counts!r} itself, and that counts. Change its 'owner', or leave it out "
                "here.",
                "warning",
            )
    if parameters.physical_owner == "workflow" and _default(workflows) == "erp":
        yield Problem(
            "physicalOwner",
            "The order workflow's defaultPhysicalOwner is 'erp', and that counts.",
            "warning",
        )
    for one in workflows.warehouses.values():
        counts = said.get(_location(one, workflows), "workflow")
        if _word(one) not in (None, counts):
            yield Problem(
                f"warehouseOwners.{_location(one, workflows)}",
                f"Warehouse {one.code!r} says {_word(one)!r}, another one at the same location {counts!r}: {counts!r} counts "
                "for both.",
                "warning",
            )


def _said(workflows: Workflows) -> dict[str, Owner]:
    """Folded location -> what its warehouses say."""
    said: dict[str, Owner] = {}
    for one in workflows.warehouses.values():
        word, location = _word(one), _location(one, workflows)
        if word is not None and said.get(location) != "erp":
            said[location] = word
    return said


def _word(warehouse: Warehouse) -> Owner | None:
    word = folded(warehouse.owner)
    if word == ERP:
        return "erp"
    return "workflow" if word == WORKFLOW else None


def _default(workflows: Workflows) -> Owner:
    return "erp" if folded(workflows.inventory.default_physical_owner) == ERP else "workflow"


def _location(warehouse: Warehouse, workflows: Workflows) -> str:
    return stock_address(warehouse, workflows.inventory).location_id.casefold()
