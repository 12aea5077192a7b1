"""Statuses, the figures they move, and offsets: once a unit, whatever path it takes."""

from __future__ import annotations

import pytest

from onhand.core.erp.figures import DEFAULT
from onhand.core.erp.lines import Reservation
from onhand.core.erp.statuses import ORDER, TRANSITIONS, Status, Step
from onhand.core.outcomes import Reason, Rejected
from tests.erp_lines import RED, Teller

S = Status
LIVING = [one for one in Status if one is not S.CANCELLED]


def said(answer):
    assert not isinstance(answer, Rejected), answer
    return answer


def refused(answer):
    assert isinstance(answer, Rejected), answer
    return answer.reason


def fno(row, units):
    return {f"fno.{name}": sign * units for name, sign in row.items()}


@pytest.mark.parametrize("origin", LIVING)
@pytest.mark.parametrize("target", ORDER)
def test_each_move_of_the_table_is_taken_or_refused_and_leaves_the_figures_of_its_status(origin, target):
    teller = Teller()
    said(teller.order(10, origin))
    answer = teller.move(target, origin=origin)
    if TRANSITIONS[origin][target] is Step.ILLEGAL:
        assert refused(answer) is Reason.ILLEGAL_MOVE
        assert teller.standing == {origin.value: 10}
        assert teller.figures == fno(DEFAULT[origin], 10)
    else:
        assert said(answer).changed is (origin is not target)
        assert teller.standing == {target.value: 10}
        assert teller.figures == fno(DEFAULT[target], 10)


def test_forward_is_always_legal_and_a_cancelled_quantity_goes_nowhere():
    for rank, origin in enumerate(LIVING):
        assert all(TRANSITIONS[origin][target] is Step.FORWARD for target in LIVING[rank + 1 :])
    assert {TRANSITIONS[S.CANCELLED][target] for target in LIVING} == {Step.ILLEGAL}
    assert {TRANSITIONS[one][one] for one in Status} == {Step.SAME}


def test_where_the_workflow_owns_the_quantity_a_shipped_line_counts_nowhere():
    teller = Teller(physical_owner="workflow")
    said(teller.order(10, S.RESERVED_PHYSICAL))
    assert teller.figures == fno(DEFAULT[S.RESERVED_PHYSICAL], 10)
    said(teller.move(S.PICKED))
    assert teller.figures == {}
    said(teller.move(S.RESERVED_PHYSICAL, origin=S.PICKED))
    assert teller.figures == fno(DEFAULT[S.RESERVED_PHYSICAL], 10)


def test_the_owner_is_that_of_the_warehouse():
    teller = Teller(physical_owner="workflow", warehouse_owners={"11": "erp"})
    said(teller.order(10, S.SOLD))
    assert teller.figures == fno(DEFAULT[S.SOLD], 10)


def test_a_changed_table_takes_away_exactly_what_was_added():
    teller = Teller()
    said(teller.order(10, S.PICKED))
    teller.parameters = Teller(physical_owner="workflow", deltas={S.DEDUCTED: {"deducted": 1}}).parameters
    said(teller.move(S.DEDUCTED))
    assert teller.figures == {}


# The offset --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", LIVING[1:])
def test_reserve_offsets_at_the_first_status_from_reserved_on(first):
    teller = Teller()
    said(teller.order(10))
    assert teller.offsets == []
    said(teller.move(first))
    assert teller.offsets == [10]


def test_on_order_offsets_when_the_line_is_created_with_the_quantity_of_the_line():
    teller = Teller(offset_modifier="onOrder")
    said(teller.order(10))
    assert teller.offsets == [10]
    said(teller.move(S.SOLD))
    assert teller.offsets == [10]


def test_each_part_offsets_the_quantity_that_triggered_it():
    teller = Teller()
    said(teller.order(10))
    said(teller.move(S.RESERVED_PHYSICAL, 4))
    said(teller.move(S.PICKED, 7, origin=None))  # the four that are reserved, and three that skipped it
    assert teller.offsets == [4, 3]
    said(teller.move(S.SOLD))
    assert teller.offsets == [4, 3, 3]


