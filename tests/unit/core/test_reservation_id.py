"""The shared reservation id is a UUID of version 5: clients keep it, so it never changes."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest

from onhand.core.keys import RESERVATIONS, ProductKey, reservation_id


@pytest.mark.parametrize("number", range(300))
def test_it_is_the_uuid_of_product_cell_and_measure(number):
    product = ProductKey(number, 1, "usmf", f"p{number}")
    made = reservation_id(product, "siteid=1", ("iv", "softreserved"))
    assert made == str(uuid5(RESERVATIONS, f"1|usmf|p{number}|siteid=1|iv.softreserved"))
    assert reservation_id(product, "siteid=1", ("iv", "softreserved"), hyphens=False) == UUID(made).hex
