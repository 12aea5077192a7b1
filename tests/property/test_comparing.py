"""Consistency checks: whatever happened on either side, the corrections make the sides equal and planted faults are named."""

from collections import Counter

from hypothesis import event, given
from hypothesis import strategies as st

from onhand.core.erp.comparing import CLASSES, Sides, Trace, arrived, compare

PLACES = tuple(f"siteid=1&locationid={place}&colorid={color}" for place in "12" for color in ("red", "blue"))
MEASURES = (1, 2)
TAKEN = 1_000_000_000

spots = st.tuples(st.sampled_from(PLACES), st.sampled_from(MEASURES))
events = st.lists(
    st.tuples(spots, st.integers(-5, 5).filter(bool), st.integers(0, 2 * TAKEN), st.sampled_from("ab")),
    max_size=12,
)
"""(spot, change, time, caller) of everything that was posted here."""


def sides(
    posted, theirs, *, listed=None, whole=True, waiting=(), before=None, measures=MEASURES, taken=TAKEN
) -> Sides:
    """Both sides as the reader would give them. `before`: levels older than the movements that are read."""
    levels = Counter(before or {})
    traces = []
    for number, (spot, delta, at, caller) in enumerate(sorted(posted, key=lambda one: one[2]), start=1):
        levels[spot] += delta
        traces.append(Trace(number, at, *spot, delta, levels[spot], f"event-{number}", caller))
    return Sides(
        theirs=theirs,
        listed={place for place, _ in theirs} if listed is None else listed,
        ours=dict(levels),
        waiting=waiting,
        traces=traces,
        taken_at=taken,
        measures=measures,
        whole=whole,
    )


def at_that_time(posted, before=None) -> Counter:
    levels = Counter(before or {})
    for spot, delta, at, _ in posted:
        if at <= TAKEN:
            levels[spot] += delta
    return levels


@given(events, st.dictionaries(spots, st.integers(-9, 9)), st.dictionaries(spots, st.integers(0, 9)))
def test_the_corrections_make_both_sides_equal(posted, theirs, before):
    found = compare(sides(posted, theirs, before=before))
    levels = at_that_time(posted, before)
    corrected = Counter(levels)
    for finding in found:
        event(finding.kind)
        assert finding.kind in CLASSES
        for change in finding.changes:
            spot = (change.position, change.measure)
            assert change.quantity
            assert change.theirs == theirs.get(spot, 0)
            assert change.ours == levels[spot]
            corrected[spot] += change.quantity
    late = {spot for spot, _, at, _ in posted if at > TAKEN}
    for spot in {*theirs, *levels} - late:
        assert corrected[spot] == theirs.get(spot, 0)
    changed = [(change.position, change.measure) for one in found for change in one.changes]
    assert len(changed) == len(set(changed)), "a record is corrected once"
    assert all(one.moving == any(spot in late for spot in _spots(one)) for one in found)


def _spots(finding):
    return [(change.position, change.measure) for change in finding.changes]


@given(events, st.integers(0, 12), st.randoms())
def test_what_the_source_had_counted_already_is_no_difference(posted, number, shuffle):
    """Events travel: the source may have counted some that came here only after it took its figures."""
    posted = sorted(posted, key=lambda one: one[2])
    late = [one for one in posted if one[2] > TAKEN]
    counted = late[: min(number, len(late))]
    theirs = at_that_time(posted)
    for spot, delta, _, _ in counted:
        theirs[spot] += delta
    assert compare(sides(posted, dict(theirs))) == []
    reordered = list(theirs.items())
    shuffle.shuffle(reordered)
    assert compare(sides(posted, dict(reordered))) == []


@given(events, st.dictionaries(spots, st.integers(-9, 9)))
def test_records_that_are_not_named_are_left_alone(posted, theirs):
    found = compare(sides(posted, theirs, whole=False))
    assert {spot for one in found for spot in _spots(one)} <= set(theirs)


