"""The workflow configuration of environments: read whole, changed part by part.

What is decoded is kept by version; each read asks the database for the document, so a run never sees an old one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from onhand.core.commands import DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.configured import Configured, configured_key, decode, encode, part
from onhand.core.orders.refusals import Code, Refused
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.service.batcher import Batcher
from onhand.service.faults import Conflict

KEPT: Final = 100
"""Environments whose decoded configuration is kept."""
ATTEMPTS: Final = 5
"""Times that a change is made anew because somebody else changed another part."""

Edit = Callable[[Configured], Configured | Refused]
"""Pure: the configuration as it shall be."""


class Configurations:
    """Reads and changes configurations."""

    def __init__(self, documents: Documents, batcher: Batcher) -> None:
        self._documents = documents
        self._batcher = batcher
        self._kept: OrderedDict[int, tuple[int, Configured, Workflows]] = OrderedDict()

    async def workflows(self, rules: Rules) -> Workflows:
        """All of it, as it is stored now; one round trip."""
        return (await self._read(rules))[2]

    async def configured(self, rules: Rules) -> Configured:
        """The same with the versions of its parts."""
        return (await self._read(rules))[1]

    async def _read(self, rules: Rules) -> tuple[int, Configured, Workflows]:
        row = await self._documents.document(configured_key(rules.environment))
        if row is None:
            return 0, Configured(), Workflows()
        kept = self._kept.get(rules.environment)
        if kept is None or kept[0] != row.version:
            configured = decode(row.body)
            kept = self._kept[rules.environment] = (row.version, configured, configured.workflows)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept

    async def change(
        self, rules: Rules, kind: str, name: str, edit: Edit, expected: int | None = None
    ) -> Configured | Refused:
        """Change one part; `expected` is the version of the part that the caller knows.

        Raises:
            Conflict: others changed the configuration again and again; nothing was recorded.
        """
        for _ in range(ATTEMPTS):
            version, before, _ = await self._read(rules)
            if expected is not None and before.version_of(kind, name) != expected:
                return Refused(
                    Code.VERSION_CONFLICT,
                    f"It has version {before.version_of(kind, name)}, not {expected}. Read it again and repeat the change.",
                )
            after = edit(before)
            if isinstance(after, Refused):
                return after
            after = msgspec.structs.replace(after, versions={**after.versions, part(kind, name): version + 1})
            if await self._write(rules, version, after):
                return after
        raise Conflict("The configuration is changed by many at once; nothing was recorded.")

    async def _write(self, rules: Rules, version: int, after: Configured) -> bool:
        key = configured_key(rules.environment)

        def finish(_concluded: Concluded) -> Sequence[DocumentWrite]:
            return [DocumentWrite(key, version, encode(after))]

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(key,), finish=finish)
        )
        refusal = outcome if isinstance(outcome, Rejected) else None
        if isinstance(outcome, GroupOutcome):
            refusal = outcome.refusal
        if refusal is not None and refusal.reason is not Reason.STALE_DOCUMENT:
            raise Conflict(refusal.message)
        return refusal is None
