"""Parameters of the ERP side: read, checked, saved as a document of the environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from onhand.core import keys
from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.configuration_document import Problem
from onhand.core.erp.asking import Setting
from onhand.core.erp.linting import problems
from onhand.core.erp.parameters import Parameters
from onhand.core.orders.owners import owned
from onhand.core.outcomes import GroupOutcome, Rejected
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.rows import DocumentRow
from onhand.service.batcher import Batcher
from onhand.service.workflow.configurations import Configurations

KIND: Final = "erp-parameters"
ENVIRONMENTS_MAX: Final = 1_000

WAKE_AFTER_US: Final = 5_000_000
"""After so long every process uses the new parameters: then lines that waited while the synchronisation was off are woken."""

_decoder = msgspec.json.Decoder(Parameters)
_encode = msgspec.json.Encoder().encode


class Saved(msgspec.Struct, frozen=True):
    """Parameters as they are stored, with what a planner should know."""

    parameters: Parameters
    version: int
    """0: never saved, the defaults are in force."""
    findings: tuple[Problem, ...] = ()


class Unfit(msgspec.Struct, frozen=True):
    """Why parameters were not saved."""

    problems: tuple[Problem, ...] = ()
    stale: bool = False
    """Somebody else saved others since the version that the change was made from."""


class ErpParameters:
    """Parameters by environment; each process uses what it read for at most `refresh_seconds`.

    Who owns a warehouse's physical quantity is said by the warehouse itself, where the order workflow has one.
    """

    def __init__(
        self,
        documents: Documents,
        batcher: Batcher,
        configurations: Configurations,
        *,
        refresh_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents = documents
        self._batcher = batcher
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._configurations = configurations
        self._stored: dict[int, tuple[float, Parameters]] = {}
        self._in_force: dict[int, tuple[float, Parameters]] = {}

    async def of(self, rules: Rules) -> Parameters:
        """What is in force, with the owner that each warehouse names (`owners.owned`)."""
        known = self._in_force.get(rules.environment)
        if known is not None and self._monotonic() - known[0] < self._refresh_seconds:
            return known[1]
        made = owned(await self.stored(rules), await self._configurations.workflows(rules))
        self._keep(self._in_force, rules, made)
        return made

    async def stored(self, rules: Rules) -> Parameters:
        """What was saved, without what warehouses say of themselves."""
        known = self._stored.get(rules.environment)
        if known is not None and self._monotonic() - known[0] < self._refresh_seconds:
            return known[1]
        return (await self._read(rules))[0]

    async def setting(self, rules: Rules) -> Setting:
        """What messages are decided under; the time is that of their group."""
        return Setting(
            parameters=await self.of(rules), reservations_enabled=rules.reservations_enabled, now=0
        )

    async def read(self, rules: Rules) -> Saved:
        """What is stored, and what the lint says about it."""
        parameters, version = await self._read(rules)
        return Saved(parameters, version, tuple(await self.problems(rules, parameters)))

    async def problems(self, rules: Rules, parameters: Parameters) -> list[Problem]:
        """What the lint says about parameters in this environment."""
        return problems(parameters, rules, await self._configurations.workflows(rules))

    async def _read(self, rules: Rules) -> tuple[Parameters, int]:
        row = await self._documents.document(_key(rules))
        parameters = Parameters() if row is None else _decoder.decode(row.body)
        self._keep(self._stored, rules, parameters)
        return parameters, 0 if row is None else row.version

    async def save(self, rules: Rules, parameters: Parameters, expected: int | None) -> Saved | Unfit:
        """Replace the parameters. `expected` None: whatever version is stored."""
        found = tuple(await self.problems(rules, parameters))
        if any(one.severity == "error" for one in found):
            return Unfit(found)
        key, body = _key(rules), _encode(parameters)
        stored = expected

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            nonlocal stored
            stored = concluded.documents[0].version if expected is None else expected
            wake = concluded.now + WAKE_AFTER_US if parameters.sync_enabled else None
            return (DocumentWrite(key, stored, body, due_at=wake),)

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(key,), finish=finish)
        )
        if isinstance(outcome, Rejected) or not (isinstance(outcome, GroupOutcome) and outcome.accepted):
            return Unfit(stale=True)
        self._keep(self._stored, rules, parameters)
        self._in_force.pop(rules.environment, None)
        return Saved(parameters, (stored or 0) + 1, found)

    async def woken(self, rules: Rules, row: DocumentRow) -> None:
        """Note that the lines of an environment were woken, unless its parameters were saved again meanwhile."""
        write = DocumentWrite(row.key, row.version, row.body)
        await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(row.key,), finish=lambda _: (write,))
        )

    def _keep(self, known: dict[int, tuple[float, Parameters]], rules: Rules, parameters: Parameters) -> None:
        if len(known) >= ENVIRONMENTS_MAX:
            known.clear()
        known[rules.environment] = (self._monotonic(), parameters)


def _key(rules: Rules) -> DocumentKey:
    return DocumentKey(
        keys.shard(str(rules.environment), "erp", "parameters"), rules.environment, KIND, "parameters"
    )