def test_back_restores_nothing_and_forward_again_offsets_nothing():
    teller = Teller()
    said(teller.order(10, S.RESERVED_PHYSICAL))
    said(teller.move(S.ON_ORDER, origin=S.RESERVED_PHYSICAL))
    assert teller.figures == {"fno.onorder": 10}
    said(teller.move(S.SOLD))
    assert teller.offsets == [10]


def test_a_unit_that_comes_back_from_cancellation_is_the_same_unit():
    teller = Teller()
    said(teller.order(10, S.RESERVED_PHYSICAL))
    said(teller.order(6))
    assert teller.standing == {"reservedPhysical": 6, "cancelled": 4}
    said(teller.order(12))
    said(teller.move(S.PICKED))
    assert teller.offsets == [10, 2]


def test_what_is_lowered_is_what_was_not_offset():
    teller = Teller()
    said(teller.order(10))
    said(teller.move(S.RESERVED_ORDERED, 4))
    said(teller.order(7))
    assert teller.standing == {"reservedOrdered": 4, "onOrder": 3, "cancelled": 3}
    said(teller.order(0))
    assert teller.standing == {"cancelled": 10}


def test_a_line_without_a_reservation_offsets_nothing_until_it_has_one():
    teller = Teller(reservation=Reservation())
    said(teller.order(10, S.RESERVED_PHYSICAL))
    assert teller.offsets == []
    teller.reservation = Reservation(reservation_id="x")
    said(teller.order(10))
    said(teller.move(S.PICKED))
    assert teller.offsets == [10]


def test_offsetting_can_be_switched_off():
    teller = Teller(offset_enabled=False)
    said(teller.order(10, S.SOLD))
    assert teller.offsets == []


