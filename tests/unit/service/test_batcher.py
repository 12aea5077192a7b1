import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from onhand.core.commands import Document, DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.outcomes import Accepted, GroupOutcome, Reason, Rejected, Replayed
from onhand.core.quantities import SCALE
from onhand.core.snapshot import Decision
from onhand.rows import ConfigurationRow
from onhand.service.environments import Environments
from onhand.service.faults import (
    Busy,
    Conflict,
    DeadlineExceeded,
    InvariantViolation,
    OutcomeUnknown,
    StoreUnavailable,
    UnknownEnvironment,
)
from tests.house import SHOP, House, settle
from tests.memory import Mishap
from tests.shop import change, reserve


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    assert isinstance(await made.environments.create(SHOP, "standalone", "ops"), ConfigurationRow)
    yield made
    for batcher in made.batchers:
        await batcher.stop()


async def fault_of(submission: Awaitable[object]) -> BaseException:
    (fault,) = await asyncio.gather(submission, return_exceptions=True)
    assert isinstance(fault, BaseException)
    return fault


# One submission ----------------------------------------------------------------------------------------------


async def test_a_submission_is_decided_committed_and_answered(house):
    batcher = await house.batcher()
    assert isinstance(await batcher.submit(SHOP, change("bike", 5, "c1")), Accepted)
    outcome = await batcher.submit(SHOP, reserve("bike", 3, "r1"))
    assert isinstance(outcome, Accepted)
    assert outcome.available == 2 * SCALE
    assert house.on_hand("bike") == 5


async def test_a_shortage_is_a_value_and_is_recorded(house):
    batcher = await house.batcher()
    outcome = await batcher.submit(SHOP, reserve("bike", 3, "r1"))
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.SHORTAGE
    assert [refusal.command_id for refusal in house.store.refused] == ["r1"]


async def test_a_second_submission_with_the_same_id_is_a_replay(house):
    batcher = await house.batcher()
    first = await batcher.submit(SHOP, change("bike", 5, "c1"))
    again = await batcher.submit(SHOP, change("bike", 5, "c1"))
    assert again == Replayed(first)
    assert house.on_hand("bike") == 5


async def test_what_does_not_build_is_answered_without_a_batch(house):
    batcher = await house.batcher()
    outcome = await batcher.submit(SHOP, reserve("bike", 1, "r1", dimensions={"siteId": "1"}))
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.PARTITION_MISSING
    assert house.store.units == 0


async def test_an_unknown_environment_is_a_fault_and_a_new_one_is_found(house):
    batcher = await house.batcher()
    assert isinstance(await fault_of(batcher.submit("nobody", change("bike", 1, "c1"))), UnknownEnvironment)
    await Environments(house.catalogue).create("annex", "standalone", "ops")
    house.environments._listed_at = float("-inf")
    assert isinstance(await batcher.submit("annex", change("bike", 1, "c1")), Accepted)


async def test_a_build_that_fails_concerns_its_caller_only(house):
    batcher = await house.batcher()

    def broken(_rules):
        raise ZeroDivisionError

    assert isinstance(await fault_of(batcher.submit(SHOP, broken)), ZeroDivisionError)
    assert isinstance(await batcher.submit(SHOP, change("bike", 1, "c1")), Accepted)


# Batches -----------------------------------------------------------------------------------------------------


async def test_what_queues_during_a_unit_is_the_next_batch(house):
    batcher = await house.batcher(batch_max=8)
    house.store.gate = asyncio.Event()
    tasks = [asyncio.create_task(batcher.submit(SHOP, change("bike", 1, "c0")))]
    await settle()
    tasks += [asyncio.create_task(batcher.submit(SHOP, change("bike", 1, f"c{n}"))) for n in range(1, 12)]
    await settle()
    house.store.gate.set()
    await asyncio.gather(*tasks)
    assert [report.size for report in house.ear.batches] == [1, 8, 3]
    assert house.store.commits == 3
    assert house.on_hand("bike") == 12


