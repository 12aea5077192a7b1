"""A body that is known but for its id gives the command that reading it would give, or is read."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onhand.api.compat import events, recurring, translate
from onhand.api.compat.decoding import Unreadable
from onhand.api.compat.recurring import Recurring
from onhand.api.compat.translate import Asker
from onhand.api.compat.wire import Malformed
from onhand.core.commands import Reserve
from onhand.core.rules import Rules
from tests.unit.api.test_translate import RESERVE, rules

RULES = rules()
REST = msgspec.json.encode({name: value for name, value in RESERVE.items() if name != "id"})[1:]


def body(raw_id: bytes, rest: bytes = REST) -> bytes:
    return b'{"id":"' + raw_id + b'",' + rest


def read(raw: bytes, under: Rules = RULES, client: str = "c") -> Reserve | None:
    """The command of a body by the usual way; None when it has none."""
    try:
        made = events.RESERVE.one(raw)
    except Unreadable:
        return None
    if isinstance(made, Malformed) or not made.id:
        return None
    command = translate.reserve(under, made, Asker(client, made.id))
    return command if isinstance(command, Reserve) else None


def remembering(raw: bytes) -> Recurring:
    made = Recurring()
    command = read(raw)
    assert command is not None
    made.remember(raw, command, RULES)
    return made


def found(memory: Recurring, raw: bytes, under: Rules = RULES, client: str = "c") -> Reserve | None:
    known = memory.find(raw, under, client)
    return None if known is None else known.command


def test_a_body_with_another_id_is_known():
    memory = remembering(body(b"first"))
    known = memory.find(body(b"second"), RULES, "c")
    assert known is not None
    assert known.command == read(body(b"second"))
    assert known.command.id == "second"
    assert known.reservation_id == translate.reservation_id_of(RULES, known.command)


@given(st.binary(max_size=12) | st.text(max_size=8).map(lambda text: msgspec.json.encode(text)[1:-1]))
@example(b'x","id":"y')
@example(b"x\\u0000")
@example(b"x\\")
@example("é".encode())
@example(b"\xff")
@example(b"a" * 201)
@example(b"")
@example(b"\x7f")
def test_whatever_stands_for_the_id_the_command_is_the_one_that_reading_gives(raw_id):
    memory = remembering(body(b"first"))
    command = found(memory, body(raw_id))
    assert command is None or command == read(body(raw_id))


def test_what_differs_in_more_than_the_id_is_not_known():
    memory = remembering(body(b"first"))
    for other in (
        body(b"second", REST.replace(b'"quantity":2', b'"quantity":3')),
        body(b"second", REST + b" "),
        b" " + body(b"second"),
        b'{"id": "second",' + REST,
        b"{" + REST[:-1] + b',"id":"second"}',
        b'{"id":"second',
        b"",
    ):
        assert found(memory, other) is None, other


def test_other_rules_and_other_clients_have_commands_of_their_own():
    memory = remembering(body(b"first"))
    assert found(memory, body(b"second"), under=rules()) is None
    assert found(memory, body(b"second"), client="other") is None


@pytest.mark.parametrize(
    "more",
    [
        b'"id":"last",',
        b'"ID":"last",',
        b'" id ":"last",',
        b'"i\\u0064":"last",',
        '"\u00a0id":"last",'.encode(),
    ],
)
@pytest.mark.parametrize("first", [b"first", b"last"])
def test_a_body_that_may_say_its_id_twice_is_not_remembered(more, first):
    rest = more + REST
    command = read(body(first, rest))
    assert command is not None
    memory = Recurring()
    memory.remember(body(first, rest), command, RULES)
    assert found(memory, body(b"second", rest)) is None


@pytest.mark.parametrize(
    ("more", "comes_again"),
    [
        (b'"reference":"cart-7",', False),
        (b'"channel":"web",', True),
        (b'"expiresAt":"2033-01-01T00:00:00Z",', False),
        (b'"ttlSeconds":60,', True),
    ],
)
def test_only_bodies_that_may_come_again_are_remembered(more, comes_again):
    raw = body(b"first", more + REST)
    command = read(raw)
    assert command is not None
    memory = Recurring()
    memory.remember(raw, command, RULES)
    assert (found(memory, body(b"second", more + REST)) is not None) == comes_again


def test_the_oldest_bodies_are_forgotten_and_long_ones_never_remembered(monkeypatch):
    monkeypatch.setattr(recurring, "BODIES_MAX", 2)
    memory = Recurring()
    bodies = [body(b"x", REST.replace(b'"quantity":2', b'"quantity":%d' % number)) for number in (1, 2, 3)]
    for raw in bodies:
        memory.remember(raw, read(raw), RULES)
    assert [found(memory, raw) is not None for raw in bodies] == [False, True, True]
    long = body(b"x", b'"more":"' + b"y" * recurring.BODY_BYTES_MAX + b'",' + REST)
    memory.remember(long, read(long), RULES)
    assert found(memory, long) is None