def test_a_cancelled_quantity_gives_its_reservation_back_only_if_the_line_says_so():
    silent, giving = Teller(), Teller(release_on_cancel=True)
    for teller in (silent, giving):
        said(teller.order(10))
        said(teller.move(S.CANCELLED, 4))
    assert silent.line.offsets == []
    assert [(one.quantity // 1_000_000, one.release) for one in giving.line.offsets] == [(4, True)]
    said(giving.order(10))
    said(giving.move(S.SOLD))
    assert giving.offsets == [6]


def test_ship_then_cancel_is_refused_and_compensates_nothing():
    teller = Teller()
    said(teller.order(10, S.SOLD))
    before = teller.figures
    assert refused(teller.move(S.CANCELLED)) is Reason.ILLEGAL_MOVE
    assert refused(teller.order(3)) is Reason.ILLEGAL_MOVE
    assert (teller.figures, teller.offsets) == (before, [10])


def test_cancelling_all_is_all_or_nothing():
    teller = Teller()
    said(teller.order(10))
    said(teller.move(S.PICKED, 4))
    assert refused(teller.move(S.CANCELLED)) is Reason.ILLEGAL_MOVE
    assert teller.standing == {"onOrder": 6, "picked": 4}
    said(teller.move(S.CANCELLED, 6))
    assert teller.standing == {"cancelled": 6, "picked": 4}


# Messages ----------------------------------------------------------------------------------------------------


def test_a_repeated_message_is_a_replay_and_another_content_under_its_id_is_refused():
    teller = Teller()
    said(teller.order(10))
    said(teller.move(S.PICKED, 4, id="x", fingerprint=1))
    assert said(teller.move(S.PICKED, 4, id="x", fingerprint=1)).replayed
    assert refused(teller.move(S.PICKED, 8, id="x", fingerprint=2)) is Reason.PAYLOAD_MISMATCH
    assert teller.standing == {"onOrder": 6, "picked": 4}


def test_what_is_so_already_changes_nothing():
    teller = Teller()
    said(teller.order(10, S.PICKED))
    assert not said(teller.move(S.PICKED)).changed
    assert not said(teller.order(10)).changed
    assert len(teller.line.pending) == 1


def test_a_late_message_never_moves_a_line_back():
    teller = Teller()
    said(teller.order(10, S.SOLD))
    assert refused(teller.move(S.DEDUCTED)) is Reason.ILLEGAL_MOVE
    assert refused(teller.move(S.PICKED)) is Reason.ILLEGAL_MOVE
    assert teller.standing == {"sold": 10}


def test_more_than_there_is_cannot_move():
    teller = Teller()
    said(teller.order(10))
    assert refused(teller.move(S.PICKED, 11)) is Reason.ILLEGAL_MOVE
    assert refused(teller.move(S.PICKED, transaction="T9")) is Reason.UNKNOWN_TRANSACTION


def test_a_named_transaction_splits_and_keeps_its_name():
    teller = Teller()
    said(teller.order(10, transaction="A"))
    said(teller.move(S.PICKED, 4, transaction="A", new_transaction="B"))
    parts = [(one.id, one.status, one.quantity // 1_000_000) for one in teller.line.transactions]
    assert parts == [("A", S.ON_ORDER, 6), ("B", S.PICKED, 4)]


@pytest.mark.parametrize("reused", ["A", "B", "T3"])
def test_an_id_that_a_transaction_of_the_line_has_is_refused_for_another(reused):
    """Two of one name: nobody could say any more which one a message means."""
    teller = Teller()
    said(teller.order(10, transaction="A"))
    said(teller.move(S.PICKED, 2, transaction="A", new_transaction="B", id="split", fingerprint=1))
    said(teller.move(S.RESERVED_PHYSICAL, 2, transaction="A"))
    before = teller.line
    answer = teller.move(S.PICKED, 2, origin=S.ON_ORDER, new_transaction=reused)
    assert refused(answer) is Reason.DUPLICATE_ID
    assert repr(reused) in answer.message
    assert teller.line == before
    assert said(
        teller.move(S.PICKED, 2, transaction="A", new_transaction="B", id="split", fingerprint=1)
    ).replayed


def test_a_generated_id_passes_over_those_that_the_erp_gave():
    teller = Teller()
    said(teller.order(10, transaction="T2"))
    said(teller.move(S.PICKED, 4, transaction="T2"))
    said(teller.move(S.DEDUCTED, 1, origin=S.PICKED, new_transaction="T4"))
    said(teller.order(12))
    ids = [one.id for one in teller.line.transactions]
    assert len(ids) == len(set(ids)) == 4


def test_picking_tells_the_batch_and_the_figures_go_to_its_record():
    teller = Teller()
    said(teller.order(10, S.RESERVED_PHYSICAL))
    said(teller.move(S.PICKED, dimensions={"batchid": "B7"}))
    taken, given = teller.line.pending[1].changes
    assert (taken.dimensions, given.dimensions) == (RED, {**RED, "batchid": "B7"})
    assert taken.figures["fno.reservphysical"] == -10_000_000
    assert given.figures["fno.physicalinvent"] == -10_000_000


def test_a_line_moves_to_another_warehouse_only_before_it_is_picked():
    teller = Teller()
    said(teller.order(10, S.RESERVED_PHYSICAL))
    said(teller.order(10, dimensions={**RED, "locationid": "12"}))
    assert {part.dimensions["locationid"] for part in teller.line.transactions} == {"12"}
    assert teller.figures == fno(DEFAULT[S.RESERVED_PHYSICAL], 10)
    said(teller.move(S.PICKED))
    assert refused(teller.order(10)) is Reason.ILLEGAL_MOVE


def test_another_product_is_another_line():
    teller = Teller()
    said(teller.order(10))
    assert refused(teller.order(10, product="D0003")) is Reason.INVALID_VALUE


def test_a_line_reserved_elsewhere_can_only_be_lowered():
    teller = Teller(reservation=Reservation(reservation_id="x", external=True))
    said(teller.order(10))
    assert refused(teller.order(11)) is Reason.EXTERNALLY_RESERVED
    assert refused(teller.order(10, reservation=Reservation(auto=True))) is Reason.EXTERNALLY_RESERVED
    said(teller.order(4))


def test_supplied_figures_are_taken_as_they_are_and_the_workflow_keeps_what_is_physical():
    figures = {"fno.reservphysical": -10_000_000, "fno.physicalinvent": -10_000_000, "fno.picked": 10_000_000}
    erp = Teller(figures="supplied")
    said(erp.order(10, S.RESERVED_PHYSICAL, figures={"fno.reservphysical": 10_000_000}))
    said(erp.move(S.PICKED, figures=figures))
    assert erp.figures == {"fno.physicalinvent": -10, "fno.picked": 10}
    workflow = Teller(figures="supplied", physical_owner="workflow")
    said(workflow.order(10, S.RESERVED_PHYSICAL, figures={"fno.reservphysical": 10_000_000}))
    said(workflow.move(S.PICKED, figures=figures))
    assert workflow.figures == {}


def test_supplied_figures_that_belong_to_no_change_are_refused_and_not_dropped():
    teller = Teller(figures="supplied")
    said(teller.order(10, S.PICKED, figures={"fno.picked": 10_000_000}))
    for answer in (
        teller.move(S.PICKED, figures={"fno.picked": 3_000_000}),
        teller.order(10, figures={"fno.picked": 3_000_000}),
    ):
        assert refused(answer) is Reason.INVALID_VALUE
        assert "erp/sync" in answer.message
    assert not said(teller.move(S.PICKED, figures={"fno.picked": 0})).changed
    assert teller.figures == {"fno.picked": 10}


def test_supplied_figures_that_come_with_other_terms_of_the_line_are_posted():
    teller = Teller(figures="supplied")
    said(teller.order(10))
    said(teller.order(10, order_id="SO-2", figures={"fno.onorder": 10_000_000}))
    assert teller.figures == {"fno.onorder": 10}


# Soft reservation by the ERP, adjustments ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "answer"), [("block", "refused"), ("warning", "warned"), ("ignore", "silent")]
)
def test_the_block_level_decides_what_a_line_without_a_soft_reservation_may_do(level, answer):
    teller = Teller(reservation=Reservation(), soft_reservation=True, block_level=level)
    said(teller.order(10))
    outcome = teller.move(S.RESERVED_PHYSICAL)
    if answer == "refused":
        assert refused(outcome) is Reason.SOFT_RESERVATION_MISSING
        assert teller.standing == {"onOrder": 10}
    else:
        assert bool(said(outcome).warnings) is (answer == "warned")
        assert teller.line.soft.skipped == 10_000_000


def test_an_adjustment_is_taken_back_once_on_the_record_that_its_flags_name():
    rule = {
        "kind": "salesOrder", "trigger": "invoice", "data_source": "pos", "physical_measure": "Sold", "warehouse": False,
    }  # fmt: skip
    from onhand.core.erp.lines import AdjustmentSource
    from onhand.core.erp.parameters import AdjustmentOffset

    teller = Teller(adjustment_offsets=(AdjustmentOffset(**rule),))
    said(teller.order(10, adjustment=AdjustmentSource(data_source="POS", physical_measure="sold")))
    said(teller.move(S.SOLD))
    changes = teller.line.pending[-1].changes
    assert changes[-1].dimensions == {"siteid": "1", "colorid": "red", "sizeid": "small"}
    assert changes[-1].figures == {"pos.sold": -10_000_000}
    said(teller.move(S.DEDUCTED, origin=S.SOLD))
    said(teller.move(S.SOLD))
    assert teller.figures["pos.sold"] == -10
