"""What a workflow step may do to stock, in the words of the order: no measures, no positions, no holds.

A step plans moves; `applying` turns them into commands of the engine and, inside the same transaction, into ledger rows,
inventory transactions, costs and what the lines show. A move says what is wanted; clamps (never more than is reserved,
never below zero) are applied under the locks, and `Applied` says what really happened.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

ZERO = Decimal(0)


class TransactionType(enum.StrEnum):
    """Type of an inventory transaction (specification 6.6)."""

    RESERVE = "Reserve"
    UNRESERVE = "Unreserve"
    REDUCE = "ReduceInventory"
    REDUCE_BOTH = "ReduceInventoryAndReserved"
    RECALCULATE = "RecalculateReserved"
    OUT_OF_STOCK = "SetOutOfStock"
    RETURN = "ReturnIncrease"
    RECEPTION = "GoodsReception"
    ADJUSTMENT = "Adjustment"
    ABSOLUTE = "AbsoluteUpdate"
    LOCATION = "LocationTransfer"
    TRANSFER = "Transfer"


class LineRef(msgspec.Struct, frozen=True, order=True):
    """A line as it stands in a shipment; the reference that a reduction happens once for (A25)."""

    shipment_id: str
    line_item_id: str


class ItemRef(msgspec.Struct, frozen=True, order=True):
    """An inventory item: a product at a warehouse."""

    sku: str
    warehouse: str
    virtual: str = ""
    """Code of the virtual stock location inside the warehouse; empty without one."""
    dimensions: tuple[tuple[str, str], ...] = ()
    """Further dimensions that the line names (colour, size …), base names in lower case."""


class Reserve(msgspec.Struct, frozen=True, kw_only=True):
    """Raise what the line has reserved by `quantity`: its hold is topped up, or made."""

    line: LineRef
    item: ItemRef
    quantity: Decimal
    check: bool = False
    """True: only if it is available; otherwise the unit is refused as a whole."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Give back up to `quantity` of what the line has reserved.

    A line without a ledger row gives back from the unattributed balance, never from a hold of somebody else; it
    gets a row, which is how a second run knows that it was done.
    """

    line: LineRef
    item: ItemRef
    quantity: Decimal
    canceled: bool = False
    """Whether it gives back cancelled units of a line that lives on; the row counts them."""


class Reduce(msgspec.Struct, frozen=True, kw_only=True):
    """Lower the inventory by `quantity` and the reservation by `reserved` at most; once for ever for the line (REDUCE)."""

    line: LineRef
    item: ItemRef
    quantity: Decimal
    reserved: Decimal = ZERO


class RepairCost(msgspec.Struct, frozen=True, kw_only=True):
    """Set the cost of a line that was reduced before, from its stored transaction. Moves nothing."""

    line: LineRef


class Restock(msgspec.Struct, frozen=True, kw_only=True):
    """Raise the inventory by a returned quantity; once for ever for (order, return, line) (POS_RETURN)."""

    line_item_id: str
    return_id: str
    item: ItemRef
    quantity: Decimal


class SetOutOfStock(msgspec.Struct, frozen=True, kw_only=True):
    """Set the inventory of the item to zero in all its dimensions; what is reserved stays."""

    item: ItemRef


class Recalculate(msgspec.Struct, frozen=True, kw_only=True):
    """Make what is reserved of a product, in all warehouses, equal to its open holds."""

    sku: str


class Relocate(msgspec.Struct, frozen=True, kw_only=True):
    """Move what the line still has reserved from one item to another, and the row with it (D26)."""

    line: LineRef
    source: ItemRef
    target: ItemRef
    check: bool = False
    """True: only if the target has it; otherwise the unit is refused as a whole."""


class SplitRow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a line goes to another shipment and takes `quantity` of the reservation along (D26)."""

    line: LineRef
    target: LineRef
    quantity: Decimal
    """Of what remains reserved; all of it moves the row as a whole."""


class Adopt(msgspec.Struct, frozen=True, kw_only=True):
    """Make a reservation of the reservation API the line's own, up to `quantity` (A38, decisions 27)."""

    line: LineRef
    item: ItemRef
    quantity: Decimal
    hold_id: str = ""
    """One hold; or"""
    reservation_id: str = ""
    """whatever nobody owns of the reservations with this shared id."""


class Reverse(msgspec.Struct, frozen=True, kw_only=True):
    """Take a reduction back knowingly: a compensating transaction that names the first one (A20)."""

    line: LineRef
    item: ItemRef


Move = (
    Reserve
    | Release
    | Reduce
    | RepairCost
    | Restock
    | SetOutOfStock
    | Recalculate
    | Relocate
    | SplitRow
    | Adopt
    | Reverse
)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a move."""

    move: Move
    inventory_change: Decimal = ZERO
    reserved_change: Decimal = ZERO
    new_inventory: Decimal = ZERO
    new_reserved: Decimal = ZERO
    already: bool = False
    """The effect had been recorded before; nothing moved."""
    underflow: bool = False
    """Less was reserved than the line said (A6)."""
    created: bool = False
    """The item had never been stored (A8)."""
    unit_cost: Decimal | None = None
    """In the item's currency; None when it is not known (A10)."""
    rate_missing: bool = False
    """The cost could not be converted to the order's currency (A11)."""
