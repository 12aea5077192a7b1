"""Moves that set an item anew: out of stock, and what is reserved (order specification 4.6, 4.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from onhand.core.commands import SetOnHand, SettleReserved
from onhand.core.orders.addresses import Address, position_of
from onhand.core.orders.identity import Identity
from onhand.core.orders.moves import Applied, ItemRef, LineRef, Recalculate, SetOutOfStock, TransactionType
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.part import Part
from onhand.core.orders.stocked import Stocked
from onhand.core.orders.working import Surroundings, Working, facts_of
from onhand.core.outcomes import Outcome, Rejected

ZERO = Decimal(0)


class Emptying(Part):
    """Set the inventory of an item to zero in every record that has one."""

    def __init__(  # noqa: PLR0913 - what, where, when
        self,
        around: Surroundings,
        identity: Identity,
        move: SetOutOfStock,
        address: Address,
        stock: Mapping[ItemRef, Stocked],
        attempt: str,
    ) -> None:
        self.move = move
        self.address = address
        self.places = ((address.product, address.place),)
        stocked = stock.get(move.item)
        records = stocked.records if stocked is not None and around.owns_physical(address) else ()
        self.commands = tuple(
            SetOnHand(
                **identity.of(address, LineRef(attempt, record), "OUT-OF-STOCK", None, around.caller),
                position=position_of(around.rules, record),
                values=((around.inventory_measure, 0),),
                reason=around.step,
            )
            for record in records
        )

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:  # noqa: ARG002 - never clamped
        """The transaction says by how much; none when nothing changed."""
        measure = work.around.inventory_measure
        before = work.level(self.address, measure)
        after = unscaled(work.concluded.total(self.address.product, self.address.place, measure))
        if after == before:
            return Applied(move=self.move, new_inventory=after, already=True)
        work.move(self.address, measure, after - before)
        facts = msgspec.structs.replace(facts_of(), inventory_change=after - before)
        work.transact(None, self.address, TransactionType.OUT_OF_STOCK, facts)
        return Applied(move=self.move, inventory_change=after - before, new_inventory=after)


class Recalculating(Part):
    """Make what is reserved of a product equal to its open holds, at all warehouses of an organization."""

    def __init__(
        self,
        around: Surroundings,
        identity: Identity,
        move: Recalculate,
        addresses: Sequence[Address],
        attempt: str,
    ) -> None:
        self.move = move
        self.addresses = addresses
        self.places = tuple((one.product, one.place) for one in addresses)
        products = {one.product: one for one in addresses}
        self.commands = tuple(
            SettleReserved(
                **identity.of(one, LineRef(attempt, str(number)), "RECALCULATE", None, around.caller),
                measures=frozenset((around.reserved_measure,)),
                reason=around.step,
            )
            for number, one in enumerate(products.values())
        )

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:  # noqa: ARG002 - totals say it
        """One transaction for each warehouse where it changed."""
        changed = ZERO
        measure = work.around.reserved_measure
        for address in self.addresses:
            before = work.level(address, measure)
            after = unscaled(work.concluded.total(address.product, address.place, measure))
            if after != before:
                work.move(address, measure, after - before)
                facts = msgspec.structs.replace(facts_of(), reserved_inventory_change=after - before)
                work.transact(None, address, TransactionType.RECALCULATE, facts)
                changed += after - before
        return Applied(move=self.move, reserved_change=changed, already=not changed)
