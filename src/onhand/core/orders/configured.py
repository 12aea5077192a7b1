"""The whole workflow configuration as one value, for who sets up an environment at once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
    Workflows,
)


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """All parts of a configuration."""

    order_types: tuple[OrderType, ...] = ()
    groups: tuple[WorkflowGroup, ...] = ()
    warehouses: tuple[Warehouse, ...] = ()
    settings: OrderSettings = OrderSettings()
    inventory: InventorySettings = InventorySettings()
    tasks: tuple[ScheduledTask, ...] = ()


def configured(workflows: Workflows) -> Configured:
    """The value of a configuration as runs read it."""
    return Configured(
        order_types=tuple(workflows.order_types.values()),
        groups=tuple(workflows.groups.values()),
        warehouses=tuple(workflows.warehouses.values()),
        settings=workflows.settings,
        inventory=workflows.inventory,
        tasks=workflows.tasks,
    )


Part = OrderType | WorkflowGroup | Warehouse | ScheduledTask | OrderSettings | InventorySettings


def parts(whole: Configured) -> Iterator[tuple[str, Part]]:
    """Each part with the name that it is found by; settings have none."""
    yield from ((one.name, one) for one in whole.order_types)
    yield from ((one.id, one) for one in whole.groups)
    yield from ((one.code, one) for one in whole.warehouses)
    yield from ((one.id or one.implementation_type, one) for one in whole.tasks)
    yield from (("", whole.settings), ("", whole.inventory))
