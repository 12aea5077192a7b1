import pytest

from onhand.core.keys import product_key
from onhand.core.quantities import SCALE
from onhand.rows import ConfigurationRow, ProductAudit
from onhand.service.auditor import Auditor, AuditReport, drifts
from onhand.service.environments import Environments
from tests.memory import Ear, MemoryCatalogue

CELL = "siteid=1&locationid=11&colorid=red"
LOT = f"{CELL}&batchid=b1"


@pytest.fixture
async def environments() -> Environments:
    made = Environments(MemoryCatalogue())
    assert isinstance(await made.create("shop", "standalone", "ops"), ConfigurationRow)
    return made


def sound(environments: Environments, product: str = "bike") -> ProductAudit:
    """A product whose books agree: 5 at the cell, 3 in a lot below it, 2 held."""
    rules = environments.rules("shop")
    stock = rules.measures["iv", "onhand"]
    reserved = next(iter(rules.mapped))
    return ProductAudit(
        product=product_key(rules.environment, "usmf", product),
        version=3,
        stock={(CELL, stock): (5, 3, 0), (LOT, stock): (3, 0, 0), (CELL, reserved): (2, 0, 2)},
        cells={CELL: CELL, LOT: CELL},
        folded={(CELL, stock): 5, (LOT, stock): 3, (CELL, reserved): 2},
        open_holds={(CELL, reserved): 2},
        sequences=3,
    )


class Shelf:
    """A reader with given audits."""

    def __init__(self, audits: list[ProductAudit]) -> None:
        self.audits = {audit.product: audit for audit in sorted(audits, key=lambda audit: audit.product)}
        self.asked: list[int] = []

    async def products(self, _environment, after, limit):
        return [key for key in self.audits if after is None or key > after][:limit]

    async def audit(self, products):
        self.asked.append(len(products))
        return [self.audits[key] for key in products]


def test_sound_books_have_no_drift(environments):
    assert list(drifts(sound(environments), environments.rules("shop"))) == []


@pytest.mark.parametrize(
    ("invariant", "expected", "found"), [("I3", 6, 5), ("I3-finer", 4, 3), ("I2", 1, 2), ("I5", 3, 2)]
)
def test_each_kind_of_drift_is_named_with_its_place(environments, invariant, expected, found):
    rules = environments.rules("shop")
    audit = sound(environments)
    stock, reserved = rules.measures["iv", "onhand"], next(iter(rules.mapped))
    match invariant:
        case "I3":
            audit.folded[CELL, stock] = 6
        case "I3-finer":
            audit.folded[LOT, stock] = 4
            audit.stock[LOT, stock] = (4, 0, 0)
        case "I2":
            audit.open_holds[CELL, reserved] = 1
        case "I5":
            audit.sequences = 2
    (drift,) = drifts(audit, rules)
    assert drift.invariant == invariant[:2]
    assert (drift.expected, drift.found) == (expected, found)
    assert drift.product == "bike"
    if invariant != "I5":
        assert drift.position == CELL
        assert (drift.source, drift.measure) == rules.names[reserved if invariant == "I2" else stock]


def test_a_row_that_is_missing_altogether_is_a_drift(environments):
    audit = sound(environments)
    del audit.stock[LOT, environments.rules("shop").measures["iv", "onhand"]]
    found = list(drifts(audit, environments.rules("shop")))
    assert {(drift.position, drift.expected, drift.found) for drift in found} == {(CELL, 0, 3), (LOT, 3, 0)}


async def test_an_audit_reads_page_by_page_and_reports_as_it_goes(environments):
    shelf = Shelf([sound(environments, f"p{number}") for number in range(7)])
    heard: list[int] = []
    report = await Auditor(shelf, environments, probe=Ear(), page=3).audit(
        "shop", lambda so_far: heard.append(so_far.products)
    )
    assert shelf.asked == [3, 3, 1]
    assert heard == [3, 6, 7]
    assert report.clean
    assert (report.products, report.records) == (7, 21)


async def test_the_list_of_drifts_is_bounded_and_the_count_is_not(environments):
    audits = [sound(environments, f"p{number}") for number in range(5)]
    reserved = next(iter(environments.rules("shop").mapped))
    for audit in audits:
        audit.open_holds[CELL, reserved] = 2 + 4 * SCALE
    ear = Ear()
    report = await Auditor(Shelf(audits), environments, probe=ear, drifts_max=2).audit("shop")
    assert not report.clean
    assert (len(report.drifts), report.drift_count, report.units) == (2, 5, 20 * SCALE)
    assert ear.audits == [("shop", 20.0, 5)]


async def test_reports_do_not_share_their_lists(environments):
    assert AuditReport(environment_id="a").drifts is not AuditReport(environment_id="b").drifts
