"""Environments and their compiled rules: look up, create, validate, apply, history.

The catalogue is the truth; each process keeps compiled rules in a bounded map. What a reader may see:

* **commands** use the rules of the map without asking; the batch compares their version with the one that it
  reads under its locks and has the submission built again if it differs. They are never decided with old rules;
* **queries** use rules that are at most `refresh_seconds` plus one read behind an apply in another process;
* an **environment created in another process** is found at the first request for it, at most `refresh_seconds`
  after it was asked for in vain.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from onhand.core import configuration, presets
from onhand.core.configuration import Change, Document, Problem, SwitchError
from onhand.core.rules import LIMITS, Limits, MeasureName, Rules, Switches
from onhand.ports import Catalogue
from onhand.rows import ConfigurationRow
from onhand.service.faults import UnknownEnvironment

__all__ = ["Change", "Environments", "Problem", "Problems"]

_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class Problems(msgspec.Struct, frozen=True):
    """Why a change of an environment was refused; nothing changed."""

    problems: tuple[Problem, ...]
    stale: bool = False
    """The expected version is not the current one (412 on the native surface)."""
    exists: bool = False
    """The environment exists already (409)."""

    @property
    def message(self) -> str:
        """All in one text."""
        return "; ".join(f"{one.path}: {one.message}" if one.path else one.message for one in self.problems)


def _refused(message: str, path: str = "", *, stale: bool = False, exists: bool = False) -> Problems:
    return Problems((Problem(path, message),), stale=stale, exists=exists)


@dataclass(slots=True)
class _Entry:
    rules: Rules
    read_at: float
    """Monotonic seconds."""
    refreshing: bool = False


class Environments:
    """Rules per environment from a bounded in-process map over the catalogue."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        limits: Limits = LIMITS,
        environments_max: int = 1_000,
        refresh_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._environments_max = environments_max
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._entries: dict[str, _Entry] = {}
        self._listing = asyncio.Lock()
        self._listed: set[str] = set()
        self._listed_at = float("-inf")

    # Rules -------------------------------------------------------------------------------------------------

    def rules(self, environment_id: str) -> Rules:
        """Rules in this process' map; no I/O. For commands: the batch checks their version anyway.

        Raises:
            UnknownEnvironment: not in the map; `find` asks the catalogue.
        """
        entry = self._entries.get(environment_id) or self._entries.get(environment_id.lower())
        if entry is None:
            raise _unknown(environment_id)
        return entry.rules

    async def find(self, environment_id: str) -> Rules:
        """Like `rules`, but asks the catalogue for an unknown id: all ids at once, at most every `refresh_seconds`.

        Raises:
            UnknownEnvironment: no environment has this id.
        """
        wanted = environment_id.lower()
        async with self._listing:
            entry = self._entries.get(wanted)
            if entry is not None:
                return entry.rules
            if wanted not in self._listed and self._monotonic() - self._listed_at >= self._refresh_seconds:
                self._listed = {known_id for _, known_id in await self._catalogue.environments()}
                self._listed_at = self._monotonic()
            if wanted in self._listed:  # it may have left the map since
                return await self.refresh(wanted)
        raise _unknown(environment_id)

    async def current(self, environment_id: str) -> Rules:
        """Rules for a query. Only one caller at a time renews them; the others use what is there."""
        entry = self._entries.get(environment_id) or self._entries.get(environment_id.lower())
        if entry is None:
            return await self.find(environment_id)
        if self._monotonic() - entry.read_at < self._refresh_seconds or entry.refreshing:
            return entry.rules
        entry.refreshing = True
        try:
            return await self.refresh(entry.rules.environment_id)
        finally:
            entry.refreshing = False

    async def refresh(self, environment_id: str) -> Rules:
        """Rules as the catalogue has them now. One read; compiled only when the version changed.

        Raises:
            UnknownEnvironment: no environment has this id.
        """
        wanted = environment_id.lower()
        row = await self._catalogue.configuration(wanted)
        if row is None:
            self._entries.pop(wanted, None)
            self._listed.discard(wanted)
            raise _unknown(environment_id)
        return self._keep(row)

    async def numbered(self, environment: int) -> Rules:
        """Rules of the environment with this number: for jobs and the sweeper, whose rows name the number.

        Raises:
            UnknownEnvironment: no environment has this number.
        """
        for entry in self._entries.values():
            if entry.rules.environment == environment:
                return entry.rules
        for number, environment_id in await self._catalogue.environments():
            if number == environment:
                return await self.refresh(environment_id)
        raise _unknown(f"number {environment}")

    async def load(self) -> None:
        """Fill the map at the start of the process."""
        for _, environment_id in (await self._catalogue.environments())[: self._environments_max]:
            await self.refresh(environment_id)

    async def list_environments(self) -> list[Rules]:
        """Rules of all environments, by id. Reads the ids, and what this process does not know yet."""
        ids = sorted(known_id for _, known_id in await self._catalogue.environments())
        found = []
        for environment_id in ids:
            entry = self._entries.get(environment_id)
            found.append(entry.rules if entry else await self.refresh(environment_id))
        return found

    def _keep(self, row: ConfigurationRow) -> Rules:
        """Put a row into the map. The `Rules` object stays the same while the version does: caches hang on it."""
        entry = self._entries.pop(row.environment_id, None)
        if entry is None or entry.rules.version < row.version or entry.rules.environment != row.environment:
            entry = _Entry(compiled(row, self._limits), 0.0)
        entry.read_at = self._monotonic()
        while len(self._entries) >= self._environments_max:
            del self._entries[next(iter(self._entries))]
        self._entries[row.environment_id] = entry
        return entry.rules

    # Changes -----------------------------------------------------------------------------------------------

    async def create(
        self,
        environment_id: str,
        profile: str,
        by: str,
        document: Mapping[str, Any] | None = None,
        switches: Mapping[str, Any] | None = None,
    ) -> ConfigurationRow | Problems:
        """A new environment at version 1, from a profile or, when given, from a document."""
        environment_id = environment_id.strip().lower()
        if not _ID.fullmatch(environment_id):
            return _refused(
                "An environment id has 1 to 100 letters, digits, '.', '_' or '-' and starts with a letter or digit.",
                "environmentId",
            )
        if profile not in presets.PROFILES:
            return _refused(
                f"Profile {profile[:100]!r} is unknown; choose one of {', '.join(presets.PROFILES)}.",
                "profile",
            )
        prepared = prepare(document or presets.document(profile, environment_id), switches or {})
        if isinstance(prepared, Problems):
            return prepared
        if await self._catalogue.configuration(environment_id) is not None:
            return _refused(f"Environment {environment_id!r} exists already.", "environmentId", exists=True)
        ready, chosen = prepared
        row = await self._catalogue.create_environment(environment_id, ready, msgspec.to_builtins(chosen), by)
        self._keep(row)
        return row

    async def configuration(self, environment_id: str, version: int | None = None) -> ConfigurationRow:
        """A version of the configuration; the current one by default.

        Raises:
            UnknownEnvironment: no environment has this id, or it has no such version.
        """
        row = await self._catalogue.configuration(environment_id.lower(), version)
        if row is None:
            raise _unknown(environment_id)
        return row

    def validate(self, document: Mapping[str, Any]) -> list[Problem]:
        """Problems of a document on its own; it may be applied when none is an error."""
        return configuration.validate(document)

    async def diff(self, environment_id: str, document: Mapping[str, Any]) -> list[Change]:
        """What applying the document would change."""
        row = await self.configuration(environment_id)
        return configuration.diff(row.document, configuration.normalize(document))

    async def apply(  # noqa: PLR0913 - the columns of one row
        self,
        environment_id: str,
        document: Mapping[str, Any],
        switches: Mapping[str, Any] | None,
        by: str,
        reason: str,
        expected_version: int | None = None,
    ) -> ConfigurationRow | Problems:
        """Validate and write the next version; waits for batches in flight. `switches` None keeps them."""
        row = await self.configuration(environment_id)
        if expected_version is not None and expected_version != row.version:
            return _stale(expected_version, row.version)
        prepared = prepare(document, row.switches if switches is None else switches)
        if isinstance(prepared, Problems):
            return prepared
        ready, chosen = prepared
        problems = await self._problems_of_change(row, ready, chosen)
        if problems:
            return Problems(tuple(problems))
        draft = configuration.compile_rules(
            row.environment,
            row.environment_id,
            row.version + 1,
            ready,
            chosen,
            provisional_measures(row, ready),
        )
        applied = await self._catalogue.apply_configuration(
            row.environment,
            row.version,
            ready,
            msgspec.to_builtins(chosen),
            draft.reservation_dimensions,
            draft.partition,
            by,
            reason,
        )
        if applied is None:
            return _stale(row.version, None)
        self._keep(applied)
        return applied

    async def _problems_of_change(
        self, row: ConfigurationRow, ready: Document, chosen: Switches
    ) -> list[Problem]:
        used = await self._catalogue.used_measures(row.environment)
        has_stock = await self._catalogue.has_stock(row.environment)
        names = {row.measures[measure] for measure in used if measure in row.measures}
        problems = configuration.check_change(row.document, ready, names, has_stock=has_stock)
        before = configuration.parse_switches(row.switches)
        if has_stock and before.value_case != chosen.value_case:
            problems.append(
                Problem(
                    "switches.valueCase",
                    "Stock is kept under folded names; the switch can only change while the environment is empty.",
                )
            )
        return [problem for problem in problems if problem.severity == "error"]

    async def history(self, environment_id: str) -> list[ConfigurationRow]:
        """All versions, newest first."""
        row = await self.configuration(environment_id)
        return await self._catalogue.history(row.environment)

    async def rename(self, environment_id: str, new_id: str) -> Problems | None:
        """Give an environment another id; its data and reservation ids stay. None when done."""
        old, new = environment_id.lower(), new_id.strip().lower()
        if not _ID.fullmatch(new):
            return _refused("The new id is not a legal environment id.", "environmentId")
        if await self._catalogue.configuration(new) is not None:
            return _refused(f"Environment {new!r} exists already.", "environmentId", exists=True)
        if not await self._catalogue.rename_environment(old, new):
            raise _unknown(environment_id)
        self._entries.pop(old, None)
        await self.refresh(new)
        return None

    async def delete(self, environment_id: str) -> Problems | None:
        """Remove an environment that holds no stock. None when done."""
        row = await self.configuration(environment_id)
        if not await self._catalogue.delete_environment(row.environment_id):
            return _refused(
                "The environment holds stock. Wipe its partitions first (POST /v1/environments/…/partitions/wipe).",
                "environmentId",
            )
        self._entries.pop(row.environment_id, None)
        return None


