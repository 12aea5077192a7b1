"""Diagrams of statuses: of orders and their shipments, made from the ready-made workflows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from onhand.core.orders.configuration import OrderStatus, OrderType, WorkflowStep, folded
from onhand.core.orders.model import AWAITING, SHIPPED
from onhand.core.orders.presets import PRESETS
from onhand.core.orders.properties import Settings

Edge = tuple[str, str, str]
"""From, to, and what leads there."""


def states() -> Iterator[str]:
    """The diagrams."""
    yield "# Statuses of orders and shipments"
    yield (
        "An order type owns its statuses, so there is no one life of an order. These are the lives in the ready-made workflows; "
        "a status update may enter any status of the order type, unless `enforceAvailableStepsPolicy` is set. The status of a "
        "*shipment* is another thing: it says what happens to its goods, and `Released` is what the reduce steps wait for."
    )
    yield "## Shipments"
    yield (
        "What the steps and statuses of the ready-made workflows do to the `status` of a shipment, and in which order status. "
        "`Released` is reached by `UpdateShipmentStatus` or by `shipmentStatusUpdate` of the order status."
    )
    yield _diagram(_shipment_edges())
    yield "## Orders"
    for preset in PRESETS:
        yield f"### {preset.title}"
        yield f"Order type `{preset.order_type.name}`, preset `{preset.key}`. {preset.description}"
        yield _diagram(_order_edges(preset.order_type))
        yield "\n".join(
            f"- `{status.name}`: {', '.join(f'`{step.name}`' for step in status.workflow_steps) or 'no steps'}"
            for status in _sorted(preset.order_type)
        )


def _sorted(order_type: OrderType) -> list[OrderStatus]:
    return sorted(order_type.order_statuses, key=lambda status: status.order)


def _order_edges(order_type: OrderType) -> list[Edge]:
    """One status after the other by sort index; cancelling from where nothing is delivered; what steps enter."""
    statuses = _sorted(order_type)
    ways = [status for status in statuses if not status.is_canceled_status]
    triggered = {folded(one) for status in statuses for one in _entered(status)}
    main = [status for status in ways if folded(status.name) not in triggered or status is ways[0]]
    edges: list[Edge] = [("[*]", main[0].name, "")] if main else []
    edges += [(one.name, following.name, "") for one, following in pairwise(main)]
    for status in statuses:
        edges += [(status.name, entered, "by a step") for entered in _entered(status)]
    for aside in (one for one in ways if one not in main):
        later = next((one for one in main if one.order > aside.order), None)
        edges += [(aside.name, later.name, "")] if later else []
    before = [one for one in ways if one.is_open] or ways
    for cancelled in (status for status in statuses if status.is_canceled_status):
        edges += [(one.name, cancelled.name, "cancelled") for one in before]
    edges += [(one.name, "[*]", "") for one in statuses if not one.is_open]
    return list(dict.fromkeys(edges))


def _entered(status: OrderStatus) -> Iterator[str]:
    """Statuses that the steps of a status enter."""
    for step in status.workflow_steps:
        target = Settings(step.properties).text("orderStatus")
        if target:
            yield target


def _shipment_edges() -> list[Edge]:
    """The shipment along the main way of each workflow."""
    edges: dict[tuple[str, str], list[str]] = {("[*]", AWAITING): []}
    for preset in PRESETS:
        present = AWAITING
        for status in _sorted(preset.order_type):
            if status.is_canceled_status:
                continue
            for following in _set(status):
                if following != present:
                    named = edges.setdefault((present, following), [])
                    named += [status.name] if status.name not in named else []
                    present = following
    edges[(SHIPPED, "[*]")] = []
    return [(origin, target, ", ".join(names)) for (origin, target), names in edges.items()]


def _set(status: OrderStatus) -> Iterator[str]:
    """Shipment statuses that an order status sets, in order."""
    if status.shipment_status_update:
        yield status.shipment_status_update
    for step in status.workflow_steps:
        yield from _set_by(step)


def _set_by(step: WorkflowStep) -> Iterator[str]:
    if folded(step.name) == folded("UpdateShipmentStatus"):
        yield Settings(step.properties).text("shipmentStatus")
    if folded(step.name) == folded("CompleteShipment"):
        yield SHIPPED


def _diagram(edges: list[Edge]) -> str:
    lines = [f"    {origin} --> {target}{f' : {why}' if why else ''}" for origin, target, why in edges]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


PAGES: dict[str, Callable[[], Iterator[str]]] = {"states.md": states}
