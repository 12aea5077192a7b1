"""The reduce family: goods leave the warehouse. One algorithm, three settings of what happens to the reservation.

A line in a shipment is reduced once in its life, whichever of the three steps does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Final

from onhand.core.orders.configuration import same
from onhand.core.orders.model import OrderLine, Shipment
from onhand.core.orders.moves import ZERO, Applied, Move, Reduce, RepairCost
from onhand.core.orders.record import LedgerRow, Reduction
from onhand.core.orders.statuses import is_released
from onhand.steps import scope
from onhand.steps.contract import (
    Case,
    Done,
    Effects,
    Facts,
    Note,
    Plan,
    Result,
    StepSpec,
    Unit,
    success,
    warning,
)

NO_RELEASED: Final = "no released shipments"
PHYSICAL: Final = "ReduceInventory"

Share = Callable[[OrderLine, Decimal], Decimal]
"""How much of a reduced quantity is taken from the reservation, for a line that has nothing special about it."""


def nothing(_line: OrderLine, _quantity: Decimal) -> Decimal:
    """The reservation stays."""
    return ZERO


def everything(_line: OrderLine, quantity: Decimal) -> Decimal:
    """Reserved or not, the reservation falls with the stock."""
    return quantity


def flagged(line: OrderLine, quantity: Decimal) -> Decimal:
    """What the line says is reserved; its quantity decides, never the boolean (A3)."""
    return min(quantity, max(ZERO, line.reserved_inventory_quantity))


@dataclass(slots=True)
class Tally:
    """What was found while planning."""

    skipped: int = 0
    reduced: int = 0
    """In an earlier attempt of the same run."""
    warnings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    is_test: bool = False

    def note(self, key: str, line: str, message: str) -> None:
        """Keep it as an event."""
        self.notes.append(Note(key=key, message=message, reference_id=line))

    def warn(self, key: str, line: str, message: str) -> None:
        """Keep it as an event, and make the result a warning."""
        self.note(key, line, message)
        self.warnings.append(f"{key} ({line})")


def plan(share: Share, key: str, facts: Facts) -> Result | Plan:
    """Reduce the released shipments, one atomic unit each."""
    if not scope.writes_stock(facts):
        return success(scope.WRITES_OFF)
    released = [one for one in scope.moving_shipments(facts) if is_released(one)]
    if not released:
        return success(NO_RELEASED)
    refused = scope.unsafe(facts, released, lambda line: line.moves_stock)
    if refused is not None:
        return refused
    tally = Tally(is_test=facts.is_test)
    units = []
    for shipment in sorted(released, key=lambda one: one.shipment_id):
        if shipment.shipment_id in facts.done:
            _count_done(facts, key, shipment, tally)
            continue
        moves = _moves(facts, share, shipment, tally)
        if moves:
            units.append(Unit(key=shipment.shipment_id, moves=moves))
    if not units:
        return _result(tally)
    return Plan(units=tuple(units), conclude=partial(_conclude, tally))


def _moves(facts: Facts, share: Share, shipment: Shipment, tally: Tally) -> tuple[Move, ...]:
    moves: list[Move] = []
    for line in shipment.line_items:
        if not line.moves_stock:
            if line.is_parent and not line.is_package_broke_down and not line.is_virtual_product:
                tally.warn(
                    "PackageNotBrokenDown",
                    line.line_item_id,
                    f"{line.code} is a package that was not broken down: nothing was reduced for it.",
                )
            continue
        row = facts.row(shipment, line)
        if row is not None and row.reduction is not None:
            _again(row, row.reduction, line, share, tally)
            if not row.reduction.reversed_by:
                moves.append(RepairCost(line=row.line))
            continue
        if line.canceled_quantity > line.quantity:
            tally.note(
                "InvalidCanceledQuantity",
                line.line_item_id,
                f"More is cancelled ({line.canceled_quantity:f}) than was ordered ({line.quantity:f}).",
            )
        if line.effective > ZERO:
            moves.append(
                Reduce(
                    line=scope.ref(shipment, line),
                    item=scope.item(facts, shipment, line),
                    quantity=line.effective,
                    reserved=_reserved(facts, share, line, row, tally),
                )
            )
    return tuple(moves)


def _reserved(facts: Facts, share: Share, line: OrderLine, row: LedgerRow | None, tally: Tally) -> Decimal:
    """How much of the reduction is attributed to the line's reservation, before any clamp."""
    quantity = line.effective
    if scope.awaits_purchase(line):
        tally.warn(
            "AwaitingPurchaseOrder",
            line.line_item_id,
            "The line is reserved on a purchase order: only the inventory was reduced.",
        )
        return ZERO
    if line.forced_reservation and not facts.orders.forced_reservations_consume_counter:
        # A forced flag has nothing behind it, but a hold of the line's own is real (A5, D19).
        return share(line, min(quantity, scope.remaining(row)))
    wanted = share(line, quantity)
    surplus = line.reserved_inventory_quantity - quantity
    if wanted > ZERO and surplus > ZERO:
        tally.remarks.append(f"staleReservation: {line.line_item_id} {surplus:f}")
    return wanted


