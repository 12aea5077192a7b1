"""Who is calling, and what callers may do."""

from __future__ import annotations

from typing import Final

import msgspec

SCOPES: Final = {
    "onhand:read": "Read stock, reservations, movements, refusals and the configuration.",
    "onhand:write": "Post on-hand changes and counts.",
    "reservation:write": "Reserve, unreserve, release and extend.",
    "config:write": "Validate and apply configurations, also those of order workflows; start clean-up jobs and wipe partitions.",
    "order:read": "Read orders, returns and events; try workflows without effect.",
    "order:write": "Create, change and delete orders; run their workflows.",
    "erp:write": "Post the ERP's own quantities with their offsets.",
    "admin": "Create and delete environments and clients; start an audit.",
}
DEFAULT_SCOPES: Final = ("onhand:read", "onhand:write", "reservation:write")
"""What a client gets that was created without scopes: everything a sales channel needs."""
EVERYWHERE: Final = "*"


class Unauthenticated(Exception):  # noqa: N818 - the edge's word for 401
    """Nobody known is calling."""


class Forbidden(Exception):  # noqa: N818 - the edge's word for 403
    """The caller is known and may not do this."""


class Principal(msgspec.Struct, frozen=True):
    """Who is calling."""

    client_id: str
    environments: frozenset[str]
    """Environment ids in lower case; `*` means all."""
    scopes: frozenset[str]

    def may_enter(self, environment: str) -> bool:
        """Whether the environment (in lower case) is one of the caller's."""
        return environment in self.environments or EVERYWHERE in self.environments
