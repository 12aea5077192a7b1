"""Clients of the API: made, disabled, and known by their secrets, which are kept only as hashes."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from onhand.ports import Catalogue
from onhand.rows import ClientRow
from onhand.service.faults import Busy
from onhand.service.principals import DEFAULT_SCOPES, SCOPES, Unauthenticated

HASHES_AT_ONCE: Final = 2
"""Secrets verified at the same time; each takes a processor and tens of megabytes for some ten milliseconds."""
HASHES_WAITING_MAX: Final = 16
"""Secrets that wait to be verified; with more of them the answer is `Busy`. Guessing must not fill the service."""
PROVEN_MAX: Final = 10_000
"""Clients whose secret is known to be right."""
SECRET_MAX: Final = 512
"""Characters of a secret."""
CLIENT_ID_MAX: Final = 200
"""Characters of a client id."""


class Clients:
    """The clients of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0
        self._pepper = secrets.token_bytes(32)
        self._proven: dict[str, bytes] = {}

    async def create(
        self, client_id: str, environments: tuple[str, ...], scopes: tuple[str, ...] = (), secret: str = ""
    ) -> str:
        """Create or replace a client and return its secret, which is kept only as a hash.

        Raises:
            ValueError: a scope is unknown, the id is empty, or a text is too long.
        """
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown:
            raise ValueError(f"Unknown scope {', '.join(unknown)}. Known scopes: {', '.join(SCOPES)}.")
        if not client_id.strip():
            raise ValueError("A client needs an id.")
        if len(client_id) > CLIENT_ID_MAX or len(secret) > SECRET_MAX:
            raise ValueError(
                f"A client id has at most {CLIENT_ID_MAX} characters, a secret at most {SECRET_MAX}."
            )
        secret = secret or secrets.token_urlsafe(32)
        row = ClientRow(
            client_id=client_id.strip(),
            secret_hash=await self._hash(secret),
            environments=tuple(name.lower() for name in environments),
            scopes=scopes or DEFAULT_SCOPES,
            disabled=False,
        )
        await self._catalogue.save_client(row)
        return secret

    async def disable(self, client_id: str) -> bool:
        """Give it no token any more; False: unknown."""
        client = await self.find(client_id)
        if client is None:
            return False
        await self._catalogue.save_client(msgspec.structs.replace(client, disabled=True))
        return True

    async def all(self) -> list[ClientRow]:
        """All clients."""
        return await self._catalogue.clients()

    async def proven(self, client_id: str, secret: str) -> ClientRow:
        """The client, if the secret is its own.

        Raises:
            Unauthenticated: the client or its secret is wrong.
        """
        if len(secret) > SECRET_MAX:
            raise Unauthenticated("the client or its secret is wrong")
        client = await self.find(client_id)
        right = await self._matches(client.secret_hash if client else self._nobody, secret)
        if client is None or client.disabled or not right:
            raise Unauthenticated("the client or its secret is wrong")
        return client

    async def find(self, client_id: str) -> ClientRow | None:
        """The client; None also for an id that no client can have."""
        if "\0" in client_id or len(client_id) > CLIENT_ID_MAX:
            return None
        return await self._catalogue.client(client_id)

    async def _matches(self, hashed: str, secret: str) -> bool:
        """Whether the secret is the hashed one. Who proved it before does not queue behind those who guess."""
        proof = hmac.digest(self._pepper, f"{hashed} {secret}".encode(), "sha256")
        if hmac.compare_digest(self._proven.get(hashed, b""), proof):
            return True
        if self._waiting >= HASHES_WAITING_MAX:
            raise Busy("Too many clients ask for a token at once.")
        self._waiting += 1
        try:
            async with self._hashing:
                right = await asyncio.to_thread(self._verifies, hashed, secret)
        finally:
            self._waiting -= 1
        if right:
            if len(self._proven) >= PROVEN_MAX:
                self._proven.clear()
            self._proven[hashed] = proof
        return right

    def _verifies(self, hashed: str, secret: str) -> bool:
        try:
            return self._hasher.verify(hashed, secret)
        except (VerificationError, InvalidHashError):
            return False

    async def _hash(self, secret: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, secret)