async def test_a_batch_reports_once_with_what_was_decided(house):
    batcher = await house.batcher()
    await batcher.submit_all(
        house.rules, [change("bike", 2, "c1"), reserve("bike", 1, "r1"), reserve("bike", 9, "r2")]
    )
    (report,) = house.ear.batches
    assert report.events == {
        ("change", "accepted", ""): 1,
        ("reserve", "accepted", ""): 1,
        ("reserve", "rejected", "shortage"): 1,
    }
    assert len(report.waited_seconds) == 3
    assert min(report.waited_seconds) >= 0
    assert report.oversold == 0


async def test_nothing_is_committed_when_nothing_changes(house):
    batcher = await house.batcher()
    await batcher.submit(SHOP, change("bike", 5, "c1"))
    await batcher.submit(SHOP, change("bike", 5, "c1"))
    assert house.store.commits == 1


async def test_lanes_share_the_work_by_product(house):
    batcher = await house.batcher(lanes=4)
    products = [f"p{number}" for number in range(40)]
    await asyncio.gather(*(batcher.submit(SHOP, change(product, 1, product)) for product in products))
    assert {report.lane for report in house.ear.batches} == {0, 1, 2, 3}
    assert all(house.on_hand(product) == 1 for product in products)


async def test_a_group_is_all_or_nothing_and_writes_its_documents(house):
    batcher = await house.batcher(lanes=3)
    await batcher.submit(SHOP, change("bike", 1, "c1"))
    document = DocumentKey(7, house.rules.environment, "order", "o1")

    def finish(concluded: Concluded) -> list[DocumentWrite]:
        return [DocumentWrite(document, concluded.documents[0].version, b"placed")]

    def group(*members) -> Callable[..., Group]:
        return lambda rules: Group(
            commands=tuple(member(rules) for member in members), documents=(document,), finish=finish
        )

    refused = await batcher.submit(SHOP, group(reserve("bike", 1, "r1"), reserve("helmet", 1, "r2")))
    assert isinstance(refused, GroupOutcome)
    assert not refused.accepted
    assert document not in house.store.documents
    placed = await batcher.submit(SHOP, group(reserve("bike", 1, "r1"), change("helmet", 1, "c2")))
    assert isinstance(placed, GroupOutcome)
    assert placed.accepted
    assert house.store.documents[document] == Document(document, 1, b"placed")


# Bulk --------------------------------------------------------------------------------------------------------


async def test_items_of_one_product_are_decided_in_order(house):
    batcher = await house.batcher(lanes=3, batch_max=2)
    builds = [
        reserve("bike", 1, "r0"),
        change("bike", 2, "c1"),
        reserve("bike", 1, "r1"),
        reserve("bike", 1, "r2"),
    ]
    builds += [change("helmet", 1, "c2"), reserve("bike", 1, "r3")]
    answers = await batcher.submit_all(house.rules, builds)
    assert [type(answer) for answer in answers] == [
        Rejected,
        Accepted,
        Accepted,
        Accepted,
        Accepted,
        Rejected,
    ]


async def test_a_bulk_that_finds_no_room_changes_nothing(house):
    batcher = await house.batcher(lanes=2, lane_queue_max=10)
    house.store.gate = asyncio.Event()
    first = asyncio.create_task(
        batcher.submit_all(house.rules, [change("bike", 1, f"a{n}") for n in range(9)])
    )
    await settle()
    second = asyncio.create_task(
        batcher.submit_all(house.rules, [change("bike", 1, f"b{n}") for n in range(9)])
    )
    await settle()
    spread = [change(f"p{n}", 1, f"c{n}") for n in range(5)] + [change("bike", 1, f"d{n}") for n in range(5)]
    queued = batcher.queued
    assert isinstance(await fault_of(batcher.submit_all(house.rules, spread)), Busy)
    assert batcher.queued == queued
    house.store.gate.set()
    await asyncio.gather(first, second)
    assert house.on_hand("bike") == 18


