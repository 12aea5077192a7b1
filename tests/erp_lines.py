"""Lines of an ERP for tests: messages in units, applied one after the other, and what they add up to."""

from __future__ import annotations

from itertools import count
from typing import Any

from onhand.core.erp import lines
from onhand.core.erp.asking import LineAsked, MoveAsked, Said, Setting
from onhand.core.erp.lines import Line, Reservation
from onhand.core.erp.moving import change_line, move, open_line
from onhand.core.erp.parameters import Parameters
from onhand.core.erp.statuses import Status
from onhand.core.outcomes import Rejected
from onhand.core.quantities import SCALE

RED = {"siteid": "1", "locationid": "11", "colorid": "red", "sizeid": "small"}


class Teller:
    """Tells one line its messages; a refusal leaves the line as it was."""

    def __init__(self, *, reservation: Reservation | None = None, **parameters: Any) -> None:
        self.line: Line | None = None
        self.parameters = Parameters(**{"physical_owner": "erp", **parameters})
        self.reservation = reservation or Reservation(auto=True)
        self.numbers = count(1)

    def setting(self) -> Setting:
        return Setting(parameters=self.parameters, reservations_enabled=True, now=1_000)

    def order(self, units: int, status: Status | None = None, **more: Any) -> Said | Rejected:
        asked = LineAsked(
            **{
                "id": f"m{next(self.numbers)}",
                "line_id": "L1",
                "organization": "usmf",
                "product": "D0002",
                "dimensions": RED,
                "quantity": units * SCALE,
                "status": status,
                "reservation": self.reservation,
                **more,
            }
        )
        if self.line is None:
            return self._take(open_line(asked, self.setting()))
        return self._take(change_line(self._copy(), asked, self.setting()))

    def move(self, to: Status, units: int | None = None, **more: Any) -> Said | Rejected:
        asked = MoveAsked(
            **{
                "id": f"m{next(self.numbers)}",
                "line_id": "L1",
                "to": to,
                "quantity": None if units is None else units * SCALE,
                **more,
            }
        )
        return self._take(move(self._copy(), asked, self.setting()))

    def _copy(self) -> Line:
        assert self.line is not None
        return lines.decode(lines.encode(self.line))

    def _take(self, said: Said | Rejected) -> Said | Rejected:
        if isinstance(said, Said):
            self.line = lines.decode(lines.encode(said.line))
        return said

    @property
    def figures(self) -> dict[str, int]:
        """Units by measure that all events together have added."""
        sums: dict[str, int] = {}
        assert self.line is not None
        for event in self.line.pending:
            for change in event.changes:
                for name, quantity in change.figures.items():
                    sums[name] = sums.get(name, 0) + quantity
        return {name: quantity // SCALE for name, quantity in sums.items() if quantity}

    @property
    def offsets(self) -> list[int]:
        """Units that each offset asked for."""
        assert self.line is not None
        return [one.quantity // SCALE for one in self.line.offsets if not one.release]

    @property
    def standing(self) -> dict[str, int]:
        """Units by status."""
        assert self.line is not None
        units: dict[str, int] = {}
        for part in self.line.transactions:
            units[part.status.value] = units.get(part.status.value, 0) + part.quantity // SCALE
        return units
