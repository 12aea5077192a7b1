"""Wire bodies to commands, without any I/O."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhand.api.compat import events, translate
from onhand.api.compat.decoding import BodyReader, Unreadable
from onhand.api.compat.envelopes import Envelope, Subject, Verb, failure, single
from onhand.api.compat.events import Posting
from onhand.api.compat.translate import Asker
from onhand.api.compat.wire import Event, Malformed
from onhand.core import configuration
from onhand.core.commands import ChangeOnHand, Kind, Reserve, Reverse, SetOnHand
from onhand.core.outcomes import Accepted, Reason, Rejected, Replayed, Shortage
from onhand.core.rules import Rules, Switches
from tests.conformance.fixtures import FIXTURES

ASKER = Asker("c", "id-1")
RED = {"siteId": "1", "locationId": "11", "colorId": "Red"}
ON_HAND = {
    "id": "id-1",
    "organizationId": "usmf",
    "productId": "D0002",
    "dimensions": RED,
    "quantities": {"pos": {"inbound": 1}},
}
RESERVE = {
    "id": "id-1",
    "organizationId": "usmf",
    "productId": "D0002",
    "dimensions": RED,
    "quantityDataSource": "iv",
    "modifier": "softReservPhysical",
    "quantity": 2,
}


def rules(fixture: str = "FX-R", **switches: Any) -> Rules:
    document = configuration.normalize(FIXTURES[fixture]())
    measures = dict(enumerate(configuration.declared_measures(document), 1))
    return configuration.compile_rules(1, "e1", 1, document, Switches(**switches), measures)


RULES = rules()


def read(reader: BodyReader[Any], body: dict[str, Any]) -> Any:
    made = reader.one(msgspec.json.encode(body))
    assert not isinstance(made, Malformed), made
    return made


def reserve(body: dict[str, Any], under: Rules = RULES) -> Reserve | Reverse | Rejected:
    return translate.reserve(under, read(events.RESERVE, body), ASKER)


def refused(made: object) -> Reason:
    assert isinstance(made, Rejected), made
    assert made.message
    return made.reason


def test_on_hand_change() -> None:
    made = translate.on_hand(RULES, read(events.ON_HAND, ON_HAND), ASKER)
    assert isinstance(made, ChangeOnHand)
    assert made.kind is Kind.CHANGE
    assert made.changes == ((RULES.measures["pos", "inbound"], 1_000_000),)
    assert made.position.key == "siteid=1&locationid=11&colorid=red"
    assert (made.organization_shown, made.product_shown, made.product.product) == ("usmf", "D0002", "d0002")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"organizationId": " "}, Reason.INVALID_VALUE),
        ({"productId": None}, Reason.INVALID_VALUE),
        ({"productId": "x" * 201}, Reason.INVALID_VALUE),
        ({"dimensions": {"nonsense": "1"}}, Reason.UNKNOWN_DIMENSION),
        ({"dimensionDataSource": "nobody"}, Reason.UNKNOWN_DATA_SOURCE),
        ({"quantities": {}}, Reason.INVALID_VALUE),
        ({"quantities": {"nobody": {"x": 1}}}, Reason.UNKNOWN_DATA_SOURCE),
        ({"quantities": {"pos": {"x": 1}}}, Reason.UNKNOWN_MEASURE),
        ({"quantities": {"iv": {"availabletoreserve": 1}}}, Reason.UNKNOWN_MEASURE),
        ({"quantities": {"FNO": {"availphysical": 1}}}, Reason.ERP_OWNED),
        ({"quantities": {"pos": {"inbound": "1e99"}}}, Reason.INVALID_QUANTITY),
        ({"quantities": {"pos": {"inbound": "0.0000001"}}}, Reason.INVALID_QUANTITY),
        ({"quantities": {"pos": {"inbound": "NaN"}}}, Reason.INVALID_QUANTITY),
        ({"quantities": {"pos": {"inbound": "1e999999999"}}}, Reason.INVALID_QUANTITY),
    ],
)
def test_refused_on_hand_changes(change: dict[str, Any], reason: Reason) -> None:
    assert refused(translate.on_hand(RULES, read(events.ON_HAND, {**ON_HAND, **change}), ASKER)) is reason


def test_one_measure_in_two_spellings_is_refused() -> None:
    for again in ({"pos": {"inbound": 1, "INBOUND": "2.5"}}, {"pos": {"inbound": 1}, " POS": {"inbound": 1}}):
        made = translate.on_hand(RULES, read(events.ON_HAND, {**ON_HAND, "quantities": again}), ASKER)
        assert isinstance(made, Rejected)
        assert made.reason is Reason.INVALID_VALUE


def test_set_on_hand_is_of_one_source() -> None:
    body = read(events.SET_ON_HAND, {**ON_HAND, "modifiedDateTimeUTC": "1970-01-01T00:00:01"})
    made = translate.set_on_hand(RULES, body, ASKER, "POS")
    assert isinstance(made, SetOnHand)
    assert made.modified_at == 1_000_000
    assert refused(translate.set_on_hand(RULES, body, ASKER, "iv")) is Reason.FOREIGN_SOURCE


def test_reserve() -> None:
    made = reserve({**RESERVE, "reference": "cart", "ttlSeconds": "1.5"})
    assert isinstance(made, Reserve)
    assert (made.quantity, made.check, made.lives_us, made.expires_at) == (2_000_000, True, 1_500_000, None)
    assert made.owner.reference == "cart"


def test_negative_reserve_is_a_reversal_of_the_same_node() -> None:
    made = reserve({**RESERVE, "quantity": -2, "ifCheckAvailForReserv": False})
    taken = reserve(RESERVE)
    assert isinstance(made, Reverse)
    assert isinstance(taken, Reserve)
    assert (made.quantity, made.check) == (2_000_000, False)
    assert translate.reservation_id_of(RULES, made) == translate.reservation_id_of(RULES, taken)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quantity": 0}, Reason.INVALID_QUANTITY),
        ({"quantity": None}, Reason.INVALID_QUANTITY),
        ({"modifier": None}, Reason.UNKNOWN_MEASURE),
        ({"dimensions": {}}, Reason.PARTITION_MISSING),
        ({"dimensions": {**RED, "batchId": ""}}, Reason.DIMENSION_NOT_CONFIGURED),
        ({"quantityDataSource": "fno", "modifier": "availphysical"}, Reason.ERP_OWNED),
        ({"ttlSeconds": -1}, Reason.INVALID_VALUE),
        ({"ttlSeconds": 1, "expiresAt": "2030-01-01T00:00:00Z"}, Reason.INVALID_VALUE),
        ({"reference": "x" * 201}, Reason.INVALID_VALUE),
        ({"expiresAt": "1969-12-31T23:59:59Z"}, Reason.INVALID_VALUE),
        ({"expiresAt": "9999-12-31T23:59:59-01:00"}, Reason.INVALID_VALUE),
    ],
)
def test_refused_reserves(change: dict[str, Any], reason: Reason) -> None:
    assert refused(reserve({**RESERVE, **change})) is reason


def test_quantities_may_stand_for_the_normal_form() -> None:
    short = {name: RESERVE[name] for name in ("id", "organizationId", "productId", "dimensions")}
    made = reserve({**short, "quantities": {"iv": {"softreservphysical": 2}}})
    assert isinstance(made, Reserve)
    two = {"iv": {"softreservphysical": 2}, "pos": {"inbound": 1}}
    assert refused(reserve({**short, "quantities": two})) is Reason.INVALID_VALUE


def test_data_source_may_be_left_out_when_the_measure_is_unique() -> None:
    body = {name: value for name, value in RESERVE.items() if name != "quantityDataSource"}
    assert isinstance(reserve(body), Reserve)


def test_measure_is_found_by_reservation_id_with_or_without_hyphens() -> None:
    taken = reserve(RESERVE)
    assert isinstance(taken, Reserve)
    for switch in ("uuid5", "uuid5hex"):
        under = rules(reservation_id_format=switch)
        shared = translate.reservation_id_of(under, taken)
        assert len(shared) == {"uuid5": 36, "uuid5hex": 32}[switch]
        assert translate.measure_of(RULES, taken.product, taken.position, shared.upper()) == taken.measure
    assert translate.measure_of(RULES, taken.product, taken.position, "nonsense") is None


# Fingerprints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "same",
    [
        {"quantity": "2.0"},
        {"modifier": "SOFTRESERVPHYSICAL"},
        {"ifCheckAvailForReserv": True},
        {"dimensionDataSource": None},
        {"dimensions": dict(reversed(RED.items()))},
        {"dimensions": {name.upper(): value for name, value in RED.items()}},
        {"id": "another"},
    ],
)
def test_fingerprint_ignores_spelling(same: dict[str, Any]) -> None:
    assert fingerprint({**RESERVE, **same}) == fingerprint(RESERVE)


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": 3},
        {"ifCheckAvailForReserv": False},
        {"dimensions": {**RED, "colorId": "Blue"}},
        {"reference": "cart"},
        {"ttlSeconds": 5},
        {"productId": "D0003"},
    ],
)
def test_fingerprint_tells_bodies_apart(other: dict[str, Any]) -> None:
    assert fingerprint({**RESERVE, **other}) != fingerprint(RESERVE)


def fingerprint(body: dict[str, Any]) -> int:
    made = reserve(body)
    assert isinstance(made, Reserve)
    return made.fingerprint


def test_fingerprint_is_pinned() -> None:
    """Clients retry across releases: a change of the canonical form would refuse honest retries."""
    assert fingerprint(RESERVE) == -8605055910721165381


# Decoding ----------------------------------------------------------------------------------------------------


def test_both_paths_read_the_same() -> None:
    canonical = events.RESERVE.one(msgspec.json.encode({**RESERVE, "expiresAt": "2030-01-01T00:00:00Z"}))
    shouted = {name.upper(): value for name, value in RESERVE.items()}
    tolerant = events.RESERVE.one(
        msgspec.json.encode(
            {**shouted, "QUANTITY": " 2 ", "ExpiresAt": "2030-01-01T00:00:00Z", "unknown": [1]}
        )
    )
    assert tolerant == canonical


def test_texts_may_be_numbers_and_values_null() -> None:
    body = read(
        events.ON_HAND, {**ON_HAND, "id": 7, "productId": 12.5, "dimensions": {"siteId": 1, "colorId": None}}
    )
    assert (body.id, body.product_id, body.dimensions) == ("7", "12.5", {"siteId": "1", "colorId": ""})


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"1", b'"x"', b"null", b'{"id":"\xff"}', b"[" * 100_000])
def test_what_is_not_an_object_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        events.RESERVE.one(raw)


def test_nul_characters_cannot_be_stored() -> None:
    with pytest.raises(Unreadable, match="NUL"):
        events.RESERVE.one(msgspec.json.encode({**RESERVE, "id": "a\0b"}))


def test_too_many_items() -> None:
    with pytest.raises(Unreadable, match="at most 2"):
        events.RESERVE.many(b"[{},{},{}]", 2)


def test_a_malformed_item_leaves_the_others() -> None:
    one, two = events.RESERVE.many(msgspec.json.encode([{"id": "a", "quantity": []}, RESERVE]), 512)
    assert isinstance(one, Malformed)
    assert one.id == "a"
    assert two == events.RESERVE.one(msgspec.json.encode(RESERVE))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["iv", "pos", "inbound", "1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                [*RESERVE, "quantities", "OffsetQty", "reservationId", "ttlSeconds", "expiresAt", "siteId"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
READERS = (
    (events.ON_HAND, Verb.ON_HAND, translate.on_hand),
    (events.RESERVE, Verb.RESERVE, translate.reserve),
    (events.UNRESERVE, Verb.UNRESERVE, translate.unreserve),
)


def _treat(reader: BodyReader[Any], verb: Verb, make: Any, body: Event | Malformed) -> None:
    if isinstance(body, Malformed):
        assert body.message
        return
    posting = Posting(verb, make, body, Asker("c", body.id or "x"), RULES)
    made = posting(RULES)
    outcome = made if isinstance(made, Rejected) else Accepted(hold=1, product_id=1)
    assert isinstance(posting.answer(outcome), Envelope)


@given(JSON, st.booleans())
def test_arbitrary_json_is_answered_or_unreadable(value: Any, mixed: bool) -> None:  # noqa: FBT001 - drawn
    item = {**RESERVE, **value} if mixed and isinstance(value, dict) else value
    for reader, verb, make in READERS:
        try:
            bodies = [reader.one(msgspec.json.encode(item)), *reader.many(msgspec.json.encode([item]), 9)]
        except Unreadable:
            continue
        for body in bodies:
            _treat(reader, verb, make, body)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_answered_or_unreadable(raw: bytes) -> None:
    for reader, verb, make in READERS:
        for body in (raw, b'{"id":"' + raw + b'"}', b'{"quantity":' + raw + b"}"):
            try:
                made = reader.one(body)
            except Unreadable:
                continue
            _treat(reader, verb, make, made)


# Envelopes ---------------------------------------------------------------------------------------------------


def answered(outcome: Any, body: dict[str, Any] = RESERVE, **switches: Any) -> dict[str, Any]:
    under = rules(**switches)
    posting = Posting(Verb.RESERVE, translate.reserve, read(events.RESERVE, body), ASKER, under)
    posting(under)
    found: dict[str, Any] = msgspec.json.decode(single(under, posting.answer(outcome)).body)
    return found


def test_accepted_reserve() -> None:
    shown = answered(Accepted(available=2_500_000, hold=7, product_id=3, expires_at=1_500_000))
    assert (shown["afrQuantity"], shown["afrFailure"], shown["statusCode"]) == (2, False, 200)
    assert shown["expiresAt"] == "1970-01-01T00:00:01.500000Z"
    assert shown["holdId"].endswith("-3-7")
    assert shown == answered(
        Replayed(Accepted(available=2_500_000, hold=7, product_id=3, expires_at=1_500_000))
    )


def test_afr_quantity_is_rounded_down_and_can_be_switched_off() -> None:
    short = Rejected(Reason.SHORTAGE, "short", available=-1, shortage=Shortage(10, -1, ("siteid=1",)))
    assert answered(short)["afrQuantity"] == -1
    assert answered(short, afr_quantity="zero")["afrQuantity"] == 0
    unchecked = {**RESERVE, "ifCheckAvailForReserv": False}
    assert answered(Accepted(available=5_000_000), unchecked)["afrQuantity"] == 0


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_an_envelope(reason: Reason) -> None:
    shown = answered(Rejected(reason, "why"))
    assert (shown["processingStatus"], shown["reservationId"], shown["message"]) == ("failure", "", "why")
    assert shown["statusCode"] in (400, 403, 409, 500)


def test_mirrored_status() -> None:
    under = rules(mirror_status_code=True)
    assert single(under, failure(under, Subject(Verb.RESERVE, "x"), 500, "short")).status == 500
