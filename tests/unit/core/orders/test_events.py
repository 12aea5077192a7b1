"""Entries of the event log: what they carry, their ids, and that searches find them."""

from __future__ import annotations

import msgspec

from onhand.core.orders.events import (
    Actor,
    Attachment,
    Category,
    Entry,
    EventSearch,
    Operation,
    event_key,
    logged,
    read_event,
)
from onhand.core.orders.versions import archived, read_version
from tests.unit.core.orders.order_values import line, order, record, shipment

AT = 1_770_000_000_123_456
ACTOR = Actor(user="web", user_id="anna")


def one_logged(entry: Entry, **more):
    return logged(record(order(shipment("S1", line()), orderNumber="77"), **more), 3, [entry], ACTOR, AT)


def test_an_entry_takes_the_rest_from_the_order() -> None:
    entry = Entry(
        message="It ships.",
        category=Category.WORKFLOW,
        operation=Operation.WORKFLOW_COMPLETED,
        previous_status="New",
        shipment_id="S1",
        attachments=(Attachment(type="workflowJson", value=[{"actionType": "X"}]),),
    )
    after, (write,) = one_logged(entry)
    event = read_event(write.body)
    assert (event.id, event.object_id, event.object_number) == ("O1@00000001", "O1", "77")
    assert (event.sub_class_name, event.status, event.previous_status) == ("Online", "New", "New")
    assert (event.market, event.store_id, event.user, event.user_id) == ("NO", "ST1", "web", "anna")
    assert (event.operation_id, event.is_error) == (111102, False)
    assert event.timestamp.isoformat() == "2026-02-02T02:40:00.123456+00:00"
    assert event.attachments[0].value == [{"actionType": "X"}]
    assert (write.expected_version, after.next_event) == (0, 2)


def test_numbers_go_on_and_ids_sort_by_them() -> None:
    entries = [Entry(message=str(n), category=Category.UPDATED) for n in range(3)]
    after, writes = logged(record(order(), next_event=9), 3, entries, ACTOR, AT)
    ids = [write.key.id for write in writes]
    assert ids == ["O1@00000009", "O1@00000010", "O1@00000011"] == sorted(ids)
    assert after.next_event == 12
    assert {write.key.d for write in writes} == {event_key(3, "O1", 1).d}


def test_an_order_that_is_gone_logs_nothing() -> None:
    gone = record(None)
    assert logged(gone, 3, [Entry(message="x", category=Category.UPDATED)], ACTOR, AT) == (gone, [])


def test_searches_find_events_by_their_labels() -> None:
    entry = Entry(
        message="x", category=Category.CANCELED, operation=Operation.API_LINE_CANCELED, shipment_id="s1"
    )
    _, (write,) = one_logged(entry)
    labels = set(write.labels)
    for search in (
        EventSearch(object_id="O1"),
        EventSearch(categories=("canceled", "Error"), operation_ids=("310106",)),
        EventSearch(shipment_id="s1", is_error=False, user_ids=("ANNA",)),
        EventSearch(statuses=("NEW",), sub_class_names=("online",), stores=("st1",), markets=("no",)),
    ):
        every, some = search.wanted()
        assert set(every) <= labels
        assert all(labels & set(choices) for choices in some)
    for search in (EventSearch(object_id="o1"), EventSearch(shipment_id="S1"), EventSearch(is_error=True)):
        assert not set(search.wanted()[0]) <= labels


def test_a_version_is_the_order_as_it_was() -> None:
    was = record(order(shipment("S1", line())), revision=4)
    (write,) = archived(3, "O1", was)
    assert write.key.id == "O1@4"
    assert read_version(write.body).order == was.order
    assert archived(3, "O1", msgspec.structs.replace(was, order=None)) == []
