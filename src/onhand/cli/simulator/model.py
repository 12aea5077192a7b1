"""The model: orders that are created, move through the statuses, split, go back and are cancelled, decided by a seed.

It knows nothing of the service. What happens becomes messages, numbered without gaps, and is entered into the ERP's own
books: where each quantity stands, and whether it has ever been reserved, which is when the web shop's reservation of it
ends. Both are kept by transaction, as an ERP does it: each has an id, and a part that moves on becomes one of its own.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

STATUSES: Final = ("onOrder", "reservedOrdered", "reservedPhysical", "picked", "deducted", "sold")
"""The way out, in order."""

CANCELLED: Final = "cancelled"
CANCELLABLE: Final = frozenset(STATUSES[:3])

ORGANIZATION: Final = "usmf"
PLACES: Final = (("1", "11"), ("1", "12"), ("2", "21"))
COLORS: Final = ("red", "blue", "green")
LINES_MAX: Final = 3
"""Lines of an order."""
QUANTITY_MAX: Final = 12

NAMED, SHARED, AUTOMATIC, SEVERAL, NONE = "named", "shared", "automatic", "several", "none"
"""How a line names its reservation: hold id, reservation id, by item and dimensions, several hold ids, not at all."""

WAYS: Final = {NAMED: 35, SHARED: 20, AUTOMATIC: 20, SEVERAL: 15, NONE: 10}
"""Share of the lines, in percent."""

STEPS: Final = {"next": 68, "skip": 16, "back": 8, "cancel": 8}
"""What happens to a transaction, in percent."""

SPLIT_SHARE: Final = 0.35
"""Share of the moves that move a part only."""
OPEN_SHARE: Final = 0.3
"""Share of the steps that open a line, while there are orders to come."""
MISTAKE_SHARE: Final = 0.03
"""Share of the lines that are entered at another warehouse than their reservation."""


@dataclass(slots=True)
class Part:
    """A transaction: a quantity of a line with one status."""

    id: str
    quantity: int
    status: str
    reached: bool = False
    """It has been reserved or further once: from then on it has no web reservation any more."""


@dataclass(slots=True)
class Line:
    """An order line, and what was reserved for it elsewhere."""

    id: str
    order: str
    product: str
    place: tuple[str, str]
    color: str
    quantity: int
    way: str
    reserved_at: tuple[str, str]
    """Place of the reservation: another one for an order that was entered by mistake."""
    parts: list[Part] = field(default_factory=list)
    hold_ids: list[str] = field(default_factory=list)
    reservation_id: str = ""

    @property
    def mistaken(self) -> bool:
        """Entered at another warehouse than it was reserved at."""
        return self.place != self.reserved_at

    @property
    def due(self) -> int:
        """Quantity of the reservation that has to be offset by now."""
        if self.way == NONE or self.mistaken:
            return 0
        return sum(part.quantity for part in self.parts if part.reached)

    @property
    def standing(self) -> Counter[str]:
        """Quantity by status."""
        found: Counter[str] = Counter()
        for part in self.parts:
            found[part.status] += part.quantity
        return found

    @property
    def done(self) -> bool:
        """Nothing moves any more."""
        return all(part.status in (STATUSES[-1], CANCELLED) for part in self.parts)

    def dimensions(self, *, reserved: bool = False) -> dict[str, str]:
        """Where the line, or its reservation, is."""
        site, location = self.reserved_at if reserved else self.place
        return {"siteid": site, "locationid": location, "colorid": self.color}

    def reservations(self) -> list[int]:
        """Quantities that the web shop reserves for it, each as a hold."""
        if self.way == NONE:
            return []
        if self.way != SEVERAL or self.quantity == 1:
            return [self.quantity]
        return [self.quantity // 2, self.quantity - self.quantity // 2]


@dataclass(slots=True)
class Message:
    """What the ERP tells; the body is made when it is first sent, because a new line names its reservation."""

    sequence: int
    line: Line
    opens: bool = False
    move: dict[str, Any] = field(default_factory=dict)
    status: str = STATUSES[0]
    part: str = ""

    def body(self) -> dict[str, Any]:
        """As it goes to the service; the same each time it is sent."""
        line = self.line
        base: dict[str, Any] = {"sequence": self.sequence, "lineId": line.id}
        if not self.opens:
            return base | {"move": self.move}
        new: dict[str, Any] = {
            "orderId": line.order,
            "organizationId": ORGANIZATION,
            "productId": line.product,
            "dimensions": line.dimensions(),
            "quantity": line.quantity,
            "status": self.status,
            "transactionId": self.part,
        }
        if line.way == SHARED:
            new["reservationId"] = line.reservation_id
        elif line.way == AUTOMATIC:
            new["inventoryServiceAutoOffset"] = True
        elif line.hold_ids:
            new["holdIds"] = line.hold_ids
        return base | {"line": new}


class Erp:
    """The ERP: `steps` yields its messages in the order in which things happen."""

    def __init__(self, seed: int, run: str, orders: int, products: int = 20, trigger: int = 1) -> None:
        """`trigger`: rank of the first status that ends a reservation."""
        self._random = random.Random(f"erp {seed}")  # noqa: S311 - a simulation
        self._run = run
        self._orders = orders
        self._trigger = trigger
        self.products = [f"{run}-P{number:03d}" for number in range(1, products + 1)]
        self.lines: list[Line] = []
        self.messages: list[Message] = []
        self._moving: list[Line] = []
        self._waiting: list[Line] = []
        self._parts = 0
        self._opened = 0

    @property
    def source(self) -> str:
        """Name under which the messages are numbered."""
        return self._run

    @property
    def progress(self) -> float:
        """Share of the orders that are through, about."""
        through = self._opened - len({line.order for line in self._moving})
        return through / max(1, self._orders)

    def steps(self) -> Iterator[Message]:
        """Everything that happens, until every line is sold or cancelled."""
        while self._opened < self._orders or self._waiting or self._moving:
            if not self._moving or (
                (self._waiting or self._opened < self._orders) and self._random.random() < OPEN_SHARE
            ):
                yield self._tell(self._open())
            else:
                yield self._tell(self._move(self._random.choice(self._moving)))

    def _tell(self, message: Message) -> Message:
        self.messages.append(message)
        if message.line.done and message.line in self._moving:
            self._moving.remove(message.line)
        return message

    def _open(self) -> Message:
        if not self._waiting:
            self._opened += 1
            order = f"{self._run}-O{self._opened:06d}"
            for number in range(1, self._random.randint(1, LINES_MAX) + 1):
                self._waiting.append(self._line(order, number))
        line = self._waiting.pop(0)
        self.lines.append(line)
        self._moving.append(line)
        rank = self._random.choices((0, 1, 2, 3), (80, 4, 12, 4))[0]
        part = Part(self._part_id(), line.quantity, STATUSES[rank], reached=rank >= self._trigger)
        line.parts.append(part)
        return Message(len(self.messages) + 1, line, opens=True, status=part.status, part=part.id)

    def _line(self, order: str, number: int) -> Line:
        choose = self._random
        place = choose.choice(PLACES)
        way = choose.choices(list(WAYS), list(WAYS.values()))[0]
        mistaken = way in (NAMED, SHARED) and choose.random() < MISTAKE_SHARE
        return Line(
            id=f"{order}-{number}",
            order=order,
            product=choose.choice(self.products),
            place=place,
            color=choose.choice(COLORS),
            quantity=choose.randint(1, QUANTITY_MAX),
            way=way,
            reserved_at=choose.choice([one for one in PLACES if one != place]) if mistaken else place,
        )

    def _move(self, line: Line) -> Message:
        choose = self._random
        able = [part for part in line.parts if part.status not in (STATUSES[-1], CANCELLED)]
        part = choose.choice(able)
        rank = STATUSES.index(part.status)
        step = choose.choices(list(STEPS), list(STEPS.values()))[0]
        if step == "cancel" and part.status in CANCELLABLE:
            to = CANCELLED
        elif step == "back" and rank:
            to = STATUSES[choose.randrange(rank)]
        elif step == "skip":
            to = STATUSES[choose.randrange(rank + 1, len(STATUSES))]
        else:
            to = STATUSES[rank + 1]
        move: dict[str, Any] = {"to": to, "transactionId": part.id}
        if part.quantity > 1 and choose.random() < SPLIT_SHARE:
            taken = choose.randrange(1, part.quantity)
            part.quantity -= taken
            part = Part(self._part_id(), taken, part.status, reached=part.reached)
            line.parts.append(part)
            move |= {"quantity": taken, "newTransactionId": part.id}
        part.status = to
        if to != CANCELLED and STATUSES.index(to) >= self._trigger and STATUSES.index(to) > rank:
            part.reached = True
        return Message(len(self.messages) + 1, line, move=move)

    def _part_id(self) -> str:
        self._parts += 1
        return f"{self._run}-T{self._parts:07d}"


Rows = dict[str, dict[str, int]]
"""Status -> measure of `fno` -> 1 or -1."""

Record = tuple[str, str, str, str]
"""Product, site, location, color."""


def figures(
    lines: list[Line], rows: dict[str, Rows], opening: Counter[tuple[Record, str]]
) -> Counter[tuple[Record, str]]:
    """What the ERP has of each record, by measure. `rows`: by location."""
    found = Counter(opening)
    for line in lines:
        record = (line.product, *line.place, line.color)
        for status, quantity in line.standing.items():
            for measure, sign in rows[line.place[1]].get(status, {}).items():
                found[record, measure] += sign * quantity
    return found


def reserved(lines: list[Line]) -> Counter[Record]:
    """What of the web shop's reservations is left at each node."""
    left: Counter[Record] = Counter()
    for line in lines:
        left[line.product, *line.reserved_at, line.color] += sum(line.reservations()) - line.due
    return left
