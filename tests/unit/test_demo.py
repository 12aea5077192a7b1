"""The demo's parts: the generator repeats itself, and the audit can fail."""

import random
from collections import Counter

from onhand.cli.demo.audit import Stock, checks, orders_check
from onhand.cli.demo.channels import Books
from onhand.cli.demo.retailer import WAREHOUSES, make_retailer
from onhand.service.auditor import AuditReport


def test_the_same_seed_makes_the_same_retailer():
    one, two, other = make_retailer(1, 200), make_retailer(1, 200), make_retailer(2, 200)
    assert one.stock == two.stock
    assert one.wanted == two.wanted
    assert one.stock != other.stock
    dice = random.Random(5), random.Random(5)
    assert [one.choose(dice[0]) for _ in range(50)] == [two.choose(dice[1]) for _ in range(50)]


def test_the_retailer_is_of_the_promised_shape():
    shop = make_retailer(1)
    assert len({product.id for product in shop.products}) == 2_000
    assert len(WAREHOUSES) == 12
    assert len({place.site for place in WAREHOUSES}) == 4
    assert all(pieces >= 1 for pieces in shop.stock.values())
    assert {variant.warehouse for variant in shop.stock} == set(WAREHOUSES)


def test_popular_products_are_wanted_more_and_stocked_less():
    shop = make_retailer(1, 500)
    chosen = Counter(shop.choose(random.Random(seed)).product.id for seed in range(400))
    popular = {product.id for product in shop.products[:50]}
    assert sum(count for product, count in chosen.items() if product in popular) > 150
    pieces = [count for variant, count in shop.stock.items() if variant.product.id in popular]
    others = [count for variant, count in shop.stock.items() if variant.product.id not in popular]
    assert sum(pieces) / len(pieces) < sum(others) / len(others)


SLIM, WIDE, ANY = (("P", "1", "11", "red", "S", style) for style in ("slim", "wide", ""))
CLEAN = AuditReport(environment_id="retail", products=1)


def failed(stock, books, *, loaded=None, drop=(3, 9, 3), report=CLEAN):
    found = checks(stock, loaded if loaded is not None else stock.on_hand, [books], drop, report)
    return [check.says for check in found if not check.passed]


def books(**held):
    made = Books("web")
    made.held.update(dict(zip((SLIM, WIDE, ANY), held.values(), strict=False)))
    return made


def stock(on_hand, reserved):
    nodes = (SLIM, WIDE, ANY)
    return Stock(
        Counter(dict(zip(nodes, on_hand, strict=True))), Counter(dict(zip(nodes, reserved, strict=True)))
    )


def test_a_clean_run_passes():
    assert failed(stock((2, 2, 0), (1, 1, 2)), books(a=1, b=1, c=2)) == []


def test_too_much_at_a_style_is_found():
    assert failed(stock((2, 2, 0), (3, 0, 0)), books(a=3)) == ["No piece was sold twice"]


def test_styles_and_any_style_together_beyond_the_stock_is_found():
    assert failed(stock((2, 2, 0), (2, 1, 2)), books(a=2, b=1, c=2)) == ["No piece was sold twice"]


def test_books_that_differ_are_found():
    assert failed(stock((2, 2, 0), (1, 0, 0)), books(a=2)) == ["The channels' books agree"]


def test_lost_stock_is_found():
    assert failed(stock((2, 2, 0), (0, 0, 0)), books(), loaded=Counter({SLIM: 5})) == [
        "No piece of stock got lost"
    ]


def test_a_short_flash_sale_and_a_double_count_are_found():
    twice = books()
    twice.contradicted = 1
    found = failed(stock((2, 2, 0), (0, 0, 0)), twice, drop=(3, 9, 2))
    assert found == ["The flash sale sold what was there", "A request sent twice counts once"]


def test_drift_of_the_ledger_is_found():
    report = AuditReport(environment_id="retail", products=1, drift_count=1)
    assert failed(stock((2, 2, 0), (0, 0, 0)), books(), report=report) == ["The ledger folds to the stock"]


def test_a_line_that_left_twice_or_not_at_all_is_found():
    assert orders_check(2, [("W-1", "A"), ("W-1", "B")]).passed
    assert not orders_check(2, [("W-1", "A"), ("W-1", "A")]).passed
    assert not orders_check(2, [("W-1", "A")]).passed
