"""Environments and their compiled rules: look up, create, validate, apply, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from onhand.core.rules import Rules
from onhand.ports import Catalogue, ConfigurationRow

Document = Mapping[str, Any]


class Problems(msgspec.Struct, frozen=True):
    """Why a configuration or an environment id was refused; nothing changed."""

    messages: tuple[str, ...]
    stale: bool = False
    """The expected version is not the current one (412 on the native surface)."""


class Environments:
    """Rules per environment from a bounded in-process map over the catalogue."""

    def __init__(
        self, catalogue: Catalogue, *, environments_max: int = 1_000, refresh_seconds: float = 1.0
    ) -> None:
        raise NotImplementedError

    def rules(self, environment_id: str) -> Rules:
        """Rules in this process' map; no I/O. For commands: the batch checks their version anyway.

        Raises:
            UnknownEnvironment: not in the map; `find` asks the catalogue.
        """
        raise NotImplementedError

    async def find(self, environment_id: str) -> Rules:
        """Like `rules`, but asks the catalogue for an unknown id (rate-limited)."""
        raise NotImplementedError

    async def current(self, environment_id: str) -> Rules:
        """Rules that are at most `refresh_seconds` old: for queries."""
        raise NotImplementedError

    async def refresh(self, environment_id: str) -> Rules:
        """Rules as the catalogue has them now. One read."""
        raise NotImplementedError

    async def load(self) -> None:
        """Fill the map at the start of the process."""
        raise NotImplementedError

    async def list_environments(self) -> list[Rules]:
        """All environments, by id."""
        raise NotImplementedError

    async def create(
        self,
        environment_id: str,
        profile: str,
        by: str,
        document: Document | None = None,
        switches: Document | None = None,
    ) -> ConfigurationRow | Problems:
        """A new environment from a profile, or from a document."""
        raise NotImplementedError

    async def configuration(self, environment_id: str, version: int | None = None) -> ConfigurationRow:
        """A version of the configuration; the current one by default."""
        raise NotImplementedError

    def validate(self, document: Document, switches: Document | None = None) -> Sequence[str]:
        """Problems of a document, empty when it may be applied; needs no environment."""
        raise NotImplementedError

    async def diff(
        self, environment_id: str, document: Document, switches: Document | None = None
    ) -> Sequence[str]:
        """What applying the document would change, one line each."""
        raise NotImplementedError

    async def apply(  # noqa: PLR0913 - the columns of one row
        self,
        environment_id: str,
        document: Document,
        switches: Document | None,
        by: str,
        reason: str,
        expected_version: int | None = None,
    ) -> ConfigurationRow | Problems:
        """Validate and write the next version; waits for batches in flight. None keeps the switches."""
        raise NotImplementedError

    async def history(self, environment_id: str) -> list[ConfigurationRow]:
        """All versions, newest first."""
        raise NotImplementedError

    async def rename(self, environment_id: str, new_id: str) -> Problems | None:
        """Give an environment another id; its data and reservation ids stay."""
        raise NotImplementedError

    async def delete(self, environment_id: str) -> Problems | None:
        """Remove an environment that holds no stock."""
        raise NotImplementedError
