"""What is wrong, or suspicious, in the settings of the order side (order specification 3.2, 6.5, 9.1, 2.11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from onhand.core.configuration_document import measure_name, measure_text
from onhand.core.dimensions import base_dimension
from onhand.core.orders.configuration import (
    ERP,
    OWNERS,
    VALUE_PROVIDERS,
    InventorySettings,
    OrderSettings,
    ScheduledTask,
    Warehouse,
    Workflows,
    WorkflowStep,
    folded,
    same,
    stock_address,
)
from onhand.core.orders.cron import CronError, parse_cron
from onhand.core.orders.lint import RESERVE, Catalogue, Finding, check_steps
from onhand.core.rules import MeasureName, Rules

IMPLEMENTED_TASKS: Final = (
    "UpdateOrderStatusScheduledTask",
    "TryReserveOrderlinesScheduledTask",
    "ResolveOverReservedInventoryScheduledTask",
)
LATER_TASKS: Final = (
    "AllocateOrderToPurchaseOrderScheduledTask",
    "TryReallocateOrdersScheduledTask",
    "CancelExpiredClickCollectScheduledTask",
)
"""May be saved; nothing runs yet."""


def check_inventory(settings: InventorySettings, rules: Rules, workflows: Workflows) -> list[Finding]:
    """Findings of inventory settings in an environment with these rules."""
    findings = [*_measures(settings, rules)]
    if not any(same(one, settings.value_provider) for one in VALUE_PROVIDERS):
        message = f"{settings.value_provider!r} is no value provider. Known: {', '.join(VALUE_PROVIDERS)}."
        findings.append(Finding("UnknownValueProvider", "valueProvider", message, "error"))
    if folded(settings.default_physical_owner) not in OWNERS:
        findings.append(_owner("defaultPhysicalOwner", settings.default_physical_owner))
    dimension = base_dimension(settings.virtual_stock_dimension)
    if dimension is None:
        message = f"{settings.virtual_stock_dimension!r} is no base dimension."
        findings.append(Finding("UnknownDimension", "virtualStockDimension", message, "error"))
    elif settings.use_virtual_stock_locations and dimension not in rules.reservation_dimensions:
        message = (
            f"{settings.virtual_stock_dimension} is no reservation dimension of this environment, so nothing can be "
            "reserved at a virtual stock location."
        )
        findings.append(Finding("DimensionNotReserved", "virtualStockDimension", message))
    return [*findings, *_reserved_twice(settings, workflows)]


def check_warehouse(warehouse: Warehouse, rules: Rules, workflows: Workflows) -> list[Finding]:
    """Findings of a warehouse."""
    findings = []
    if warehouse.owner is not None and folded(warehouse.owner) not in OWNERS:
        findings.append(_owner("owner", warehouse.owner))
    address = stock_address(warehouse, workflows.inventory)
    lacking = [] if address.organization_id else ["organizationId"]
    if "siteid" in rules.partition and not address.site_id:
        lacking.append("siteId")
    if lacking:
        message = f"{' and '.join(lacking)} is missing: no step can move stock at this warehouse."
        findings.append(Finding("NoStockAddress", lacking[0], message))
    parent = warehouse.physical_warehouse_code
    if parent and workflows.warehouse(parent) is None:
        findings.append(
            Finding("UnknownWarehouse", "physicalWarehouseCode", f"There is no warehouse {parent!r}.")
        )
    return findings


def check_order_settings(
    settings: OrderSettings, catalogue: Catalogue, workflows: Workflows
) -> list[Finding]:
    """Findings of order settings: of what is kept, the steps that can be run by hand, and the return workflow."""
    manual = settings.available_manual_workflow_steps
    findings = check_steps(manual, "availableManualWorkflowSteps", catalogue, workflows)
    findings += _twice(manual, "availableManualWorkflowSteps")
    days = settings.event_log_order_preservation_days
    if days is not None and days < 1:
        message = (
            f"Events are kept for {days} days; it must be at least 1. Leave it out to keep them for ever."
        )
        findings.append(Finding("InvalidPreservation", "eventLogOrderPreservationDays", message, "error"))
    for number, status in enumerate(settings.return_settings.return_statuses):
        path = f"returnSettings.returnStatuses[{number}].workflowSteps"
        findings += check_steps(status.workflow_steps, path, catalogue, workflows)
    return findings


def check_task(task: ScheduledTask, path: str = "") -> list[Finding]:
    """Findings of a scheduled task."""
    findings = []
    prefix = f"{path}." if path else ""
    if any(same(one, task.implementation_type) for one in LATER_TASKS):
        message = f"{task.implementation_type} is not implemented yet: it is kept and never runs."
        findings.append(Finding("NotImplemented", f"{prefix}implementationType", message))
    elif not any(same(one, task.implementation_type) for one in IMPLEMENTED_TASKS):
        message = f"There is no task {task.implementation_type!r}. Known: {', '.join((*IMPLEMENTED_TASKS, *LATER_TASKS))}."
        findings.append(Finding("UnknownTask", f"{prefix}implementationType", message, "error"))
    try:
        parse_cron(task.schedule)
    except CronError as fault:
        findings.append(Finding("UnreadableSchedule", f"{prefix}schedule", str(fault), "error"))
    return findings


def _owner(path: str, given: str) -> Finding:
    message = f"{given!r} owns no stock: use {' or '.join(OWNERS)} ({ERP}: the steps leave the physical quantity alone)."
    return Finding("UnknownOwner", path, message, "error")


def _twice(steps: Sequence[WorkflowStep], path: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, step in enumerate(steps):
        if step.id and folded(step.id) in seen:
            yield Finding(
                "DuplicateStep", f"{path}[{number}].id", f"Step id {step.id!r} occurs twice.", "error"
            )
        seen.add(folded(step.id))


def _reserved_twice(settings: InventorySettings, workflows: Workflows) -> Iterator[Finding]:
    if not settings.is_inventory_reservation_triggered_on_order_creation:
        return
    for order_type in workflows.order_types.values():
        for status in order_type.order_statuses:
            for step in status.workflow_steps:
                group = workflows.group(step.group_id) if step.group_id else None
                steps = group.steps if group else (step,)
                if any(one.active and folded(one.name) == RESERVE for one in steps) and step.active:
                    message = f"{order_type.name} reserves again in status {status.name}. Remove that step."
                    yield Finding("ReservedTwice", "isInventoryReservationTriggeredOnOrderCreation", message)


# Measures ----------------------------------------------------------------------------------------------------


def _measures(settings: InventorySettings, rules: Rules) -> Iterator[Finding]:
    """Both must exist, and the availability of the reserved one must add the inventory and subtract the reservation."""
    ids: dict[str, int] = {}
    for path, text in (
        ("inventoryMeasure", settings.inventory_measure),
        ("reservedMeasure", settings.reserved_measure),
    ):
        name = measure_name(text.lower())
        if name in rules.measures:
            ids[path] = rules.measures[name]
            continue
        known = ", ".join(sorted(map(measure_text, rules.measures))) or "none"
        message = f"The environment has no physical measure {text!r}. It has: {known}."
        yield Finding("UnknownMeasure", path, message, "error")
    if len(ids) == 2:
        yield from _formula(ids["inventoryMeasure"], ids["reservedMeasure"], rules)


def _formula(inventory: int, reserved: int, rules: Rules) -> Iterator[Finding]:
    path = "reservedMeasure"
    mapped = rules.mapped.get(reserved)
    if mapped is None:
        message = (
            f"{_shown(rules.names[reserved])} has no reservation mapping, so nothing can be reserved on it. Map it to a "
            "calculated measure in the environment's configuration."
        )
        yield Finding("NoReservationMapping", path, message, "error")
        return
    signs = mapped.formula.signs
    if signs.get(inventory) != 1 or signs.get(reserved) != -1:
        message = (
            f"{_shown(mapped.formula.name)} must add {_shown(rules.names[inventory])} and subtract "
            f"{_shown(rules.names[reserved])}; otherwise steps and reservations would not decide alike."
        )
        yield Finding("FormulaDoesNotFit", path, message, "error")
        return
    further = [
        f"{'+' if sign > 0 else '-'} {_shown(rules.names[number])}"
        for number, sign in signs.items()
        if number not in (inventory, reserved)
    ]
    if further:
        message = (
            f"{_shown(mapped.formula.name)} has further terms ({', '.join(further)}): what is available differs from "
            "inventory minus reservedInventory, and steps go by the formula."
        )
        yield Finding("AvailabilityDiffers", path, message)


def _shown(name: MeasureName) -> str:
    return measure_text(name)