def _again(row: LedgerRow, reduction: Reduction, line: OrderLine, share: Share, tally: Tally) -> None:
    tally.skipped += 1
    difference = line.effective - reduction.quantity
    if difference > ZERO:
        tally.remarks.append(
            f"line {line.line_item_id} was raised by {difference:f} after it was reduced: adjust the stock or add a line"
        )
    if same(reduction.step, PHYSICAL) and row.remaining > ZERO and share is not nothing:
        tally.remarks.append(
            f"line {line.line_item_id} was reduced by {PHYSICAL}, its reservation was not lowered: "
            "run RecalculateReservedInventory"
        )


def _count_done(facts: Facts, key: str, shipment: Shipment, tally: Tally) -> None:
    """The shipment was committed before this plan was made: by the same run, so that nothing of it is a repetition."""
    for line in shipment.line_items:
        row = facts.row(shipment, line)
        if row is None or row.reduction is None:
            continue
        if row.reduction.run == facts.run_id and same(row.reduction.step, key):
            tally.reduced += 1
        else:
            tally.skipped += 1


# What came of it ---------------------------------------------------------------------------------------------


def _conclude(tally: Tally, done: Sequence[Done]) -> Result:
    found = Tally(
        skipped=tally.skipped,
        reduced=tally.reduced,
        warnings=list(tally.warnings),
        remarks=list(tally.remarks),
        notes=list(tally.notes),
    )
    without_cost: set[str] = set()
    for one in done:
        for applied in one.applied:
            _look_at(applied, found, without_cost)
    if without_cost and not tally.is_test:
        found.remarks.append(f"no cost known: {', '.join(sorted(without_cost))}")
    return scope.refusal(done) or _result(found)


def _look_at(applied: Applied, found: Tally, without_cost: set[str]) -> None:
    move = applied.move
    if not isinstance(move, Reduce | RepairCost):
        return
    line = move.line.line_item_id
    if applied.rate_missing:
        found.warnings.append(f"CurrencyRateMissing ({line})")
    if not isinstance(move, Reduce):
        return
    if applied.already:
        found.skipped += 1
        return
    found.reduced += 1
    item = f"{move.item.sku} at {move.item.warehouse}"
    if applied.unit_cost is None:
        without_cost.add(move.item.sku)
    if applied.underflow:
        found.remarks.append(f"less was reserved than the line said: {item}")
    if applied.new_inventory < ZERO:
        found.remarks.append(f"negative inventory: {item} {applied.new_inventory:f}")


def _result(found: Tally) -> Result:
    counts = (
        f"already reduced: {found.skipped}; reduced now: {found.reduced}"
        if found.skipped
        else f"reduced: {found.reduced}"
    )
    message = "; ".join([counts, *found.warnings, *found.remarks])
    result = warning(message) if found.skipped or found.warnings else success(message)
    return Result(status=result.status, message=result.message, notes=tuple(found.notes))


# The three steps ---------------------------------------------------------------------------------------------

_STATUSES: Final = ("Ship", "ReadyForPickup", "Completed")