async def test_an_outage_in_the_middle_of_a_bulk_is_a_fault_of_those_items(house):
    batcher = await house.batcher(batch_max=2)
    house.store.mishaps = iter(
        [Mishap.NONE, Mishap.GATHER_UNAVAILABLE, Mishap.COMMIT_UNAVAILABLE, Mishap.NONE]
    )
    answers = await batcher.submit_all(house.rules, [change("bike", 1, f"c{n}") for n in range(6)])
    kinds = [type(answer) for answer in answers]
    assert kinds == [Accepted, Accepted, StoreUnavailable, StoreUnavailable, Accepted, Accepted]
    assert house.on_hand("bike") == 4


async def test_items_that_do_not_build_are_answered_in_place(house):
    batcher = await house.batcher()
    bad = reserve("bike", 1, "r1", dimensions={"siteId": "1"})
    answers = await batcher.submit_all(house.rules, [bad, change("bike", 1, "c1"), bad])
    assert [type(answer) for answer in answers] == [Rejected, Accepted, Rejected]
    assert [type(answer) for answer in await batcher.submit_all(house.rules, [bad])] == [Rejected]
    assert await batcher.submit_all(house.rules, []) == []


# Bounds ------------------------------------------------------------------------------------------------------


async def test_a_full_lane_is_busy_and_records_nothing(house):
    batcher = await house.batcher(lane_queue_max=2, batch_max=1)
    house.store.gate = asyncio.Event()
    tasks = []
    for number in range(3):
        tasks.append(asyncio.create_task(batcher.submit(SHOP, change("bike", 1, f"c{number}"))))
        await settle()
    assert isinstance(await fault_of(batcher.submit(SHOP, change("bike", 1, "one too many"))), Busy)
    house.store.gate.set()
    await asyncio.gather(*tasks)
    assert house.on_hand("bike") == 3


async def test_a_deadline_that_passes_before_the_commit_records_nothing(house):
    batcher = await house.batcher(deadline_seconds=-1.0)
    assert isinstance(await fault_of(batcher.submit(SHOP, change("bike", 1, "c1"))), DeadlineExceeded)
    assert house.store.units == 0


async def test_a_deadline_that_passes_while_waiting_for_locks_records_nothing(house, monkeypatch):
    batcher = await house.batcher(deadline_seconds=10.0)
    loop = asyncio.get_running_loop()
    now = loop.time
    house.store.before_gather = lambda _: monkeypatch.setattr(loop, "time", lambda: now() + 20.0)
    fault = await fault_of(batcher.submit(SHOP, change("bike", 1, "c1")))
    monkeypatch.undo()
    assert isinstance(fault, DeadlineExceeded)
    assert house.store.commits == 0


async def test_a_caller_that_goes_away_does_not_disturb_the_lane(house):
    batcher = await house.batcher()
    house.store.gate = asyncio.Event()
    running = asyncio.create_task(batcher.submit(SHOP, change("bike", 1, "c0")))
    await settle()
    queued = asyncio.create_task(batcher.submit(SHOP, change("bike", 1, "c1")))
    bulk = asyncio.create_task(batcher.submit_all(house.rules, [change("bike", 1, "c2")]))
    await settle()
    for task in (running, queued, bulk):
        task.cancel()
    house.store.gate.set()
    assert isinstance(await batcher.submit(SHOP, change("bike", 1, "c3")), Accepted)
    assert batcher.healthy
    assert house.on_hand("bike") == 2, "the first was in its unit already, the queued ones were passed over"


# Faults ------------------------------------------------------------------------------------------------------


async def test_a_conflict_is_gathered_and_decided_again(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.COMMIT_CONFLICT, Mishap.GATHER_CONFLICT])
    assert isinstance(await batcher.submit(SHOP, change("bike", 1, "c1")), Accepted)
    assert house.store.units == 3
    assert house.ear.faults["unit", "Conflict"] == 2


