"""Inventory transactions: keys that cannot be confused, labels, references."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from onhand.core.commands import DocumentKey
from onhand.core.orders.transactions import (
    TRANSACTION,
    Effect,
    EffectKind,
    InventoryTransaction,
    internal_reference,
    is_documented,
    transaction_key,
    transaction_labels,
)

ORDER = DocumentKey(7, 1, "order", "O1")
ids = st.text(alphabet='A1",\\[]:é', max_size=4)
effects = st.builds(Effect, st.sampled_from(EffectKind), ids, ids, ids, ids, st.booleans())


def test_a_reference_without_separators_does_not_confuse_lines() -> None:
    one = Effect(EffectKind.REDUCE, "A1", "2", "L")
    two = Effect(EffectKind.REDUCE, "A", "12", "L")
    assert one.id != two.id
    assert (
        Effect(EffectKind.REDUCE, "O", "return", "L").id
        != Effect(EffectKind.POS_RETURN, "O", "", "L", "return").id
    )
    assert (
        Effect(EffectKind.REDUCE, "O", "S", "L", is_virtual=True).id
        != Effect(EffectKind.REDUCE, "O", "S", "L").id
    )


@given(effects, effects)
def test_different_effects_have_different_ids(one: Effect, two: Effect) -> None:
    assert (one.id == two.id) == (one == two)


def test_a_transaction_lives_with_its_order() -> None:
    effect = Effect(EffectKind.REDUCE, "O1", "S1", "L1")
    key = transaction_key(ORDER, effect, "run", 1)
    assert (key.d, key.environment, key.kind, key.id) == (7, 1, TRANSACTION, effect.id)
    first, second = (transaction_key(ORDER, None, "run", number).id for number in (1, 2))
    assert len({first, second, transaction_key(ORDER, None, "run 2", 1).id}) == 3


def test_labels_fold_names_and_keep_ids() -> None:
    transaction = InventoryTransaction(
        id="T",
        transaction_date=datetime(2026, 1, 1, tzinfo=UTC),
        transaction_type="ReduceInventory",
        variant=" Sku-A",
        warehouse_code="WH1",
        inventory_change=Decimal(-1),
        order_id="o/A",
        user_id="Kari",
    )
    assert transaction_labels(transaction) == (
        "sku=sku-a",
        "warehouse=wh1",
        "type=reduceinventory",
        "user=kari",
        "order=o/A",
    )


def test_the_reference_is_for_people() -> None:
    assert internal_reference("O1", "S1", "L1") == "O1:S1:L1"
    assert internal_reference("O1", "", "L1", "R1") == "O1:return:R1:L1"


def test_which_commands_have_documents() -> None:
    assert is_documented("order~O1")
    assert is_documented("item~x")
    assert not is_documented("O1-order~")
