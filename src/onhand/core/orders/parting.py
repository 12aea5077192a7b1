"""The parts of an order's lines while they are delivered, cancelled and split (order specification A15, C10)."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import msgspec

from onhand.core.orders import dividing
from onhand.core.orders.configuration import same
from onhand.core.orders.dividing import Split, part_of, with_line, without_line
from onhand.core.orders.lines import PARTS
from onhand.core.orders.model import CANCELLED, Order, OrderLine, Shipment
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import LinesUpdate, LineUpdate, informed
from onhand.core.orders.statuses import is_completed

Reduced = Collection[tuple[str, str]]
"""(shipment id, line item id) of what was taken from stock before: it does not leave a second time."""


class Parted(msgspec.Struct, frozen=True, kw_only=True):
    """An order whose lines were updated; no status was entered yet."""

    order: Order
    runs: tuple[str, ...]
    """Shipments that enter the status of the request, each in a run of its own."""
    splits: tuple[Split, ...]
    """In the order in which the ledger follows them."""
    delivered: bool
    """Whether anything left: the order is partially shipped unless its shipments say more."""


def left(shipment: Shipment | None, line: OrderLine, reduced: Reduced) -> Decimal:
    """What of the line can still leave with the shipment, be cancelled or be split off."""
    if shipment is not None and (
        is_completed(shipment)
        or same(shipment.status, CANCELLED)
        or (shipment.shipment_id, line.line_item_id) in reduced
    ):
        return ZERO
    return max(ZERO, line.effective - line.delivered_quantity)


class Parting:
    """An order while its lines are updated; one for each update."""

    def __init__(self, order: Order, request: LinesUpdate, revision: int, reduced: Reduced) -> None:
        self._order = order
        self._request = request
        self._revision = revision
        self._reduced = reduced
        self._shipments = {one.shipment_id: one for one in order.shipments}
        self._unassigned = {one.line_item_id: one for one in order.order_form.unassigned}
        self._target = request.shipment_info.shipment_id if request.shipment_info else None
        self._splits: list[Split] = []
        self._delivered: dict[str, set[str]] = {}
        """Line item ids that leave with this update, by shipment."""
        self._touched: dict[str, None] = {}
        self._emptied: set[str] = set()
        self._new: dict[str, str] = {}
        """New shipment of the rest, by the shipment that the rest comes from."""

    def finished(self) -> Parted:
        """The changed order."""
        kept = tuple(
            one for one in self._shipments.values() if one.line_items or one.shipment_id not in self._emptied
        )
        form = msgspec.structs.replace(
            self._order.order_form, shipments=kept, unassigned=tuple(self._unassigned.values())
        )
        chosen = self._delivered or self._touched
        return Parted(
            order=msgspec.structs.replace(self._order, order_form=form),
            runs=tuple(one.shipment_id for one in kept if one.shipment_id in chosen),
            splits=tuple(self._splits),
            delivered=bool(self._delivered),
        )

    # What an update of a line may ask ------------------------------------------------------------------------

    def cancel(self, asked: LineUpdate) -> Refused | None:
        """Cancel units that have not left, first of the shipment that the request names."""
        rest = asked.canceled_quantity
        for shipment_id, line in self._parts(asked.line_item_id):
            units = min(rest, self._left(shipment_id, line))
            if units > 0:
                self._put(
                    shipment_id,
                    msgspec.structs.replace(line, canceled_quantity=line.canceled_quantity + units),
                )
                rest -= units
        if rest > 0:
            return self._too_much(asked, "canceledQuantity", asked.canceled_quantity, rest)
        return None

    def deliver(self, asked: LineUpdate, *, allow_over_delivery: bool) -> Refused | None:
        """Let units leave with the named shipment, or with the shipments that hold them."""
        rest = asked.delivered_quantity
        for shipment_id, line in self._parts(asked.line_item_id):
            units = min(rest, self._left(shipment_id, line))
            if units > 0:
                refusal = self._deliver(shipment_id, line, units)
                if refusal is not None:
                    return refusal
                rest -= units
        if rest <= 0:
            return None
        if not allow_over_delivery:
            refused = self._too_much(asked, "deliveredQuantity", asked.delivered_quantity, rest)
            return Refused(Code.OVER_DELIVERY, refused.message)
        return self._deliver_more(asked.line_item_id, rest)

    def split(self, asked: LineUpdate) -> Refused | None:
        """Put units into the named shipment or a new one; they do not leave."""
        units = asked.split_quantity
        if units <= 0:
            return None
        named = None if self._delivered else self._target  # what leaves does not take along what is split off
        for shipment_id, line in self._parts(asked.line_item_id):
            open_units = self._left(shipment_id, line)
            alone = open_units == units and shipment_id is not None and named is None
            if shipment_id == named or open_units < units or alone:
                continue
            target = self._target_for(shipment_id) if named else self._rest_of(shipment_id)
            self._touched[target] = None
            return self._move(shipment_id, target, line, units, first=True)
        return Refused(
            Code.VALIDATION_FAILED,
            f"Line {asked.line_item_id!r} has no shipment from which {units} can be split off: splitQuantity must be "
            "less than what one shipment has left of the line.",
        )

    def note(self, asked: LineUpdate) -> Refused | None:
        """Keep a cost with each part of the line, and quantities that move nothing with the first one."""
        more = {
            "cost": asked.cost,
            "ready_for_pickup_quantity": asked.ready_for_pickup_quantity,
            "reallocate_quantity": asked.reallocate_quantity,
        }
        changes = {name: value for name, value in more.items() if value is not None}
        parts = list(self._parts(asked.line_item_id))
        for number, (shipment_id, line) in enumerate(parts if changes else ()):
            own = (
                changes if number == 0 else {name: value for name, value in changes.items() if name == "cost"}
            )
            self._put(shipment_id, msgspec.structs.replace(line, **own))
        return None

    def part_with_the_rest(self) -> None:
        """Lines of a shipment that leaves which do not leave with it go to a new shipment."""
        for shipment_id, leaving in list(self._delivered.items()):
            for line in self._shipments[shipment_id].line_items:
                if line.line_item_id in leaving or not line.moves_stock:
                    continue
                if self._left(shipment_id, line) > 0:
                    self._move(shipment_id, self._rest_of(shipment_id), line, line.effective, first=False)

    # Parts ---------------------------------------------------------------------------------------------------

    def _parts(self, line_item_id: str) -> list[tuple[str | None, OrderLine]]:
        """The parts of the line, that of the named shipment first, the one without a shipment last."""
        found: list[tuple[str | None, OrderLine]] = [
            (shipment_id, line)
            for shipment_id, shipment in self._shipments.items()
            if (line := part_of(shipment, line_item_id)) is not None
        ]
        found.sort(key=lambda one: one[0] != self._target)
        loose = self._unassigned.get(line_item_id)
        return found if loose is None else [*found, (None, loose)]

    def _left(self, shipment_id: str | None, line: OrderLine) -> Decimal:
        shipment = None if shipment_id is None else self._shipments[shipment_id]
        if shipment_id is not None and line.line_item_id in self._delivered.get(shipment_id, ()):
            return ZERO
        return left(shipment, line, self._reduced)

    def _put(self, shipment_id: str | None, line: OrderLine) -> None:
        if shipment_id is None:
            self._unassigned[line.line_item_id] = line
            return
        self._touched[shipment_id] = None
        self._shipments[shipment_id] = with_line(self._shipments[shipment_id], line)

    def _deliver(self, shipment_id: str | None, line: OrderLine, units: Decimal) -> Refused | None:
        target = self._target_for(shipment_id) if self._target or shipment_id is None else shipment_id
        if shipment_id != target:
            refusal = self._move(shipment_id, target, line, units, first=True)
            if refusal is not None:
                return refusal
        elif units < self._left(shipment_id, line):
            self._leave_behind(target, line, units)
        self._leaves(target, line.line_item_id, units)
        return None

    def _leaves(self, target: str, line_item_id: str, units: Decimal) -> None:
        line = part_of(self._shipments[target], line_item_id)
        assert line is not None  # noqa: S101 - it was put there
        self._put(target, msgspec.structs.replace(line, delivered_quantity=line.delivered_quantity + units))
        self._delivered.setdefault(target, set()).add(line_item_id)

    def _leave_behind(self, shipment_id: str, line: OrderLine, units: Decimal) -> None:
        """The shipment keeps the units that leave; the rest of the line goes to a new shipment."""
        rest = self._rest_of(shipment_id)
        goes, stays = dividing.divided(line, units, first=True)
        # What leaves stays under its shipment's id, and with it the row and the hold of the line.
        leaves = msgspec.structs.replace(goes, hold_id=line.hold_id)
        moved = msgspec.structs.replace(stays, hold_id=None)
        self._put(shipment_id, leaves)
        self._arrive(rest, moved)
        self._record(line, shipment_id, rest, moved.effective, units, first=False)

    def _deliver_more(self, line_item_id: str, units: Decimal) -> Refused | None:
        """Units beyond what was ordered: the line of the shipment grows by them, unreserved."""
        parts = self._parts(line_item_id)
        base = next(line for _, line in parts)
        open_parts = [
            one for one, _ in parts if one is not None and line_item_id in self._delivered.get(one, ())
        ]
        if open_parts:
            target = self._target or open_parts[0]
            line = part_of(self._shipments[target], line_item_id)
            assert line is not None  # noqa: S101 - it leaves from there
            self._put(target, msgspec.structs.replace(line, quantity=line.quantity + units))
            self._leaves(target, line_item_id, units)
            return None
        holder = next((one for one, _ in parts if one is not None), None)
        target = self._target_for(holder) if self._target else self._rest_of(holder)
        if self._closed(target, line_item_id):
            return self._already_left(target, line_item_id)
        none = dict.fromkeys(PARTS, ZERO)
        extra = msgspec.structs.replace(
            base,
            **{**none, "quantity": units},
            reserved_inventory=False,
            forced_reservation=False,
            hold_id=None,
            soft_reservation_id=None,
            cost_total=None,
        )
        self._arrive(target, extra)
        self._leaves(target, line_item_id, units)
        return None

    def _move(
        self, source: str | None, target: str, line: OrderLine, units: Decimal, *, first: bool
    ) -> Refused | None:
        """Units of the line go to another shipment, with their part of the reservation."""
        if self._closed(target, line.line_item_id):
            return self._already_left(target, line.line_item_id)
        if units >= self._left(source, line):
            self._take_out(source, line.line_item_id)
            self._arrive(target, line)
            self._record(line, source, target, line.effective, ZERO, first=first, whole=True)
            return None
        goes, stays = dividing.divided(line, units, first=first)
        self._put(source, stays)
        self._arrive(target, goes)
        self._record(line, source, target, units, stays.effective, first=first)
        return None

    def _record(  # noqa: PLR0913 - the fields of a split
        self,
        line: OrderLine,
        source: str | None,
        target: str,
        quantity: Decimal,
        kept: Decimal,
        *,
        first: bool,
        whole: bool = False,
    ) -> None:
        if source is not None:
            self._splits.append(
                Split(
                    line_item_id=line.line_item_id,
                    source=source,
                    target=target,
                    quantity=quantity,
                    kept=kept,
                    goes_first=first,
                    whole=whole,
                )
            )

    def _take_out(self, source: str | None, line_item_id: str) -> None:
        if source is None:
            del self._unassigned[line_item_id]
            return
        self._shipments[source] = without_line(self._shipments[source], line_item_id)
        self._emptied.add(source)

    def _arrive(self, target: str, line: OrderLine) -> None:
        there = part_of(self._shipments[target], line.line_item_id)
        self._put(target, line if there is None else dividing.joined(there, line))

    def _closed(self, shipment_id: str, line_item_id: str) -> bool:
        """Whether the shipment has left, or the line in it has: nothing can be added then."""
        shipment = self._shipments[shipment_id]
        part = part_of(shipment, line_item_id)
        if is_completed(shipment) or (shipment_id, line_item_id) in self._reduced:
            return True
        before = self._order.shipment(shipment_id)
        earlier = None if before is None else part_of(before, line_item_id)
        return part is not None and earlier is not None and earlier.delivered_quantity > 0

    # Shipments -----------------------------------------------------------------------------------------------

    def _target_for(self, holder: str | None) -> str:
        """The shipment that the request names, made if it is unknown; a new one when it names none."""
        if self._target is None:
            return self._rest_of(holder)
        if self._target not in self._shipments:
            self._shipments[self._target] = informed(
                self._sibling(holder, self._target), self._request.shipment_info
            )
        return self._target

    def _rest_of(self, holder: str | None) -> str:
        key = holder or ""
        if key not in self._new:
            made = dividing.fresh_id(holder or "S", self._revision, self._shipments)
            self._shipments[made] = self._sibling(holder, made)
            self._new[key] = made
        return self._new[key]

    def _sibling(self, holder: str | None, shipment_id: str) -> Shipment:
        if holder is None:
            return Shipment(shipment_id=shipment_id)
        return dividing.sibling(self._shipments[holder], shipment_id)

    # Refusals ------------------------------------------------------------------------------------------------

    def _too_much(self, asked: LineUpdate, name: str, wanted: Decimal, rest: Decimal) -> Refused:
        return Refused(
            Code.VALIDATION_FAILED,
            f"{name} of line {asked.line_item_id!r} is {wanted}, but only {wanted - rest} can still leave or be "
            "cancelled. Nothing was changed.",
        )

    def _already_left(self, shipment_id: str, line_item_id: str) -> Refused:
        return Refused(
            Code.VALIDATION_FAILED,
            f"Line {line_item_id!r} cannot be added to shipment {shipment_id!r}, which has left with its goods. Name "
            "another shipment.",
        )
