"""Reserve bodies that came before, byte for byte but for the id, with the command that was made of them.

Customers buy the same few products, one piece each, so most bodies differ from an earlier one in their id alone. Equal bytes
read to equal commands under equal rules, so such a body is neither parsed nor translated again, which is a sixth of the
service's work for a reservation. The client is part of what is compared. Bodies that name a cart or a fixed expiry are not
kept: they do not come again.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final, NamedTuple

from msgspec.structs import replace

from onhand.api.compat.translate import ID_MAX, reservation_id_of
from onhand.core.commands import Reserve
from onhand.core.rules import Rules

BODIES_MAX: Final = 40_000
"""Bodies that are remembered, about 1 kB each; the oldest goes first."""
BODY_BYTES_MAX: Final = 1_024
"""A longer one is not remembered."""

_MAY_NAME_AN_ID: Final = re.compile(rb'"\s*id\s*"|[\\\x80-\xff]', re.IGNORECASE)
"""In what stands behind the id: another id, in any spelling, or what may spell one. The last id would count."""

_OPENING: Final = b'{"id":"'
_ID_AT: Final = len(_OPENING)
_ESCAPE: Final = "\\"


Like = tuple[bytes, str, int]
"""What equal bodies share: the bytes behind the id, the client, the environment."""


class Known(NamedTuple):
    """What was made of a body."""

    command: Reserve
    rules: Rules
    """Those it was made under, compared by identity: another version is another object."""
    reservation_id: str
    """The shared one of its node and measure."""


class Recurring:
    """The bodies that one process has seen."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        # A plain dict would scan what was deleted before its first key.
        self._known: OrderedDict[Like, Known] = OrderedDict()

    def find(self, raw: bytes, rules: Rules, client: str) -> Known | None:
        """What is made of a body whose like was remembered for the client under the same rules."""
        end = _end_of_id(raw)
        known = self._known.get((raw[end:], client, rules.environment)) if end else None
        if known is None or known.rules is not rules:
            return None
        text = _id(raw, end)
        if text is None:
            return None
        return Known(replace(known.command, id=text), rules, known.reservation_id)

    def remember(self, raw: bytes, command: Reserve, rules: Rules) -> None:
        """Remember the command of a body that begins with its only id and may come again; of another body nothing."""
        end = _end_of_id(raw)
        if not end or len(raw) > BODY_BYTES_MAX or _id(raw, end) != command.id:
            return
        recurs = not command.owner.reference and command.expires_at is None
        if not recurs or _MAY_NAME_AN_ID.search(raw, end + 1):
            return
        known = self._known
        known[raw[end:], command.caller, rules.environment] = Known(
            command, rules, reservation_id_of(rules, command)
        )
        if len(known) > BODIES_MAX:
            known.popitem(last=False)


def _end_of_id(raw: bytes) -> int:
    """Where the id ends with a quotation mark; 0 when the body does not begin with one."""
    return max(0, raw.find(b'"', _ID_AT)) if raw.startswith(_OPENING) else 0


def _id(raw: bytes, end: int) -> str | None:
    """The id, if it is a plain text that nobody has to decode or refuse."""
    text = raw[_ID_AT:end]
    if not text or len(text) > ID_MAX or not text.isascii():
        return None
    plain = text.decode()
    return plain if plain.isprintable() and _ESCAPE not in plain else None