def compiled(row: ConfigurationRow, limits: Limits = LIMITS) -> Rules:
    """Rules of a stored version."""
    return configuration.compile_rules(
        row.environment,
        row.environment_id,
        row.version,
        row.document,
        configuration.parse_switches(row.switches),
        row.measures,
        limits,
    )


def prepare(document: Mapping[str, Any], switches: Mapping[str, Any]) -> tuple[Document, Switches] | Problems:
    """A document and switches as they are stored, or why they cannot be."""
    problems = [one for one in configuration.validate(document) if one.severity == "error"]
    try:
        chosen = configuration.parse_switches(switches)
    except SwitchError as error:
        problems.append(Problem("switches", str(error)))
        return Problems(tuple(problems))
    if problems:
        return Problems(tuple(problems))
    return configuration.normalize(document), chosen


def provisional_measures(row: ConfigurationRow, document: Document) -> dict[int, MeasureName]:
    """The measures of a row, and a free id for each measure that only the document declares."""
    known = set(row.measures.values())
    declared = (name for name in configuration.declared_measures(document) if name not in known)
    return {**row.measures, **dict(enumerate(declared, start=max(row.measures, default=0) + 1))}


def _unknown(environment_id: str) -> UnknownEnvironment:
    return UnknownEnvironment(f"No environment has the id {environment_id[:100]!r}.")


def _stale(expected: int, current: int | None) -> Problems:
    now = f"the current one is {current}" if current else "another version was applied meanwhile"
    return _refused(f"The change was based on version {expected}; {now}. Read it again.", stale=True)
