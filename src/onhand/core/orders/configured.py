"""The stored workflow configuration of an environment: one document, so that a run sees all of it as of one moment.

Each part knows the version at which it last changed, which is its entity tag: two people who change different order types do
not get in each other's way.
"""

from __future__ import annotations

from typing import Final

import msgspec

from onhand.core.commands import DocumentKey
from onhand.core.keys import shard
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
    Workflows,
    by_name,
    folded,
)
from onhand.core.orders.entities import stored_decoder, to_stored

KIND: Final = "workflows"
"""Kind of the document."""


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the document."""

    order_types: tuple[OrderType, ...] = ()
    groups: tuple[WorkflowGroup, ...] = ()
    warehouses: tuple[Warehouse, ...] = ()
    settings: OrderSettings = OrderSettings()
    inventory: InventorySettings = InventorySettings()
    tasks: tuple[ScheduledTask, ...] = ()
    versions: dict[str, int] = {}
    """Part -> version of the document in which it changed last; `part` names it."""

    @property
    def workflows(self) -> Workflows:
        """The configuration as runs read it."""
        return Workflows(
            order_types=by_name(self.order_types),
            groups=by_name(self.groups),
            warehouses=by_name(self.warehouses),
            settings=self.settings,
            inventory=self.inventory,
            tasks=self.tasks,
        )

    def version_of(self, kind: str, name: str = "") -> int:
        """Version of a part; 0 when it was never written."""
        return self.versions.get(part(kind, name), 0)


def part(kind: str, name: str = "") -> str:
    """Name of a part: its kind (`order-type`, `warehouse` …) and its folded name."""
    return f"{kind}/{folded(name)}"


def configured_key(environment: int) -> DocumentKey:
    """Key of an environment's document."""
    return DocumentKey(shard(str(environment), KIND), environment, KIND, KIND)


def encode(configured: Configured) -> bytes:
    """The stored form."""
    return to_stored(configured)


decode = stored_decoder(Configured).decode