@given(events, st.dictionaries(spots, st.integers(-9, 9)))
def test_only_the_measures_of_the_figures_are_compared(posted, theirs):
    found = compare(sides(posted, theirs, measures=(1,)))
    assert all(measure == 1 for one in found for _, measure in _spots(one))


@given(events, spots, st.integers(1, 5))
def test_what_waits_for_the_synchronisation_counts_as_posted(posted, spot, change):
    theirs = at_that_time(posted)
    theirs[spot] += change
    assert compare(sides(posted, dict(theirs), waiting=[(spot, change, 5)])) == []
    assert compare(sides(posted, dict(at_that_time(posted)), waiting=[(spot, change, 2 * TAKEN)])) == []


RED, BLUE = PLACES[0], PLACES[1]
OTHER = PLACES[2]


def _one(found):
    (finding,) = found
    return finding


def test_a_lost_event_is_a_missed_event():
    posted = [((RED, 1), 7, 10, "pos")]
    found = _one(compare(sides(posted, {(RED, 1): 12})))
    assert (found.kind, found.changes[0].quantity, found.evidence) == ("missedEvent", 5, ())


def test_an_event_posted_under_two_ids_is_a_double_post():
    posted = [((RED, 1), 9, 0, "pos"), ((RED, 1), -2, 10, "pos"), ((RED, 1), -2, 70_000_010, "pos")]
    found = _one(compare(sides(posted, {(RED, 1): 7})))
    assert (found.kind, found.changes[0].quantity, found.evidence) == ("doublePost", 2, ("event-3",))


def test_a_repetition_counts_as_often_as_it_was_posted():
    posted = [((RED, 1), 4, at, "pos") for at in (10, 20, 30)]
    found = _one(compare(sides(posted, {(RED, 1): 4})))
    assert (found.kind, found.changes[0].quantity, found.evidence) == (
        "doublePost",
        -8,
        ("event-2", "event-3"),
    )


def test_equal_events_of_two_callers_are_two_events():
    posted = [((RED, 1), 4, 10, "pos"), ((RED, 1), 4, 20, "web")]
    found = _one(compare(sides(posted, {(RED, 1): 4})))
    assert (found.kind, found.evidence) == ("onlyHere", ("event-2",))


def test_an_event_at_the_wrong_record_moves_to_the_right_one():
    posted = [((RED, 1), 5, 10, "pos"), ((BLUE, 1), 5, 10, "pos"), ((BLUE, 1), 3, 20, "pos")]
    found = _one(compare(sides(posted, {(RED, 1): 8, (BLUE, 1): 5})))
    assert found.kind == "wrongDimension"
    assert {(one.position, one.quantity) for one in found.changes} == {(RED, 3), (BLUE, -3)}
    assert found.evidence == ("event-3",)


def test_the_nearest_record_is_the_other_one():
    posted = [((BLUE, 1), 3, 20, "pos"), ((PLACES[3], 1), 3, 20, "pos")]
    first, second = compare(sides(posted, {(RED, 1): 3}))
    assert (first.kind, {one.position for one in first.changes}) == ("wrongDimension", {RED, BLUE})
    assert (second.kind, second.changes[0].position) == ("onlyHere", PLACES[3])


def test_records_of_one_side_only():
    found = compare(sides([], {(RED, 1): 4}, before={(OTHER, 2): 6}))
    assert [(one.kind, one.changes[0].quantity) for one in found] == [("onlyThere", 4), ("onlyHere", -6)]


def test_all_measures_of_a_record_are_one_finding():
    found = _one(compare(sides([], {(RED, 1): 4, (RED, 2): -4}, before={(RED, 1): 1})))
    assert found.kind == "missedEvent"
    assert [change.quantity for change in found.changes] == [3, -4]


def test_what_came_since_needs_no_correction():
    change = compare(sides([], {(RED, 1): 4}))[0].changes[0]
    assert arrived(change, [4])
    assert arrived(change, [-1, 1, 3])
    assert arrived(change, [4, -1])
    assert not arrived(change, [])
    assert not arrived(change, [1, 2])
