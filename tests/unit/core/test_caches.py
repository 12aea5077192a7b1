"""The core remembers what it is asked often; all of it together stays far below the 300 MB of a process."""

from __future__ import annotations

import tracemalloc

from onhand.core import configuration, dimensions, grouping, keys, plain, presets
from onhand.core.erp import targets
from onhand.core.rules import Switches

MEGABYTES = 100
SPELLINGS = 60_000
"""More than any cache keeps."""


def test_all_caches_together_stay_small():
    document = configuration.normalize(presets.document("standalone", "shop"))
    measures = dict(enumerate(configuration.declared_measures(document), 1))
    rules = configuration.compile_rules(1, "shop", 1, document, Switches(), measures)
    tracemalloc.start()
    try:
        for number in range(SPELLINGS):
            product = keys.product_key(1, "usmf", f"product-{number:07d}")
            assert targets.subject(rules, "USMF", f"Product-{number:07d}").key == product
            if number % 4:  # the others keep fewer entries
                continue
            given = {"siteId": "site1", "locationId": f"loc{number % 50}", "styleId": f"Style {number}"}
            named = dimensions.name_dimensions(rules, {**given, "colorId": "Blue", "sizeId": "XL"}, None)
            dimensions.reservation_node(rules, named)
            cell = dimensions.record_position(rules, named).key
            plain.parts(cell)
            grouping._place(cell, rules.partition)
            grouping._values(cell)
            keys.reservation_id(product, cell, ("iv", "softreserved"))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < MEGABYTES * 1_000_000