async def test_a_lasting_conflict_of_one_command_spares_its_neighbours(house):
    batcher = await house.batcher(conflict_retries=1)

    def quarrel(decision: Decision) -> None:
        if any(new.id == "c3" for new in decision.ids):
            raise Conflict("somebody holds this id")

    house.store.before_commit = quarrel
    answers = await batcher.submit_all(house.rules, [change("bike", 1, f"c{n}") for n in range(8)])
    assert [type(answer) for answer in answers] == [*[Accepted] * 3, Conflict, *[Accepted] * 4]
    assert house.on_hand("bike") == 7


async def test_an_outage_is_a_fault_and_nothing_is_recorded(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.GATHER_UNAVAILABLE] * 2)
    assert isinstance(await fault_of(batcher.submit(SHOP, change("bike", 1, "c1"))), StoreUnavailable)
    assert isinstance(await batcher.submit(SHOP, change("bike", 1, "c1")), Accepted)
    assert house.on_hand("bike") == 1


async def test_one_dead_connection_is_not_seen_by_callers(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.GATHER_UNAVAILABLE])
    assert isinstance(await batcher.submit(SHOP, change("bike", 1, "c1")), Accepted)


async def test_a_violation_is_answered_and_spares_the_neighbours(house):
    batcher = await house.batcher()

    def broken(decision: Decision) -> None:
        if any(new.id == "c1" for new in decision.ids):
            raise InvariantViolation("a CHECK said no")

    house.store.before_commit = broken
    answers = await batcher.submit_all(house.rules, [change(f"p{n}", 1, f"c{n}") for n in range(4)])
    assert [type(answer) for answer in answers] == [Accepted, InvariantViolation, Accepted, Accepted]
    assert house.on_hand("p1") == 0


async def test_an_unexpected_error_of_the_store_ends_nothing(house):
    batcher = await house.batcher()

    def broken(_reads) -> None:
        raise ZeroDivisionError

    house.store.before_gather = broken
    fault = await fault_of(batcher.submit(SHOP, change("bike", 1, "c1")))
    assert isinstance(fault, InvariantViolation)
    assert isinstance(fault.__cause__, ZeroDivisionError)
    house.store.before_gather = lambda _: None
    assert isinstance(await batcher.submit(SHOP, change("bike", 1, "c1")), Accepted)


async def test_a_unit_that_breaks_after_its_commit_still_answers_with_the_outcome(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.BROKEN_AFTER_COMMIT])
    assert isinstance(await batcher.submit(SHOP, change("bike", 1, "c1")), Accepted)
    assert house.store.commits == 1


# A lost answer -----------------------------------------------------------------------------------------------


async def test_a_lost_answer_of_a_landed_commit_is_settled_as_accepted(house):
    batcher = await house.batcher()
    await batcher.submit(SHOP, change("bike", 5, "c1"))
    house.store.mishaps = iter([Mishap.LOST_BUT_LANDED])
    answers = await batcher.submit_all(
        house.rules, [change("bike", 5, "c1"), reserve("bike", 2, "r1"), reserve("bike", 9, "r2")]
    )
    assert [type(answer) for answer in answers] == [Replayed, Accepted, Rejected]
    assert house.store.commits == 2
    assert len(house.store.refused) == 1
    assert house.on_hand("bike") == 5


ORDER = DocumentKey(7, 1, "order", "o1")


def insert(body: bytes) -> Callable[..., Group]:
    """A document alone, which must be new."""
    return lambda _rules: Group(
        commands=(), documents=(ORDER,), finish=lambda _concluded: [DocumentWrite(ORDER, 0, body)]
    )


def delete(version: int) -> Callable[..., Group]:
    return lambda _rules: Group(
        commands=(),
        documents=(ORDER,),
        finish=lambda _concluded: [DocumentWrite(ORDER, version, b"", delete=True)],
    )


