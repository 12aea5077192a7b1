"""How a quantity enters a status: the figures move by the difference of two rows, and what is due is offset once.

Theory of operation. A transaction carries the row that it was counted with, so that taking it away is exact even when
the parameters changed meanwhile, and two flags, `claimed` and `adjusted`, that are set when its offset or its adjustment
was asked for. They go with each part when a transaction splits and are never cleared: not by a move back, not by a failure,
not by a cancellation. Raising the quantity of a line takes cancelled units back before it makes new ones. So each unit
asks once in its life, whatever path it takes (I7).
"""

from __future__ import annotations

from typing import Final

from onhand.core.erp.asking import Message, Setting
from onhand.core.erp.figures import COMMITMENTS, ERP_SOURCE, Owner, Row, difference, row
from onhand.core.erp.lines import (
    OFFSETS_MAX,
    Change,
    Dimensions,
    Event,
    Figures,
    Line,
    Offset,
    SoftHold,
    Transaction,
)
from onhand.core.erp.parameters import TRIGGERS, AdjustmentOffset
from onhand.core.erp.statuses import RANK, Status

WAREHOUSE: Final = "locationid"

PRODUCT_DIMENSIONS: Final = ("colorid", "sizeid", "styleid", "configid", "versionid")

_FLAGS: Final = {
    "siteid": "site",
    "locationid": "warehouse",
    "statusid": "inventory_status",
    "wmslocationid": "location",
    "licenseplateid": "license_plate",
    "batchid": "batch",
    "serialid": "serial",
}
"""Dimension -> the match flag that keeps it."""


