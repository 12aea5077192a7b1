"""When an order cannot be changed: somebody works on it, or the client knows another version."""

from __future__ import annotations

from datetime import timedelta

from onhand.core.orders.applying import Stored
from onhand.core.orders.record import Run
from onhand.core.orders.refusals import Code
from onhand.service.workflow.saving import blocked
from onhand.service.workflow.searching import order_key
from tests.unit.core.orders.order_values import NOW, order, record

LATER = NOW + timedelta(seconds=30)


def stored(of=None, **more) -> Stored:
    return Stored(order_key(1, "O1"), 7, record(of, revision=4, **more))


def code(found) -> Code | None:
    return None if found is None else found.code


def test_the_version_that_the_client_changed_must_be_the_present_one() -> None:
    one = stored(order())
    assert blocked(one, None, NOW) is None
    assert blocked(one, "4", NOW) is None
    assert code(blocked(one, "3", NOW)) is Code.VERSION_CONFLICT
    assert code(blocked(stored(), "4", NOW)) is Code.VERSION_CONFLICT


def test_an_order_is_locked_while_somebody_holds_its_run() -> None:
    run = Run(id="r", status="Ship", order_type="Online", started_at=NOW, claimed_to=LATER)
    one = stored(order(), run=run)
    found = blocked(one, None, NOW)
    assert found is not None
    assert (found.code, "'Ship'" in found.message) == (Code.ORDER_LOCKED, True)
    assert blocked(one, None, LATER) is None


def test_a_stale_version_is_said_before_the_lock() -> None:
    run = Run(id="r", status="Ship", order_type="Online", started_at=NOW, claimed_to=LATER)
    assert code(blocked(stored(order(), run=run), "3", NOW)) is Code.VERSION_CONFLICT
