"""What is wrong, or suspicious, in a workflow configuration (order specification 2.12, decisions 20 and 29).

Refusals forbid saving. Warnings never do: they name what would silently do nothing, or do it twice. The catalogue
of steps is given by the caller, so that the core knows no steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from onhand.core.orders.configuration import (
    ERP,
    OrderStatus,
    OrderType,
    Workflows,
    WorkflowStep,
    folded,
    same,
)
from onhand.core.orders.filters import CONDITIONS
from onhand.core.orders.model import RELEASED
from onhand.core.orders.properties import PropertyError, Settings

RELEASE: Final = "updateshipmentstatus"
RESERVE: Final = "increasereservedinventory"
RECALCULATE: Final = "recalculatereservedinventory"
FORCE: Final = "setallorderlinestoreserved"
SELECTIVE: Final = "reduceinventoryonlyonreservedorderlines"
REDUCE_FAMILY: Final = frozenset({"reduceinventory", "reduceinventoryandreservedinventory", SELECTIVE})
"""Keys of the steps that reduce a shipment's stock, folded."""

_DELIVERED: Final = ("completed", "pickedup", "pickedupandpaid", "closed", "delivered")
_CANCELED: Final = (
    "ordercanceled",
    "ordercanceledbycustomer",
    "ordercanceledbystore",
    "expired",
    "notcollected",
)
_STATUS_PROPERTIES: Final = frozenset({"orderstatus", "tostatus", "fromstatus", "status", "splittostatus"})


class KnownProperty(Protocol):
    """A setting that a step knows."""

    @property
    def name(self) -> str:
        """Key."""

    @property
    def type(self) -> str:
        """String, Boolean, TimeSpan, DateTime, List, Json or Integer."""

    @property
    def required(self) -> bool:
        """Whether the step cannot do without."""


class KnownStep(Protocol):
    """A step of the catalogue, as far as the configuration is checked against it."""

    @property
    def key(self) -> str:
        """Key."""

    @property
    def implemented(self) -> bool:
        """Whether it does anything yet."""

    @property
    def applicable_statuses(self) -> Sequence[str]:
        """Where the editor offers it; empty: everywhere."""

    @property
    def properties(self) -> Sequence[KnownProperty]:
        """Settings."""


