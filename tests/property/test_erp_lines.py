"""I7 over any path: each unit of an ERP line is offset at most once, and the figures are those of where its units stand."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from onhand.core.erp.figures import DEFAULT
from onhand.core.erp.lines import Reservation
from onhand.core.erp.statuses import LEFT, Status
from onhand.core.outcomes import Rejected
from onhand.core.quantities import SCALE
from tests.erp_lines import RED, Teller

STATUSES = st.sampled_from(list(Status))
UNITS = st.integers(1, 12)


class Line(RuleBasedStateMachine):
    """One line under any messages, checked against sums that know nothing of transactions."""

    teller: Teller

    @initialize(
        units=UNITS,
        status=st.none() | st.sampled_from([one for one in Status if one is not Status.CANCELLED]),
        modifier=st.sampled_from(["onOrder", "reserve"]),
        owner=st.sampled_from(["erp", "workflow"]),
        release=st.booleans(),
    )
    def begin(self, units: int, status: Status | None, modifier: str, owner: str, *, release: bool) -> None:
        self.teller = Teller(
            reservation=Reservation(auto=True),
            offset_modifier=modifier,
            physical_owner=owner,
            release_on_cancel=release,
        )
        assert not isinstance(self.teller.order(units, status), Rejected)
        self.most = units

    @rule(units=st.integers(0, 15))
    def order(self, units: int) -> None:
        before = self.teller.standing
        if isinstance(self.teller.order(units), Rejected):
            assert self.teller.standing == before
        else:
            self.most = max(self.most, units)

    @rule(
        to=STATUSES,
        units=st.none() | UNITS,
        origin=st.none() | STATUSES,
        batch=st.sampled_from(["", "b1", "b2"]),
    )
    def move(self, to: Status, units: int | None, origin: Status | None, batch: str) -> None:
        before = self.teller.standing
        more = {"dimensions": {"batchid": batch}} if batch else {}
        if isinstance(self.teller.move(to, units, origin=origin, **more), Rejected):
            assert self.teller.standing == before

    @rule(data=st.data())
    def move_a_transaction(self, data: st.DataObject) -> None:
        part = data.draw(st.sampled_from([one.id for one in self.teller.line.transactions]))
        self.teller.move(data.draw(STATUSES), data.draw(st.none() | UNITS), transaction=part)

    @rule(modifier=st.sampled_from(["onOrder", "reserve"]), owner=st.sampled_from(["erp", "workflow"]))
    def other_parameters(self, modifier: str, owner: str) -> None:
        self.teller.parameters = Teller(
            offset_modifier=modifier,
            physical_owner=owner,
            release_on_cancel=self.teller.parameters.release_on_cancel,
        ).parameters

    @invariant()
    def each_unit_is_offset_at_most_once(self) -> None:
        line = self.teller.line
        asked = sum(one.quantity for one in line.offsets)
        claimed = sum(one.quantity for one in line.transactions if one.claimed)
        assert asked == claimed
        assert asked <= self.most * SCALE

    @invariant()
    def what_left_its_shelf_was_offset(self) -> None:
        assert all(one.claimed for one in self.teller.line.transactions if one.status in LEFT)

    @invariant()
    def the_figures_are_those_of_where_the_units_stand(self) -> None:
        wanted: dict[str, int] = {}
        for part in self.teller.line.transactions:
            assert part.row in (DEFAULT[part.status], {})
            for measure, sign in part.row.items():
                name = f"fno.{measure}"
                wanted[name] = wanted.get(name, 0) + sign * part.quantity // SCALE
        assert self.teller.figures == {name: units for name, units in wanted.items() if units}

    @invariant()
    def no_unit_is_lost(self) -> None:
        assert sum(self.teller.standing.values()) <= self.most
        assert self.teller.line.quantity <= self.most * SCALE
        assert {part.dimensions["siteid"] for part in self.teller.line.transactions} == {RED["siteid"]}


Line.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLine = Line.TestCase