async def test_a_lost_answer_of_a_document_alone_is_settled_as_accepted(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.LOST_BUT_LANDED])
    made = await batcher.submit(SHOP, insert(b"placed"))
    assert (made.accepted, made.versions) == (True, (1,))
    house.store.mishaps = iter([Mishap.LOST_BUT_LANDED])
    assert (await batcher.submit(SHOP, delete(1))).accepted
    assert house.store.commits == 2
    assert house.store.documents == {}


async def test_a_lost_document_that_never_was_is_decided_again(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.LOST_AND_GONE])
    assert (await batcher.submit(SHOP, insert(b"placed"))).versions == (1,)
    house.store.mishaps = iter([Mishap.LOST_AND_GONE])
    assert (await batcher.submit(SHOP, delete(1))).accepted
    assert house.store.documents == {}


async def test_a_document_of_another_process_is_not_taken_for_ours(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.LOST_AND_GONE])

    def theirs(_reads) -> None:
        if house.store.units == 2:
            house.store.documents[ORDER] = Document(ORDER, 1, b"theirs")

    house.store.before_gather = theirs
    outcome = await batcher.submit(SHOP, insert(b"ours"))
    assert outcome.refusal.reason is Reason.STALE_DOCUMENT
    assert house.store.documents[ORDER].body == b"theirs"


async def test_equal_ids_of_another_process_do_not_vouch_for_our_documents(house):
    """The commit was lost and gone; its command is meanwhile accepted elsewhere, with the same answer."""
    batcher = await house.batcher()

    def retried(decision: Decision) -> None:
        house.store.before_commit = lambda _: None
        documents, decision.documents = decision.documents, []
        house.store.apply(decision)
        decision.documents = documents

    house.store.before_commit = retried
    house.store.mishaps = iter([Mishap.LOST_AND_GONE])
    answers = await batcher.submit_all(house.rules, [change("bike", 5, "c1"), insert(b"placed")])
    assert isinstance(answers[0], Replayed)
    assert answers[1].accepted
    assert house.store.documents[ORDER].body == b"placed"
    assert house.on_hand("bike") == 5


async def test_a_document_that_was_changed_since_leaves_the_ids_to_tell(house):
    batcher = await house.batcher()
    await batcher.submit(SHOP, insert(b"0"))
    house.store.mishaps = iter([Mishap.LOST_BUT_LANDED])

    def later(_reads) -> None:
        if house.store.units == 3:
            house.store.documents[ORDER] = Document(ORDER, 3, b"later")

    house.store.before_gather = later
    outcome = await batcher.submit(
        SHOP,
        lambda rules: Group(
            commands=(change("bike", 5, "c1")(rules),),
            documents=(ORDER,),
            finish=lambda concluded: [DocumentWrite(ORDER, concluded.documents[0].version, b"1")],
        ),
    )
    assert [type(one) for one in outcome.outcomes] == [Accepted]
    assert house.store.documents[ORDER].body == b"later"


async def test_a_document_inserted_meanwhile_refuses_the_group_as_stale(house):
    batcher = await house.batcher()

    def theirs(_decision) -> None:
        house.store.documents.setdefault(ORDER, Document(ORDER, 1, b"theirs"))

    house.store.before_commit = theirs
    outcome = await batcher.submit(SHOP, insert(b"ours"))
    assert outcome.refusal.reason is Reason.STALE_DOCUMENT
    assert house.store.commits == 0


async def test_a_settled_answer_survives_a_connection_that_breaks_behind_it(house):
    """The unit that found out that the lost commit had landed fails to close: the answer stands."""
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.LOST_BUT_LANDED, Mishap.BROKEN_AFTER_COMMIT])
    assert isinstance(await batcher.submit(SHOP, change("bike", 5, "c1")), Accepted)
    assert house.on_hand("bike") == 5


