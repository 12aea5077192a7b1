"""Whether a step runs: its filters and its conditions (order specification 2.3, 2.6), and why not, in words.

An empty enabled list means all; disabled wins over enabled. Values are compared trimmed and without case. An
enabled list does not match what the order lacks. In a run of the whole order the filters on shipments match when
any shipment does; a step that moves stock asks again for each shipment (`matching_shipments`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from onhand.core.orders.configuration import WorkflowStep, folded
from onhand.core.orders.model import Order, Shipment

SUCCESS: Final = "Success"
WARNING: Final = "Warning"
ERROR: Final = "Error"
CONDITIONS: Final = (SUCCESS, WARNING, ERROR)


def skip_reason(
    step: WorkflowStep, order: Order, shipment_id: str | None = None, *, store_groups: Sequence[str] = ()
) -> str | None:
    """Why the step does not run on this order or shipment; None when it does.

    `store_groups` are those of the order's store.
    """
    if not step.active:
        return "the step is not active"
    reason = (
        _unmatched("market", step.enabled_for_markets, step.disabled_for_markets, (order.market_id,))
        or _unmatched("store", step.enabled_for_stores, step.disabled_for_stores, (order.store_id,))
        or _unmatched("tags", step.enabled_for_tags, step.disabled_for_tags, order.tags)
        or _unmatched(
            "store group", step.enabled_for_store_groups, step.disabled_for_store_groups, store_groups
        )
    )
    if reason is not None:
        return reason
    return _no_shipment_matches(step, order, shipment_id)


def shipment_reason(step: WorkflowStep, shipment: Shipment) -> str | None:
    """Why the step leaves this shipment alone; None when it does not."""
    return _unmatched(
        "warehouse", step.enabled_for_warehouses, step.disabled_for_warehouses, (shipment.warehouse_code,)
    ) or _unmatched(
        "shipping method",
        step.enabled_for_shipment_options,
        step.disabled_for_shipment_options,
        (shipment.shipping_method_name,),
    )


def matching_shipments(step: WorkflowStep, order: Order, shipment_id: str | None) -> tuple[Shipment, ...]:
    """The shipments in scope on which the step acts: the run's own one, or all, if the filters match."""
    return tuple(one for one in scope(order, shipment_id) if shipment_reason(step, one) is None)


def scope(order: Order, shipment_id: str | None) -> tuple[Shipment, ...]:
    """The shipment of a shipment-level run, or all shipments."""
    if shipment_id is None:
        return order.shipments
    shipment = order.shipment(shipment_id)
    return () if shipment is None else (shipment,)


def condition_reason(step: WorkflowStep, so_far: Iterable[str]) -> str | None:
    """Why the step's conditions are not met by the results of the run so far; None when they are.

    One met condition is enough. `so_far` has no results of skipped steps.
    """
    wanted = {folded(one.type) for one in step.workflow_step_conditions}
    if not wanted:
        return None
    results = {folded(one) for one in so_far}
    if folded(SUCCESS) in wanted and results <= {folded(SUCCESS)}:
        return None
    if wanted & results & {folded(WARNING), folded(ERROR)}:
        return None
    names = " or ".join(one for one in CONDITIONS if folded(one) in wanted) or "no known result"
    return f"it runs only after {names}, which the results so far are not"


def _no_shipment_matches(step: WorkflowStep, order: Order, shipment_id: str | None) -> str | None:
    shipments = scope(order, shipment_id)
    if not shipments:
        return shipment_reason(step, Shipment(shipment_id="none"))
    reasons = [shipment_reason(step, one) for one in shipments]
    if None in reasons:
        return None
    return reasons[0] if len(reasons) == 1 else f"no shipment matches: {reasons[0]}"


def _unmatched(
    what: str, enabled: Sequence[str], disabled: Sequence[str], values: Sequence[str | None]
) -> str | None:
    own = {folded(one) for one in values} - {""}
    barred = own & {folded(one) for one in disabled}
    if barred:
        return f"disabled for {what} {', '.join(sorted(barred))}"
    if enabled and not own & {folded(one) for one in enabled}:
        shown = ", ".join(sorted(one for one in map(str, values) if folded(one))) if own else ""
        return f"enabled only for {what} {', '.join(enabled)}, not {shown or 'without one'}"
    return None
