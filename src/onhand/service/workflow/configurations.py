"""The workflow configuration of an environment: stored as documents, read as one snapshot, changed one at a time.

Each order type, workflow group, warehouse and scheduled task is a document with a version of its own, and so are the two
settings. One further document, the **stamp**, changes with each of them in the same group. A snapshot that was read
between two looks at the same stamp is therefore one state of the configuration, and a cached one is known to be
current when the stamp still has its version: one row by its key.

A change is checked against such a snapshot and refused if the stamp has moved meanwhile; then it is tried again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.keys import shard
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
    Workflows,
    folded,
)
from onhand.core.orders.configured import Configured, configured, parts
from onhand.core.orders.entities import Entity, stored_decoder, to_stored
from onhand.core.orders.refusals import Code, Refused
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.rows import DocumentRow
from onhand.service.batcher import Batcher
from onhand.service.faults import Conflict

ORDER_TYPE: Final = "order-type"
WORKFLOW_GROUP: Final = "workflow-group"
WAREHOUSE: Final = "warehouse"
SCHEDULED_TASK: Final = "scheduled-task"
ORDER_SETTINGS: Final = "order-settings"
INVENTORY_SETTINGS: Final = "inventory-settings"
STAMP: Final = "workflow-stamp"
"""Kinds of documents."""

SETTINGS_ID: Final = "settings"
"""Id of a document of which an environment has one."""

SHAPES: Final[dict[str, type[Entity]]] = {
    ORDER_TYPE: OrderType,
    WORKFLOW_GROUP: WorkflowGroup,
    WAREHOUSE: Warehouse,
    SCHEDULED_TASK: ScheduledTask,
    ORDER_SETTINGS: OrderSettings,
    INVENTORY_SETTINGS: InventorySettings,
}
KINDS: Final = {shape: kind for kind, shape in SHAPES.items()}
_DECODERS: Final = {kind: stored_decoder(shape) for kind, shape in SHAPES.items()}

_PAGE: Final = 500
"""Documents that one statement reads."""
_SNAPSHOTS_MAX: Final = 1_000
"""Environments whose configuration is remembered."""
_ATTEMPTS: Final = 8
_GONE: Final = b"null"
"""Body of a document that was deleted: its versions go on counting."""


class Stored(msgspec.Struct, frozen=True):
    """A part of the configuration and its version."""

    value: Entity
    version: int


class Snapshot(msgspec.Struct, frozen=True):
    """One state of the whole configuration."""

    version: int
    """Of the stamp: grows with each change; 0 while nothing was ever configured."""
    workflows: Workflows
    parts: Mapping[tuple[str, str], Stored]
    """By kind and document id."""

    def part(self, kind: str, name: str) -> Stored | None:
        """The part of this name, compared trimmed and without case."""
        return self.parts.get((kind, folded(name)))

    def of_kind(self, kind: str) -> list[Stored]:
        """All parts of a kind, by document id."""
        return [stored for (its_kind, _), stored in sorted(self.parts.items()) if its_kind == kind]


class Change(msgspec.Struct, frozen=True):
    """What becomes of one part: its new value, or None to take it away."""

    kind: str
    name: str
    value: Entity | None
    expected: int | None = None
    """Version that it must have; None: any."""


Edit = Callable[[Configured], Configured | Refused]
"""Pure: the configuration as it shall be."""

Plan = Callable[[Snapshot], Sequence[Change] | Refused]
"""Pure: the changes that are wanted, judged on the state that they would change."""


class Configurations:
    """The workflow configuration of each environment."""

    def __init__(self, documents: Documents, batcher: Batcher) -> None:
        self._documents = documents
        self._batcher = batcher
        self._snapshots: OrderedDict[int, Snapshot] = OrderedDict()

    async def current(self, environment: int) -> Snapshot:
        """The configuration as it is committed now. One look at a row; seven statements more after a change.

        Raises:
            Conflict: it changed so often while it was read that no state could be had.
        """
        for _ in range(_ATTEMPTS):
            version = await self._version(environment)
            known = self._snapshots.get(environment)
            if known is not None and known.version == version:
                return known
            found = await self._read(environment, version)
            if await self._version(environment) == version:
                self._remember(environment, found)
                return found
        raise Conflict("The workflow configuration changes too often to be read. Nothing was recorded.")

    async def workflows(self, rules: Rules, seen: int | None = None) -> Workflows:
        """The same as a run reads it: all of one moment. Without a round trip if the stamp was just seen unchanged.

        Raises:
            Conflict: see `current`.
        """
        known = self._snapshots.get(rules.environment)
        if known is not None and known.version == seen:
            return known.workflows
        return (await self.current(rules.environment)).workflows

    async def carry_out(self, rules: Rules, plan: Plan) -> Snapshot | Refused:
        """Carry out a plan, all of it or nothing. The answer is the state right after it.

        Raises:
            Fault: see `Batcher.submit`.
        """
        for _ in range(_ATTEMPTS):
            before = await self.current(rules.environment)
            changes = plan(before)
            if isinstance(changes, Refused):
                return changes
            if not changes:
                return before
            stale = next((one for one in changes if _is_stale(before, one)), None)
            if stale is not None:
                return _conflict(before, stale)
            outcome = await self._batcher.submit(rules, partial(_group, before, changes))
            refusal = outcome.refusal if isinstance(outcome, GroupOutcome) else outcome
            if not isinstance(refusal, Rejected):
                return await self.current(rules.environment)
            if refusal.reason is not Reason.STALE_DOCUMENT:
                return Refused(Code.VALIDATION_FAILED, refusal.message)
        raise Conflict("Too many changes of the workflow configuration at once. Nothing was recorded.")

    async def change(
        self, rules: Rules, kind: str, name: str, edit: Edit, expected: int | None = None
    ) -> Configured | Refused:
        """Change the configuration as one value, unchecked; `expected` is the version of the part of this kind and name.

        Raises:
            Fault: see `Batcher.submit`.
        """

        def plan(before: Snapshot) -> Sequence[Change] | Refused:
            stale = Change(kind, name, None, expected)
            if _is_stale(before, stale):
                return _conflict(before, stale)
            after = edit(configured(before.workflows))
            return after if isinstance(after, Refused) else _differences(before, after)

        after = await self.carry_out(rules, plan)
        return after if isinstance(after, Refused) else configured(after.workflows)

    async def _version(self, environment: int) -> int:
        stamp = await self._documents.document(stamp_key(environment))
        return 0 if stamp is None else stamp.version

    async def _read(self, environment: int, version: int) -> Snapshot:
        parts: dict[tuple[str, str], Stored] = {}
        for kind in SHAPES if version else ():
            for row in await self._rows(environment, kind):
                if row.body != _GONE:
                    parts[kind, row.key.id] = Stored(_DECODERS[kind].decode(row.body), row.version)
        return Snapshot(version, _workflows(parts), parts)

    async def _rows(self, environment: int, kind: str) -> list[DocumentRow]:
        rows: list[DocumentRow] = []
        after: str | None = None
        while True:
            page = await self._documents.find(environment, kind, (), after=after, limit=_PAGE)
            rows += page.rows
            after = page.next
            if after is None:
                return rows

    def _remember(self, environment: int, snapshot: Snapshot) -> None:
        self._snapshots[environment] = snapshot
        self._snapshots.move_to_end(environment)
        while len(self._snapshots) > _SNAPSHOTS_MAX:
            self._snapshots.popitem(last=False)


def _differences(before: Snapshot, after: Configured) -> list[Change]:
    """What makes one configuration of another."""
    wanted = {(KINDS[type(value)], folded(name) or SETTINGS_ID): value for name, value in parts(after)}
    gone = [Change(kind, name, None) for kind, name in before.parts if (kind, name) not in wanted]
    changed = []
    for (kind, name), value in wanted.items():
        known = before.part(kind, name)
        if known is None or known.value != value:
            changed.append(Change(kind, name, value))
    return [*changed, *gone]


V = TypeVar("V", bound=Entity)


def _all(parts: Mapping[tuple[str, str], Stored], kind: str, shape: type[V]) -> dict[str, V]:
    return {
        name: stored.value
        for (its_kind, name), stored in parts.items()
        if its_kind == kind and isinstance(stored.value, shape)
    }


def _workflows(parts: Mapping[tuple[str, str], Stored]) -> Workflows:
    return Workflows(
        order_types=_all(parts, ORDER_TYPE, OrderType),
        groups=_all(parts, WORKFLOW_GROUP, WorkflowGroup),
        warehouses=_all(parts, WAREHOUSE, Warehouse),
        settings=_all(parts, ORDER_SETTINGS, OrderSettings).get(SETTINGS_ID, OrderSettings()),
        inventory=_all(parts, INVENTORY_SETTINGS, InventorySettings).get(SETTINGS_ID, InventorySettings()),
        tasks=tuple(_all(parts, SCHEDULED_TASK, ScheduledTask).values()),
    )


def stamp_key(environment: int) -> DocumentKey:
    """Key of the stamp: its version is that of the whole configuration."""
    return _key(environment, STAMP, SETTINGS_ID)


def _key(environment: int, kind: str, name: str) -> DocumentKey:
    return DocumentKey(shard(str(environment), kind, name), environment, kind, name)


def _is_stale(before: Snapshot, change: Change) -> bool:
    known = before.part(change.kind, change.name)
    return change.expected is not None and change.expected != (known.version if known else 0)


def _conflict(before: Snapshot, change: Change) -> Refused:
    known = before.part(change.kind, change.name)
    now = f"it has version {known.version} now" if known else "it does not exist"
    return Refused(
        Code.VERSION_CONFLICT,
        f"{change.kind} {change.name!r} was changed from version {change.expected}, but {now}. Read it again first.",
    )


def _group(before: Snapshot, changes: Sequence[Change], rules: Rules) -> Group:
    keys = [_key(rules.environment, one.kind, folded(one.name)) for one in changes]

    def finish(concluded: Concluded) -> list[DocumentWrite] | Rejected:
        stamp, *documents = concluded.documents
        if stamp.version != before.version:
            return Rejected(Reason.STALE_DOCUMENT, "The workflow configuration was changed meanwhile.")
        writes = [DocumentWrite(stamp.key, stamp.version, b"{}")]
        for one, document in zip(changes, documents, strict=True):
            body = _GONE if one.value is None else to_stored(one.value)
            writes.append(DocumentWrite(document.key, document.version, body))
        return writes

    return Group(commands=(), documents=(_key(rules.environment, STAMP, SETTINGS_ID), *keys), finish=finish)