async def test_a_lost_answer_of_a_commit_that_never_was_is_decided_again(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.LOST_AND_GONE, Mishap.GATHER_UNAVAILABLE, Mishap.GATHER_CONFLICT])
    assert isinstance(await batcher.submit(SHOP, change("bike", 5, "c1")), Accepted)
    assert house.on_hand("bike") == 5
    assert house.store.commits == 1


async def test_losing_every_answer_still_ends_in_one_effect(house):
    batcher = await house.batcher()
    house.store.mishaps = iter([Mishap.LOST_AND_GONE] * 3 + [Mishap.LOST_BUT_LANDED])
    assert isinstance(await batcher.submit(SHOP, change("bike", 5, "c1")), Accepted)
    assert house.on_hand("bike") == 5


async def test_a_store_that_stays_away_leaves_the_outcome_unknown(house):
    batcher = await house.batcher(settle_seconds=0.0)
    house.store.mishaps = iter([Mishap.LOST_BUT_LANDED, Mishap.GATHER_UNAVAILABLE])
    assert isinstance(await fault_of(batcher.submit(SHOP, change("bike", 5, "c1"))), OutcomeUnknown)
    again = await batcher.submit(SHOP, change("bike", 5, "c1"))
    assert isinstance(again, Replayed)
    assert house.on_hand("bike") == 5


async def test_an_equal_id_of_another_process_is_not_taken_for_our_commit(house):
    batcher = await house.batcher()
    other = await house.batcher()
    lost = iter([Mishap.LOST_AND_GONE])
    house.store.mishaps = lost
    waiting = asyncio.create_task(batcher.submit(SHOP, change("bike", 5, "c1")))
    await settle()
    theirs = await other.submit(SHOP, change("bike", 5, "c1"))
    ours = await waiting
    assert {type(ours), type(theirs)} <= {Accepted, Replayed}
    assert house.on_hand("bike") == 5


async def test_a_deadline_is_no_answer_while_the_commit_is_uncertain(house, monkeypatch):
    batcher = await house.batcher(deadline_seconds=10.0, settle_seconds=100.0)
    loop = asyncio.get_running_loop()
    now = loop.time
    house.store.mishaps = iter([Mishap.LOST_BUT_LANDED, Mishap.GATHER_UNAVAILABLE])
    house.store.before_commit = lambda _: monkeypatch.setattr(loop, "time", lambda: now() + 20.0)
    outcome = await batcher.submit(SHOP, change("bike", 5, "c1"))
    monkeypatch.undo()
    assert isinstance(outcome, Accepted)


# Configuration -----------------------------------------------------------------------------------------------


async def test_a_batch_built_with_old_rules_is_built_again(house):
    batcher = await house.batcher()
    old = house.rules
    await house.apply_elsewhere("damaged")
    assert house.rules is old
    assert isinstance(await batcher.submit(SHOP, change("bike", 5, "c1")), Accepted)
    assert house.rules.version == 2
    assert house.store.units == 2
    assert house.ear.faults["unit", "ConfigurationChanged"] == 1


async def test_a_refusal_by_old_rules_is_looked_at_again(house):
    batcher = await house.batcher()
    await house.apply_elsewhere("damaged")
    house.environments._entries[SHOP].read_at = float("-inf")

    def damaged(rules):
        if ("iv", "damaged") not in rules.measures:
            return Rejected(Reason.UNKNOWN_MEASURE, "no such measure")
        return change("bike", 1, "c1", measure=("iv", "damaged"))(rules)

    assert isinstance(await batcher.submit(SHOP, damaged), Accepted)
    assert [type(answer) for answer in await batcher.submit_all(house.rules, [damaged])] == [Replayed]


