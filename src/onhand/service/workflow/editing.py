"""Changes of the workflow configuration, with the checks that each part has to pass (order specification 2.12, 9.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.orders import checks, lint
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
    Workflows,
    WorkflowStep,
    folded,
    same,
)
from onhand.core.orders.entities import Entity
from onhand.core.orders.lint import Finding
from onhand.core.orders.refusals import Code, Refused, invalid
from onhand.core.rules import Rules
from onhand.service.workflow.configurations import (
    ORDER_TYPE,
    WORKFLOW_GROUP,
    Change,
    Configurations,
    Snapshot,
    Stored,
)
from onhand.service.workflow.searching import HITS_MAX, Searching
from onhand.steps.registry import STEPS

WHAT: Final = {
    "order-type": "The order type",
    "workflow-group": "The workflow group",
    "warehouse": "The warehouse",
    "scheduled-task": "The scheduled task",
    "order-settings": "The order settings",
    "inventory-settings": "The inventory settings",
}


class Saved(msgspec.Struct, frozen=True):
    """A part that was saved."""

    stored: Stored
    warnings: tuple[Finding, ...]


class SavedAll(msgspec.Struct, frozen=True):
    """All parts of a kind, as they were saved."""

    snapshot: Snapshot
    warnings: tuple[Finding, ...]


def findings(value: Entity, workflows: Workflows, rules: Rules) -> list[Finding]:
    """What is wrong or suspicious in a part of the configuration, beside all other parts."""
    if isinstance(value, OrderType):
        return [*lint.check_order_type(value, STEPS, workflows), *_other_default(value, workflows)]
    if isinstance(value, WorkflowGroup):
        return lint.check_steps(value.steps, "steps", STEPS, workflows, in_group=True)
    if isinstance(value, OrderSettings):
        return checks.check_order_settings(value, STEPS, workflows)
    if isinstance(value, InventorySettings):
        return checks.check_inventory(value, rules, workflows)
    if isinstance(value, Warehouse):
        return checks.check_warehouse(value, rules, workflows)
    return checks.check_task(value) if isinstance(value, ScheduledTask) else []


async def save(  # noqa: PLR0913 - what is saved, where, and from which version
    configurations: Configurations, rules: Rules, kind: str, name: str, value: Entity, expected: int | None
) -> Saved | Refused:
    """Save one part; `expected` is the version that it was changed from, None for any.

    Raises:
        Fault: see `Batcher.submit`.
    """
    found: list[Finding] = []

    def plan(before: Snapshot) -> Sequence[Change] | Refused:
        found[:] = findings(value, before.workflows, rules)
        return _refusal(found, WHAT[kind]) or (Change(kind, name, value, expected),)

    after = await configurations.carry_out(rules, plan)
    if isinstance(after, Refused):
        return after
    stored = after.part(kind, name)
    return Saved(Stored(value, 0) if stored is None else stored, _warnings(found))


async def remove(
    configurations: Configurations, rules: Rules, kind: str, name: str, expected: int | None
) -> Refused | None:
    """Take one part away.

    Raises:
        Fault: see `Batcher.submit`.
    """

    def plan(before: Snapshot) -> Sequence[Change] | Refused:
        if before.part(kind, name) is None:
            return Refused(Code.NOT_FOUND, f"{WHAT[kind]} {name!r} does not exist.")
        return (Change(kind, name, None, expected),)

    after = await configurations.carry_out(rules, plan)
    return after if isinstance(after, Refused) else None


async def remove_order_type(
    configurations: Configurations, searching: Searching, rules: Rules, name: str, expected: int | None
) -> Refused | None:
    """Take an order type away that has no orders; without it delivered ones would count as open again (4.6).

    Raises:
        Fault: see `Batcher.submit`.
    """
    known = (await configurations.current(rules.environment)).part(ORDER_TYPE, name)
    orders = 0 if known is None else await searching.count_of_type(rules.environment_id, name)
    if orders:
        found = f"at least {orders}" if orders == HITS_MAX else str(orders)
        return Refused(
            Code.ORDER_TYPE_IN_USE,
            f"The order type {name!r} has orders: {found}. Give them another type, or delete them first.",
        )
    return await remove(configurations, rules, ORDER_TYPE, name, expected)


async def replace_all(
    configurations: Configurations,
    rules: Rules,
    kind: str,
    values: Sequence[tuple[str, Entity]],
    expected: int | None,
) -> SavedAll | Refused:
    """Make these (name, value) all that there is of a kind; `expected` is the version of the whole configuration.

    Raises:
        Fault: see `Batcher.submit`.
    """
    found: list[Finding] = []

    def plan(before: Snapshot) -> Sequence[Change] | Refused:
        if expected is not None and expected != before.version:
            return Refused(
                Code.VERSION_CONFLICT,
                f"The configuration has version {before.version} now, not {expected}. Read it again first.",
            )
        found[:] = _all_findings(values, before.workflows, rules, kind)
        return _refusal(found, "The list") or _changes(before, kind, values)

    after = await configurations.carry_out(rules, plan)
    return after if isinstance(after, Refused) else SavedAll(after, _warnings(found))


def _all_findings(
    values: Sequence[tuple[str, Entity]], workflows: Workflows, rules: Rules, kind: str
) -> list[Finding]:
    found: list[Finding] = []
    seen: set[str] = set()
    for number, (name, value) in enumerate(values):
        if folded(name) in seen:
            found.append(Finding("Duplicate", f"[{number}]", f"{name!r} occurs twice.", "error"))
        seen.add(folded(name))
        found += [
            msgspec.structs.replace(one, path=f"[{number}].{one.path}")
            for one in findings(value, workflows, rules)
        ]
    if kind == WORKFLOW_GROUP:
        found += _orphans(workflows, seen)
    return found


def _changes(before: Snapshot, kind: str, values: Sequence[tuple[str, Entity]]) -> list[Change]:
    wanted = {folded(name): value for name, value in values}
    gone = [
        Change(kind, name, None)
        for (its_kind, name) in before.parts
        if its_kind == kind and name not in wanted
    ]
    changed = []
    for name, value in wanted.items():
        known = before.part(kind, name)
        if known is None or known.value != value:
            changed.append(Change(kind, name, value))
    return [*changed, *gone]


def _orphans(workflows: Workflows, kept: set[str]) -> list[Finding]:
    """Groups that would go away while a step calls them."""
    steps: list[tuple[str, WorkflowStep]] = [
        (f"{one.name}/{status.name}", step)
        for one in workflows.order_types.values()
        for status in one.order_statuses
        for step in status.workflow_steps
    ]
    steps += [("order settings", step) for step in workflows.settings.available_manual_workflow_steps]
    return [
        Finding("GroupInUse", "", f"{where} calls group {step.group_id!r}; keep it.", "error")
        for where, step in steps
        if step.group_id and folded(step.group_id) not in kept
    ]


def _other_default(value: OrderType, workflows: Workflows) -> list[Finding]:
    others = [
        one.name
        for one in workflows.order_types.values()
        if one.default_order_type and not same(one.name, value.name)
    ]
    if not (value.default_order_type and others):
        return []
    message = f"{', '.join(others)} is the default already. Keep one of them."
    return [Finding("SeveralDefaults", "defaultOrderType", message)]


def _refusal(found: Sequence[Finding], what: str) -> Refused | None:
    errors = [Problem(one.path, one.message) for one in found if one.severity == "error"]
    return invalid(errors, what) if errors else None


def _warnings(found: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(one for one in found if one.severity == "warning")
