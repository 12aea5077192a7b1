"""Absolute figures of the ERP that say what they contain.

A snapshot gives the figures of records as the ERP had them at a moment. What onhand knows of the ERP's lines stands in
three relations to it:

* *inside and waiting*: the ERP had counted it, we have not. Its changes are not added, because the snapshot brings them;
  its offsets are made, because the reservation would be counted a second time.
* *outside and posted*: it came after that moment, and the figures that are replaced had it. It is added to the snapshot.
* *inside and posted*, and *outside and waiting*: nothing is to be done.

"Inside" is said in two ways: by the lines themselves, or by the number up to which messages of a source had been counted.
"""

from __future__ import annotations

import msgspec

from onhand.core.dimensions import name_dimensions, record_position
from onhand.core.erp.figures import ERP_SOURCE
from onhand.core.erp.intake import Asked
from onhand.core.erp.lines import Event, Line
from onhand.core.keys import Position, decode
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules

Cells = dict[tuple[str, int], int]
"""(position key, measure id) -> scaled quantity."""


class Record(msgspec.Struct, frozen=True):
    """Figures of one record."""

    dimensions: dict[str, str]
    """Base names."""
    figures: dict[str, int]
    """Measure of `fno` -> scaled quantity."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a snapshot that concerns one product."""

    id: str
    organization: str
    product: str
    records: tuple[Record, ...]
    source: str = ""
    up_to: int | None = None
    """Messages of the source up to this number are inside."""
    lines: tuple[str, ...] = ()
    """Known lines that are inside with everything that is known of them."""
    messages: tuple[Asked, ...] = ()
    """What the snapshot itself tells about lines; inside as well."""
    complete: bool = False
    """Records of the product that it does not name are zero."""
    caller: str = ""

    @property
    def wholly(self) -> frozenset[str]:
        """Lines that are inside altogether."""
        return frozenset([*self.lines, *(one.line_id for one in self.messages)])


def inside(line: Line, snapshot: Snapshot) -> frozenset[int]:
    """Numbers of the waiting events that the snapshot contains."""
    if line.line_id in snapshot.wholly:
        return frozenset(event.number for event in line.pending)
    return frozenset(event.number for event in line.pending if _counted(event, snapshot))


def after(rules: Rules, line: Line, snapshot: Snapshot) -> Cells | Rejected:
    """What was posted of a line although the snapshot does not contain it."""
    if snapshot.up_to is None or line.line_id in snapshot.wholly:
        return {}
    if _of(line.source, snapshot) and line.forgotten_sequence > snapshot.up_to:
        return Rejected(
            Reason.INVALID_VALUE,
            f"The snapshot is too old: line {line.line_id!r} no longer remembers what came after number "
            f"{snapshot.up_to} of {snapshot.source!r}. Send one that contains at least {line.forgotten_sequence}.",
        )
    cells: Cells = {}
    for event in line.history:
        if not _of(event.source, snapshot) or event.sequence is None or event.sequence <= snapshot.up_to:
            continue
        for change in event.changes:
            position = _position(rules, change.dimensions)
            if isinstance(position, Rejected):
                return position
            for name, quantity in change.figures.items():
                source, _, measure = name.partition(".")
                number = rules.measures.get((source, measure))
                if source == ERP_SOURCE and number is not None:
                    cells[position.key, number] = cells.get((position.key, number), 0) + quantity
    return cells


def cells_of(rules: Rules, snapshot: Snapshot) -> tuple[dict[str, Position], Cells] | Rejected:
    """The positions that the snapshot names, and its figures there."""
    positions: dict[str, Position] = {}
    cells: Cells = {}
    for record in snapshot.records:
        position = _position(rules, record.dimensions)
        if isinstance(position, Rejected):
            return position
        positions[position.key] = position
        for measure, quantity in record.figures.items():
            number = rules.measures.get((ERP_SOURCE, measure))
            if number is None:
                return Rejected(
                    Reason.UNKNOWN_MEASURE,
                    f"Data source {ERP_SOURCE!r} has no physical measure {measure[:100]!r}.",
                )
            if (position.key, number) in cells:
                return Rejected(
                    Reason.INVALID_VALUE,
                    f"The snapshot names {measure!r} at {position.key!r} twice. Send it once.",
                )
            cells[position.key, number] = quantity
    return positions, cells


def position_of(rules: Rules, key: str) -> Position:
    """The position with a stored key."""
    return record_position(rules, tuple(decode(key)))


def measures(rules: Rules) -> frozenset[int]:
    """The measures that belong to the ERP."""
    return frozenset(number for (source, _), number in rules.measures.items() if source == ERP_SOURCE)


def _counted(event: Event, snapshot: Snapshot) -> bool:
    return (
        snapshot.up_to is not None
        and event.sequence is not None
        and event.sequence <= snapshot.up_to
        and _of(event.source, snapshot)
    )


def _of(source: str, snapshot: Snapshot) -> bool:
    return bool(source) and source.casefold() == snapshot.source.casefold()


def _position(rules: Rules, dimensions: dict[str, str]) -> Position | Rejected:
    named = name_dimensions(rules, dimensions, None)
    return named if isinstance(named, Rejected) else record_position(rules, named)