async def test_only_the_environment_that_changed_is_built_again(house):
    await house.environments.create("annex", "standalone", "ops")
    batcher = await house.batcher()
    built: list[str] = []

    def counted(build):
        def wrapped(rules):
            built.append(rules.environment_id)
            return build(rules)

        return wrapped

    house.store.gate = asyncio.Event()
    head = asyncio.create_task(batcher.submit(SHOP, change("head", 1, "c0")))
    await settle()
    tasks = [
        asyncio.create_task(batcher.submit(name, counted(change("bike", 1, "c1"))))
        for name in (SHOP, "annex")
    ]
    await settle()
    await house.apply_elsewhere("damaged")
    house.store.gate.set()
    outcomes = await asyncio.gather(head, *tasks)
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 3
    assert sorted(built) == ["annex", SHOP, SHOP]


async def test_what_the_new_rules_refuse_is_refused_and_the_rest_goes_on(house):
    batcher = await house.batcher()

    def only_version_1(rules):
        if rules.version > 1:
            return Rejected(Reason.UNKNOWN_MEASURE, "gone")
        return change("bike", 1, "c1")(rules)

    def breaks_with_version_2(rules):
        if rules.version > 1:
            raise ZeroDivisionError
        return change("bike", 1, "c2")(rules)

    old = house.rules
    await house.apply_elsewhere("damaged")
    answers = await batcher.submit_all(old, [only_version_1, breaks_with_version_2, change("bike", 1, "c3")])
    assert [type(answer) for answer in answers] == [Rejected, InvariantViolation, Accepted]
    assert house.on_hand("bike") == 1


async def test_a_deleted_environment_is_a_fault_for_its_submissions_only(house):
    await house.environments.create("annex", "standalone", "ops")
    batcher = await house.batcher()
    house.store.gate = asyncio.Event()
    tasks = [asyncio.create_task(batcher.submit(name, change("bike", 1, "c1"))) for name in (SHOP, "annex")]
    await settle()
    del house.catalogue.rows["annex"]
    house.store.gate.set()
    kept, gone = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(kept, Accepted)
    assert isinstance(gone, UnknownEnvironment)


async def test_a_configuration_that_never_settles_is_given_up(house):
    batcher = await house.batcher()
    house.store.versions = lambda: {house.rules.environment: 99}
    assert isinstance(await fault_of(batcher.submit(SHOP, change("bike", 1, "c1"))), Conflict)
    assert house.store.commits == 0


# Stopping ----------------------------------------------------------------------------------------------------


async def test_stopping_answers_what_is_queued_and_refuses_the_rest(house):
    batcher = await house.batcher(batch_max=2)
    tasks = [asyncio.create_task(batcher.submit(SHOP, change("bike", 1, f"c{n}"))) for n in range(7)]
    await settle()
    await batcher.stop()
    assert all(isinstance(task.result(), Accepted) for task in tasks)
    assert not batcher.healthy
    assert isinstance(await fault_of(batcher.submit(SHOP, change("bike", 1, "late"))), Busy)
    assert isinstance(await fault_of(batcher.submit_all(house.rules, [change("bike", 1, "late")])), Busy)


async def test_stopping_does_not_wait_for_ever(house):
    batcher = await house.batcher(batch_max=1, drain_seconds=0.01)
    house.store.gate = asyncio.Event()
    tasks = [asyncio.create_task(batcher.submit(SHOP, change("bike", 1, f"c{n}"))) for n in range(3)]
    await settle()
    await batcher.stop()
    faults = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(fault) for fault in faults] == [Busy] * 3, "nothing had been sent"


async def test_a_commit_that_is_cut_off_by_the_stop_is_unknown(house):
    batcher = await house.batcher(drain_seconds=0.01)
    never = asyncio.Event()

    class Hanging:
        async def gather(self, reads, now):
            return await self.unit.gather(reads, now)

        async def commit(self, _decision):
            await never.wait()

    original = house.store.unit

    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def unit():
        async with original() as real:
            hanging = Hanging()
            hanging.unit = real
            yield hanging

    house.store.unit = unit
    task = asyncio.create_task(batcher.submit(SHOP, change("bike", 1, "c1")))
    await settle()
    await batcher.stop()
    assert isinstance(await fault_of(task), OutcomeUnknown)