Catalogue = Mapping[str, KnownStep]
"""Steps by folded key."""


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that the lint found."""

    rule: str
    path: str
    """Where, in JSON terms."""
    message: str
    severity: Literal["error", "warning"] = "warning"


class _Placed(NamedTuple):
    """A step where it runs: those of a group stand in place of the step that calls the group."""

    key: str
    step: WorkflowStep
    path: str


def check_order_type(order_type: OrderType, catalogue: Catalogue, workflows: Workflows) -> list[Finding]:
    """All findings of an order type; `workflows` are the other parts of the configuration that it refers to."""
    findings = [*_names(order_type)]
    for number, status in enumerate(order_type.order_statuses):
        for index, step in enumerate(status.workflow_steps):
            path = f"orderStatuses[{number}].workflowSteps[{index}]"
            findings += check_step(step, path, catalogue, workflows)
            findings += _placed_well(step, path, status, catalogue)
            findings += _status_references(step, path, order_type)
    if any(one.severity == "error" for one in findings):
        return findings
    return [*findings, *_whole_type(order_type, workflows)]


def check_steps(
    steps: Sequence[WorkflowStep],
    path: str,
    catalogue: Catalogue,
    workflows: Workflows,
    *,
    in_group: bool = False,
) -> list[Finding]:
    """Findings of steps that belong to no status: of a workflow group, or those that can be run by hand."""
    findings = [
        one
        for index, step in enumerate(steps)
        for one in check_step(step, f"{path}[{index}]", catalogue, workflows)
    ]
    if in_group:
        findings += [
            Finding("NestedGroup", f"{path}[{index}].groupId", "A group cannot call a group.", "error")
            for index, step in enumerate(steps)
            if step.group_id
        ]
    return findings


def check_step(step: WorkflowStep, path: str, catalogue: Catalogue, workflows: Workflows) -> list[Finding]:
    """Findings of one step by itself."""
    findings = [
        Finding(
            "UnknownCondition",
            f"{path}.workflowStepConditions[{number}].type",
            f"{one.type!r} is no result of a step. Use {', '.join(CONDITIONS)}.",
            "error",
        )
        for number, one in enumerate(step.workflow_step_conditions)
        if folded(one.type) not in map(folded, CONDITIONS)
    ]
    if step.group_id:
        if workflows.group(step.group_id) is None:
            message = f"There is no workflow group {step.group_id!r}."
            findings.append(Finding("UnknownGroup", f"{path}.groupId", message, "error"))
        return findings
    known = catalogue.get(folded(step.name))
    if known is None:
        message = f"There is no step {step.name!r}; GET workflow-steps lists them."
        return [*findings, Finding("UnknownStep", f"{path}.name", message, "error")]
    if not known.implemented:
        message = f"{known.key} is not implemented yet: it runs as a warning and does nothing."
        findings.append(Finding("NotImplemented", f"{path}.name", message))
    return [*findings, *_properties(step, path, known)]


def _properties(step: WorkflowStep, path: str, known: KnownStep) -> Iterator[Finding]:
    settings = Settings(step.properties)
    where = f"{path}.properties"
    for one in known.properties:
        if one.required and not settings.has(one.name):
            yield Finding("MissingProperty", where, f"{known.key} needs the property {one.name}.")
        try:
            _read(settings, one)
        except PropertyError as fault:
            yield Finding("UnreadableProperty", where, str(fault))
    names = {folded(one.name) for one in known.properties}
    for given in step.properties if names else ():
        if folded(given.key) not in names:
            listed = ", ".join(one.name for one in known.properties)
            yield Finding(
                "UnknownProperty", where, f"{known.key} has no property {given.key!r}. It has: {listed}."
            )


def _read(settings: Settings, known: KnownProperty) -> None:
    """Read the setting as its type.

    Raises:
        PropertyError: it cannot be read.
    """
    if known.type == "Boolean":
        settings.flag(known.name)
    elif known.type == "TimeSpan":
        settings.span(known.name)
    elif known.type == "DateTime":
        settings.moment(known.name)
    elif known.type == "Integer":
        settings.number(known.name)
    elif known.type == "Json":
        settings.json(known.name)


def _placed_well(
    step: WorkflowStep, path: str, status: OrderStatus, catalogue: Catalogue
) -> Iterator[Finding]:
    """Rule 1: a step outside of its applicable statuses."""
    known = None if step.group_id else catalogue.get(folded(step.name))
    if known is None or not known.applicable_statuses or not step.active:
        return
    if not any(same(one, status.name) for one in known.applicable_statuses):
        message = f"{known.key} is meant for {', '.join(known.applicable_statuses)}, not for {status.name}."
        yield Finding("OutsideApplicableStatuses", path, message)


def _status_references(step: WorkflowStep, path: str, order_type: OrderType) -> Iterator[Finding]:
    """A property that names a status which the order type does not have."""
    if any(same(one.key, "orderType") for one in step.properties):
        return
    for one in step.properties:
        if (
            folded(one.key) in _STATUS_PROPERTIES
            and folded(one.value)
            and order_type.status(one.value) is None
        ):
            message = (
                f"{step.name} names status {one.value!r}, which order type {order_type.name} does not have."
            )
            yield Finding("UnknownStatus", f"{path}.properties", message)


def _names(order_type: OrderType) -> Iterator[Finding]:
    """Names of statuses, and the statuses that they refer to."""
    seen: set[str] = set()
    for number, status in enumerate(order_type.order_statuses):
        path = f"orderStatuses[{number}]"
        if folded(status.name) in seen:
            yield Finding(
                "DuplicateStatus",
                f"{path}.name",
                f"Status {status.name!r} occurs twice in the order type.",
                "error",
            )
        seen.add(folded(status.name))
        for one in (
            *status.available_steps,
            *((status.main_order_status,) if status.main_order_status else ()),
        ):
            if order_type.status(one) is None:
                message = f"Status {status.name} leads to {one!r}, which the order type does not have."
                yield Finding("UnknownStatus", path, message)


# Rules that look at a whole order type -----------------------------------------------------------------------


def _whole_type(order_type: OrderType, workflows: Workflows) -> Iterator[Finding]:
    placed = [
        [*_laid_out(status, f"orderStatuses[{number}]", workflows)]
        for number, status in enumerate(order_type.order_statuses)
    ]
    for number, status in enumerate(order_type.order_statuses):
        yield from _unreleased(status, placed[number])
        yield from _flags(status, f"orderStatuses[{number}]")
    order = sorted(range(len(placed)), key=lambda number: order_type.order_statuses[number].order)
    every = [one for number in order for one in placed[number]]
    yield from _several_reductions(every)
    yield from _single_steps(every, workflows)
    yield from _forced_then_reduced(every)
    yield from _foreign_warehouses(every, workflows)


def _laid_out(status: OrderStatus, path: str, workflows: Workflows) -> Iterator[_Placed]:
    """The active steps of a status, those of groups in place."""
    for index, step in enumerate(status.workflow_steps):
        where = f"{path}.workflowSteps[{index}]"
        if not step.active:
            continue
        group = workflows.group(step.group_id) if step.group_id else None
        for one in group.steps if group else (step,):
            if one.active:
                yield _Placed(folded(one.name), one, where)


def _unreleased(status: OrderStatus, steps: list[_Placed]) -> Iterator[Finding]:
    """Rule 2: a reduction in a status that releases no shipment."""
    released = same(status.shipment_status_update, RELEASED)
    for one in steps:
        if one.key == RELEASE and same(Settings(one.step.properties).text("shipmentStatus"), RELEASED):
            released = True
        if one.key in REDUCE_FAMILY and not released:
            message = (
                f"{one.step.name} reduces released shipments only, and status {status.name} releases none before it: set "
                "shipmentStatusUpdate to Released, or put UpdateShipmentStatus before it."
            )
            yield Finding("ReduceWithoutRelease", one.path, message)


def _several_reductions(steps: list[_Placed]) -> Iterator[Finding]:
    """Rule 3: two steps that share the reference of one reduction."""
    found = [one for one in steps if one.key in REDUCE_FAMILY]
    for one in found[1:]:
        message = f"{one.step.name} finds every line reduced by {found[0].step.name} ({found[0].path}). Keep one of them."
        yield Finding("SeveralReductions", one.path, message)


def _single_steps(steps: list[_Placed], workflows: Workflows) -> Iterator[Finding]:
    """Rules 4 and 5."""
    for one in steps:
        if one.key == RESERVE and workflows.inventory.is_inventory_reservation_triggered_on_order_creation:
            message = (
                f"{one.step.name} reserves what isInventoryReservationTriggeredOnOrderCreation has reserved already. "
                "Remove the step or switch the setting off."
            )
            yield Finding("ReservedTwice", one.path, message)
        if one.key == RECALCULATE and not one.step.run_after_order_is_saved:
            message = f"{one.step.name} reads saved orders. Set runAfterOrderIsSaved."
            yield Finding("RecalculateBeforeSave", one.path, message)


def _forced_then_reduced(steps: list[_Placed]) -> Iterator[Finding]:
    """Rule 6: flags with nothing behind them, and a step that trusts flags."""
    forced: _Placed | None = None
    for one in steps:
        if one.key == FORCE:
            forced = one
        if one.key == SELECTIVE and forced is not None:
            message = f"{one.step.name} trusts the reserved quantities that {forced.step.name} only claims."
            yield Finding("ForcedThenReduced", one.path, message)


def _foreign_warehouses(steps: list[_Placed], workflows: Workflows) -> Iterator[Finding]:
    """Warehouses whose physical quantity is the ERP's: a reduction records there and moves nothing."""
    codes = sorted(
        one.code for one in workflows.warehouses.values() if one.owned_by(workflows.inventory) == ERP
    )
    reduction = next((one for one in steps if one.key in REDUCE_FAMILY), None)
    if codes and reduction is not None:
        message = (
            f"The ERP owns the physical quantity of {', '.join(codes)}: {reduction.step.name} offsets reservations there "
            "and leaves the physical quantity to the ERP."
        )
        yield Finding("ErpOwnsWarehouse", reduction.path, message)


def _flags(status: OrderStatus, path: str) -> Iterator[Finding]:
    """Rule 7: a final status without its flag keeps reservations for ever."""
    name = folded(status.name).replace(" ", "")
    if name in _DELIVERED and not status.is_delivered_status:
        message = f"Status {status.name} looks delivered but lacks isDeliveredStatus: its orders keep their reservations."
        yield Finding("LooksDelivered", path, message)
    if name in _CANCELED and not status.is_canceled_status:
        message = f"Status {status.name} looks cancelled but lacks isCanceledStatus: its orders keep their reservations."
        yield Finding("LooksCanceled", path, message)