_CASES: Final = (
    Case(
        condition="some line was reduced before, by any step of the family", result="Warning", continues="yes"
    ),
    Case(condition="reduced", result="Success", continues="yes"),
    Case(condition="no shipment is released", result="Success (no action)", continues="yes"),
    Case(condition="inventory writes are disabled", result="Success (no action)", continues="yes"),
    Case(
        condition="a line waits for a purchase order, a package is not broken down, an exchange rate is missing",
        result="Warning",
        continues="yes",
    ),
    Case(
        condition="a shipment has no warehouse, a line no SKU, or a shipment has one line twice",
        result="Error, nothing written",
        continues="per stopOnError",
    ),
)

_COMMON: Final = """
It looks at the shipments whose status is `Released`: at the one of a shipment-level run, or at all of the order. For each
line that moves stock it lowers the inventory at the shipment's warehouse by the effective quantity, which is the quantity
without what was cancelled. The inventory may fall below zero: the goods have left.

A line is reduced once in its life. The reference is the order, the shipment and the line, and all three steps of the family
share it; running a second one, or the same one again, reports what was done before and repairs line costs from the stored
transactions. Each shipment is one atomic unit: all of its lines, their transactions and costs, or nothing.

Virtual products and broken-down packages move nothing; a package that was not broken down is skipped with a warning. A line
that waits for a purchase order lowers the inventory only. With several lines of one SKU each counts for itself.
"""

_SIDE: Final = (
    "One inventory transaction for each line, with unit cost and exchange rate as used",
    "`cost` and `costTotal` of the line and `lineItemsCost` of the order, when the item's cost is known",
    "Events `NegativeInventory`, `ReservedUnderflow`, `InventoryItemCreated` and `InvalidCanceledQuantity` where they apply",
)

_NEEDS: Final = (
    "A shipment with status `Released`, set by the order status (`shipmentStatusUpdate`) or by an earlier `UpdateShipmentStatus`",
    "A warehouse on the shipment; orders of type `Pos` fall back to their store",
)


_KEYS: Final = (
    PHYSICAL,
    "ReduceInventoryAndReservedInventory",
    "ReduceInventoryOnlyOnReservedOrderLines",
)


def _spec(key: str, title: str, share: Share, effects: Effects, lead: str) -> StepSpec:
    return StepSpec(
        key=key,
        title=title,
        group="Inventory" if share is everything else "Shipments",
        tier=1,
        applicable_statuses=_STATUSES,
        effects=effects,
        behaviour=f"{lead}\n{_COMMON}".strip(),
        prerequisites=_NEEDS,
        side_effects=_SIDE,
        error_table=_CASES,
        related=(
            *(one for one in _KEYS if one != key),
            "UpdateShipmentStatus",
            "RecalculateReservedInventory",
        ),
        plan=partial(plan, share, key),
    )


REDUCE: Final = _spec(
    PHYSICAL,
    "Reduce inventory",
    nothing,
    Effects(inventory="-", cost=True),
    "Lowers the inventory and leaves the reservation as it is. A workflow that reserved needs `RecalculateReservedInventory` "
    "afterwards, or one of the two other steps in its place.",
)

REDUCE_BOTH: Final = _spec(
    "ReduceInventoryAndReservedInventory",
    "Reduce inventory and reserved inventory",
    everything,
    Effects(inventory="-", reserved_inventory="-", cost=True),
    "Lowers the inventory and what is reserved by the same quantity, whether the line was reserved or not: for workflows in "
    "which everything is reserved. What is reserved never falls below zero, and never at the cost of a reservation of "
    "somebody else.",
)

REDUCE_SELECTIVE: Final = _spec(
    "ReduceInventoryOnlyOnReservedOrderLines",
    "Reduce inventory only on reserved order lines",
    flagged,
    Effects(inventory="-", reserved_inventory="- if reserved", cost=True),
    "Lowers the inventory of every line, and what is reserved only by what the line itself has reserved: "
    "`min(effective quantity, reservedInventoryQuantity)`. For orders in which some lines are reserved and others are not, "
    "for goods that came without a reservation, and for points of sale. Lines that were only *marked* as reserved "
    "(`SetAllOrderLinesToReserved`) do not touch the reserved quantity.",
)

STEPS: Final = (REDUCE, REDUCE_BOTH, REDUCE_SELECTIVE)