class Recorder:
    """Changes a line and notes what its event has to post."""

    def __init__(self, line: Line, setting: Setting, message: Message) -> None:
        self.line = line
        self._parameters = setting.parameters
        self._setting = setting
        self._message = message
        self._figures: dict[tuple[tuple[str, str], ...], Figures] = {}
        self._offsets: list[int] = []

    @property
    def managed(self) -> bool:
        """Whether the ERP itself soft-reserves the line, or did so before that was switched off."""
        line = self.line
        return not line.reservation.given and bool(
            self._parameters.soft_reservation or line.soft.reserved or line.soft.requested
        )

    @property
    def trigger(self) -> Status:
        """The first status that offsets; what the ERP reserved itself is offset at its hard reservation."""
        return Status.RESERVED_ORDERED if self.managed else self._parameters.trigger

    def place(self, part: Transaction, status: Status, dimensions: Dimensions, *, forward: bool) -> None:
        """Put a transaction into a status, at dimensions. Only a step forward offsets."""
        old, old_at = part.row, part.dimensions
        new = row(self._parameters.deltas, status, self._owner(dimensions))
        part.status, part.dimensions, part.row = status, dimensions, new
        if self._parameters.figures == "derived":
            if old_at != dimensions:
                self._count(old_at, difference(old, {}, part.quantity))
                old = {}
            self._count(dimensions, difference(old, new, part.quantity))
        if forward:
            self._claim(part)
            self._adjust(part)

    def supply(self, at: Dimensions, figures: Figures, *, left: bool) -> None:
        """Take the figures that the message brought; `left`: goods leave their shelf or come back to it."""
        only = COMMITMENTS if left and self._owner(at) == "workflow" else None
        for name, change in figures.items():
            source, _, measure = name.partition(".")
            if only is None or measure in only:
                self._count(at, {measure: change}, source)

    def release(self, part: Transaction) -> None:
        """Give back the reservation of a quantity that was cancelled before its offset, if the line says so."""
        chosen = self.line.release_on_cancel
        if part.claimed or not (self._parameters.release_on_cancel if chosen is None else chosen):
            return
        if self.line.reservation.given:
            part.claimed = True
            self._ask(part, part.quantity, release=True)

    def event(self, what: str) -> Event | None:
        """The event of what was noted, put into the line's queue; None when there is nothing to post."""
        changes = [
            Change(dimensions=dict(at), figures=kept)
            for at, figures in self._figures.items()
            if (kept := {name: change for name, change in figures.items() if change})
        ]
        if not changes and not self._offsets:
            return None
        line, message = self.line, self._message
        event = Event(
            number=line.next_event,
            id=message.id,
            at=self._setting.now,
            what=what,
            changes=changes,
            offsets=self._offsets,
            source=message.source,
            sequence=message.sequence,
        )
        line.next_event += 1
        line.pending.append(event)
        return event

    def _owner(self, dimensions: Dimensions) -> Owner:
        return self._parameters.owner(dimensions.get(WAREHOUSE, ""))

    def _count(self, at: Dimensions, change: Row, source: str = ERP_SOURCE) -> None:
        if not change:
            return
        figures = self._figures.setdefault(tuple(at.items()), {})
        for measure, quantity in change.items():
            name = f"{source}.{measure}"
            figures[name] = figures.get(name, 0) + quantity

    def _claim(self, part: Transaction) -> None:
        if part.claimed or RANK[part.status] < RANK[self.trigger]:
            return
        if self.managed:
            part.claimed = True
            self._claim_soft(part)
        elif self.line.reservation.given and self._parameters.offsets(
            reservations_enabled=self._setting.reservations_enabled
        ):
            part.claimed = True
            self._ask(part, part.quantity)

    def _claim_soft(self, part: Transaction) -> None:
        """Use what the line holds, then what it has asked for; the rest went without a soft reservation."""
        soft, wanted = self.line.soft, part.quantity
        used: list[SoftHold] = []
        for hold in soft.holds:
            taken = min(wanted, hold.quantity)
            if taken:
                hold.quantity -= taken
                wanted -= taken
                used.append(SoftHold(hold_id=hold.hold_id, quantity=taken))
        soft.holds = [hold for hold in soft.holds if hold.quantity]
        if used:
            self._ask(part, part.quantity - wanted, holds=used)
        withdrawn = min(wanted, soft.requested)
        soft.requested -= withdrawn
        soft.offset += part.quantity - wanted + withdrawn
        soft.skipped += wanted - withdrawn

    def _ask(
        self, part: Transaction, quantity: int, *, release: bool = False, holds: list[SoftHold] | None = None
    ) -> None:
        line = self.line
        number = line.offsets[-1].number + 1 if line.offsets else 1
        line.offsets.append(
            Offset(
                number=number,
                event=line.next_event,
                transaction=part.id,
                quantity=quantity,
                dimensions=part.dimensions,
                at=self._setting.now,
                release=release,
                holds=holds or [],
            )
        )
        self._offsets.append(number)
        if len(line.offsets) > OFFSETS_MAX:
            oldest = next((one for one in line.offsets if one.state in ("done", "dismissed")), None)
            if oldest is not None:
                line.offsets.remove(oldest)

    def _adjust(self, part: Transaction) -> None:
        """Take back what another source had posted for the same movement (specification 4.4)."""
        rule = self._rule()
        if rule is None or part.adjusted or RANK[part.status] < RANK[TRIGGERS[rule.trigger]]:
            return
        part.adjusted = True
        kept = {
            name: value
            for name, value in part.dimensions.items()
            if name in PRODUCT_DIMENSIONS or getattr(rule, _FLAGS.get(name, ""), False)
        }
        change = {rule.physical_measure.lower(): -part.quantity}
        self._count(kept, change, rule.data_source.lower())

    def _rule(self) -> AdjustmentOffset | None:
        wanted = self.line.adjustment
        if wanted is None:
            return None
        name = (wanted.data_source.lower(), wanted.physical_measure.lower())
        for rule in self._parameters.adjustment_offsets:
            if (
                rule.kind == self.line.kind
                and (rule.data_source.lower(), rule.physical_measure.lower()) == name
            ):
                return rule
        return None
