"""Whatever the store does to a unit, each submission gets one right answer and has at most one effect."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from hypothesis import event, given, settings
from hypothesis import strategies as st

from onhand.core.commands import DocumentKey, DocumentWrite, Group, Kind, Work
from onhand.core.outcomes import Accepted, GroupOutcome, Rejected, Replayed
from onhand.core.quantities import SCALE
from onhand.core.rules import Rules
from onhand.rows import ConfigurationRow
from onhand.service.auditor import Auditor
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.faults import Fault, OutcomeUnknown
from tests.memory import Ear, MemoryCatalogue, MemoryStore, Mishap, StillClock
from tests.shop import ON_HAND, change, key, reserve

NODE = "siteid=1&locationid=11"
PRODUCTS = ("bike", "helmet", "bell")
STOCKED = 7

submissions = st.lists(
    st.tuples(
        st.sampled_from(["change", "reserve", "note"]),
        st.sampled_from(PRODUCTS),
        st.integers(1, 4),
        st.integers(0, 5),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=20,
)
"""(what, product, units, number of the id, batcher). A note is a group of nothing but a document that must be new."""

schedules = st.lists(
    st.sampled_from(list(Mishap)) | st.sampled_from([Mishap.LOST_BUT_LANDED, Mishap.LOST_AND_GONE]),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(
    submissions,
    schedules,
    st.sampled_from([0.0, 60.0]),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([0, 1, 100]),
)
def test_each_submission_has_one_right_answer(
    wanted, schedule, settle_seconds, batch_max, bulk, cells_remembered
):
    asyncio.run(_play(wanted, schedule, settle_seconds, batch_max, cells_remembered, bulk=bulk))


def note(key: DocumentKey, body: bytes) -> Callable[[Rules], Group]:
    """Make a document that must be new."""
    return lambda _rules: Group(
        commands=(), documents=(key,), finish=lambda _concluded: [DocumentWrite(key, 0, body)]
    )


class Wanted:
    """One submission. Equal ids have equal bodies: they are honest retries. The body of each note is another one."""

    def __init__(
        self, what: str, product: str, units: int, number: int, batcher: int, body: bytes = b""
    ) -> None:
        self.what = what
        self.product = product
        self.units = units
        self.batcher = batcher
        self.command_id = f"{what}-{product}-{units}-{number}"
        self.kind = Kind.CHANGE if what == "change" else Kind.RESERVE
        self.document = DocumentKey(number, 1, "note", product)
        self.body = body
        self.build: Callable[[Rules], Work] = (
            note(self.document, body)
            if what == "note"
            else (change if what == "change" else reserve)(product, units, self.command_id)
        )


class World:
    """Two batchers, as two processes, over one store."""

    def __init__(self, settle_seconds: float, batch_max: int, cells_remembered: int) -> None:
        catalogue = MemoryCatalogue()
        self.store = MemoryStore(catalogue.versions)
        self.environments = Environments(catalogue)
        self.batchers = [
            Batcher(
                self.store,
                self.environments,
                StillClock(),
                probe=Ear(),
                lanes=2,
                batch_max=batch_max,
                conflict_retries=2,
                retry_pause_seconds=0.0,
                settle_seconds=settle_seconds,
                deadline_seconds=600.0,
                cells_remembered=cells_remembered,
            )
            for _ in range(2)
        ]

    async def open(self) -> None:
        assert isinstance(await self.environments.create("shop", "standalone", "ops"), ConfigurationRow)
        self.rules = self.environments.rules("shop")
        for batcher in self.batchers:
            await batcher.start()
        await self.batchers[0].submit_all(
            self.rules, [change(product, STOCKED, f"stock-{product}") for product in PRODUCTS]
        )
        # The optimistic road leaves the first reservation at a position to the other one.
        await self.batchers[0].submit_all(
            self.rules, [reserve(product, 1, f"first-{product}") for product in PRODUCTS]
        )

    async def close(self) -> None:
        for batcher in self.batchers:
            await batcher.stop()

    def recorded(self, one: Wanted) -> bool:
        if one.what == "note":
            stored = self.store.documents.get(one.document)
            return stored is not None and stored.body == one.body
        return (self.rules.environment, one.kind, one.command_id) in self.store.ids

    async def submit(self, wanted: list[Wanted], *, bulk: bool) -> list[object]:
        if not bulk:
            singles = (self.batchers[one.batcher].submit("shop", one.build) for one in wanted)
            return list(await asyncio.gather(*singles, return_exceptions=True))
        answers: dict[int, object] = {}
        for number, batcher in enumerate(self.batchers):
            mine = [index for index, one in enumerate(wanted) if one.batcher == number]
            found = await batcher.submit_all(self.rules, [wanted[index].build for index in mine])
            answers.update(zip(mine, found, strict=True))
        return [answers[index] for index in range(len(wanted))]


async def _play(asked, schedule, settle_seconds, batch_max, cells_remembered, *, bulk) -> None:
    world = World(settle_seconds, batch_max, cells_remembered)
    await world.open()
    wanted = [Wanted(*one, body=b"%d" % index) for index, one in enumerate(asked)]
    world.store.mishaps = iter(schedule)
    answers = await world.submit(wanted, bulk=bulk)
    await world.close()
    world.store.arrive(world.store.late)

    times = Counter(one.command_id for one in wanted)
    for one, answer in zip(wanted, answers, strict=True):
        event(type(answer).__name__)
        if one.what == "note":
            _check_note(answer, recorded=world.recorded(one), exists=one.document in world.store.documents)
            continue
        _check_answer(answer, recorded=world.recorded(one), alone=times[one.command_id] == 1)
        if one.what == "change":
            assert not isinstance(answer, Rejected)
    effective = [one for one in wanted if one.what != "note" and world.recorded(one)]
    _check_stock(world, {one.command_id: one for one in effective}.values())
    report = await Auditor(world.store, world.environments, probe=Ear()).audit("shop")
    assert report.clean, report.drifts


def _check_answer(answer: object, *, recorded: bool, alone: bool) -> None:
    assert isinstance(answer, Accepted | Replayed | Rejected | Fault), answer
    if isinstance(answer, Accepted | Replayed):
        assert recorded
    elif not isinstance(answer, OutcomeUnknown):
        assert not (recorded and alone), "said that nothing was recorded"
    if alone:
        assert not isinstance(answer, Replayed), "a first-time caller is never told that it was a replay"


def _check_note(answer: object, *, recorded: bool, exists: bool) -> None:
    """Whoever is told that the document is its own is right, and nobody else's is."""
    assert isinstance(answer, GroupOutcome | Fault), answer
    if isinstance(answer, GroupOutcome):
        assert answer.accepted == recorded
        assert exists
    elif not isinstance(answer, OutcomeUnknown):
        assert not recorded, "said that nothing was recorded"


def _check_stock(world: World, effective: Iterable[Wanted]) -> None:
    on_hand = dict.fromkeys(PRODUCTS, STOCKED)
    held = dict.fromkeys(PRODUCTS, 1)
    for one in effective:
        (on_hand if one.what == "change" else held)[one.product] += one.units
    for product in PRODUCTS:
        at = key(world.rules, product)
        assert world.store.own(at, NODE, world.rules.measures[ON_HAND]) == on_hand[product] * SCALE
        assert world.store.own(at, NODE, min(world.rules.mapped)) == held[product] * SCALE
        assert held[product] <= on_hand[product], "oversold"
