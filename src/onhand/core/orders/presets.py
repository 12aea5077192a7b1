"""Ready-made workflows (order specification 10): order types that an environment can start with.

They contain steps of tiers 1 and 2 only. What such a flow does elsewhere, such as payments, notifications and exports,
is left out; add it with `HttpAction`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from onhand.core.orders import entities
from onhand.core.orders.configuration import (
    OrderStatus,
    OrderType,
    ReturnSettings,
    ScheduledTask,
    WorkflowStep,
)
from onhand.core.orders.model import Property


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A ready-made workflow."""

    key: str
    title: str
    description: str
    order_type: OrderType
    return_settings: ReturnSettings | None = None
    """Part of the order settings that belongs to it."""
    tasks: tuple[ScheduledTask, ...] = ()
    """Scheduled tasks that belong to it."""


def _step(name: str, *, after_save: bool = False, stop: bool = False, **settings: str) -> WorkflowStep:
    properties = tuple(Property(key=key, value=value) for key, value in settings.items())
    return WorkflowStep(
        name=name, properties=properties, run_after_order_is_saved=after_save, stop_on_error=stop
    )


def _status(name: str, order: int, *steps: WorkflowStep, **flags: Any) -> OrderStatus:  # noqa: ANN401 - its fields
    placed = tuple(msgspec.structs.replace(one, index=number) for number, one in enumerate(steps))
    return OrderStatus(name=name, order=order, workflow_steps=placed, **flags)


_RESERVE: Final = _step("IncreaseReservedInventory", stop=True)
_RELEASED: Final = _step("UpdateShipmentStatus", shipmentStatus="Released")
_PACKING: Final = _step("UpdateShipmentStatus", shipmentStatus="Packing")
_REDUCE_BOTH: Final = _step("ReduceInventoryAndReservedInventory", stop=True)
_REDUCE_SELECTIVE: Final = _step("ReduceInventoryOnlyOnReservedOrderLines", stop=True)
_SHIPPED: Final = _step("CompleteShipment")
_UNRESERVE: Final = _step("ReduceReservedInventory")
_ATP: Final = _step("CalculateAtp", after_save=True)
_FLAGS: Final = _step("UpdateOrderLineReservedInventory")
_COMPLETED: Final = _status("Completed", 90, is_delivered_status=True)
_CANCELED: Final = _status("OrderCanceled", 100, _UNRESERVE, _ATP, is_canceled_status=True)


def _type(name: str, *statuses: OrderStatus, default: bool = False) -> OrderType:
    return OrderType(name=name, order_statuses=statuses, default_order_type=default)


PRESETS: Final[tuple[Preset, ...]] = (
    Preset(
        key="online-standard",
        title="Online order, everything reserved",
        description=(
            "Lines are allocated, broken down and reserved when the order is created; in Ship the shipments are released, "
            "and stock and reservation fall together."
        ),
        order_type=_type(
            "Online",
            _status(
                "New",
                10,
                _step("TryReallocateToOtherWarehouse"),
                _step("ProductPackageBreakDown"),
                _FLAGS,
                _step("TrySplitUnreservedOrderLines"),
                _RESERVE,
                _ATP,
                is_main_filter=True,
            ),
            _status("InProgress", 20, _PACKING, is_in_progress_status=True),
            _status("Ship", 30, _RELEASED, _REDUCE_BOTH, _SHIPPED, is_in_progress_status=True),
            _COMPLETED,
            _CANCELED,
            default=True,
        ),
    ),
    Preset(
        key="mixed-reservation",
        title="Online order, reserved as far as there is stock",
        description=(
            "Only lines that are available are reserved. In Ship the stock of every line falls, the reservation only of "
            "those that have one."
        ),
        order_type=_type(
            "OnlineMixed",
            _status(
                "New",
                10,
                _FLAGS,
                _step("IncreaseReservedInventory", stop=True, onlyReservedLines="true"),
                is_main_filter=True,
            ),
            _status("Ship", 30, _RELEASED, _REDUCE_SELECTIVE, _SHIPPED, is_in_progress_status=True),
            _COMPLETED,
            _CANCELED,
        ),
    ),
    Preset(
        key="pos",
        title="Sale at the counter",
        description=(
            "Orders of the POS endpoint: completed when they arrive. The stock of the selling store falls, returned goods "
            "go back into it."
        ),
        order_type=_type(
            "Pos",
            _status(
                "Completed",
                10,
                _REDUCE_SELECTIVE,
                _step("CheckPosOrderForReturnAndIncreaseInventory"),
                shipment_status_update="Released",
                is_delivered_status=True,
                is_main_filter=True,
            ),
            _status("OrderCanceled", 100, _UNRESERVE, is_canceled_status=True),
        ),
    ),
    Preset(
        key="click-and-collect",
        title="Click and collect",
        description=(
            "Reserved when ordered. ReadyForPickup moves the reservation to the store of collection and sets the "
            "customer's deadline; PickedUp takes the goods from its stock. NotCollected and OrderCanceled release."
        ),
        order_type=_type(
            "ClickAndCollect",
            _status("New", 10, _RESERVE, is_main_filter=True),
            _status("InProgress", 20, _PACKING, is_in_progress_status=True),
            _status(
                "ReadyForPickup",
                30,
                _step("SetShipmentOrOrderReadyForPickup"),
                is_in_progress_status=True,
                is_picked=True,
            ),
            _status("PickedUp", 40, _RELEASED, _REDUCE_BOTH, _SHIPPED, is_delivered_status=True),
            _COMPLETED,
            _status("NotCollected", 95, _UNRESERVE, is_canceled_status=True),
            _CANCELED,
        ),
    ),
    Preset(
        key="drop-ship",
        title="Drop-ship and transfer",
        description=(
            "Lines that wait for a purchase order, and shipments of virtual warehouses, are not reserved. After the goods "
            "have come in they are shipped; lines without reservation reduce the stock only."
        ),
        order_type=_type(
            "DropShip",
            _status("New", 10, _RESERVE, is_main_filter=True),
            _status("InProgress", 20, _PACKING, is_in_progress_status=True),
            _status("Ship", 30, _RELEASED, _REDUCE_SELECTIVE, _SHIPPED, is_in_progress_status=True),
            _COMPLETED,
            _CANCELED,
        ),
    ),
    Preset(
        key="backorder",
        title="Backorder",
        description=(
            "An order that is out of stock goes to Backorder. A task reserves what comes in, the oldest order first; then "
            "it is shipped with what it has reserved."
        ),
        order_type=_type(
            "BackorderAllowed",
            _status(
                "New",
                10,
                _step("ChangeStatusIfOutOfStock", orderStatus="Backorder"),
                _FLAGS,
                _step("IncreaseReservedInventory", stop=True, onlyReservedLines="true"),
                is_main_filter=True,
            ),
            _status("Backorder", 15, is_in_progress_status=True),
            _status("InProgress", 20, _PACKING, is_in_progress_status=True),
            _status("Ship", 30, _RELEASED, _REDUCE_SELECTIVE, _SHIPPED, is_in_progress_status=True),
            _COMPLETED,
            _CANCELED,
        ),
        tasks=(
            ScheduledTask(
                id="try-reserve-order-lines",
                implementation_type="TryReserveOrderlinesScheduledTask",
                schedule="*/5 * * * *",
            ),
        ),
    ),
    Preset(
        key="cancellation",
        title="Cancellation",
        description=(
            "The smallest order type that reserves and releases: every cancelled status gives back what its lines still "
            "hold."
        ),
        order_type=_type(
            "Reservation",
            _status("New", 10, _RESERVE, is_main_filter=True),
            _COMPLETED,
            *(
                _status(name, order, _UNRESERVE, is_canceled_status=True)
                for order, name in (
                    (100, "OrderCanceled"),
                    (101, "OrderCanceledByCustomer"),
                    (102, "OrderCanceledByStore"),
                )
            ),
        ),
    ),
    Preset(
        key="return",
        title="Online order with returns",
        description=(
            "Mixed reservation with a return workflow: returned lines go back into the stock of the store that takes them, "
            "and the order becomes Returned or PartiallyReturned, where its reservations are recalculated."
        ),
        order_type=_type(
            "OnlineWithReturns",
            _status("New", 10, _RESERVE, is_main_filter=True),
            _status("Ship", 30, _RELEASED, _REDUCE_SELECTIVE, _SHIPPED, is_in_progress_status=True),
            _COMPLETED,
            *(
                _status(
                    name,
                    order,
                    _step("RecalculateReservedInventory", after_save=True),
                    is_delivered_status=True,
                )
                for order, name in ((92, "PartiallyReturned"), (94, "Returned"))
            ),
            _CANCELED,
        ),
        return_settings=ReturnSettings(
            default_update_stock=True,
            return_statuses=(_status("Completed", 10, _step("UpdateInventory"), _step("UpdateOrderStatus")),),
        ),
    ),
)


def preset(key: str) -> Preset | None:
    """The preset of this key."""
    return next((one for one in PRESETS if one.key == key.strip().lower()), None)


def show(one: Preset) -> dict[str, Any]:
    """The preset as a client sees it: what to send to the endpoints of the configuration."""
    shown: dict[str, Any] = {
        "key": one.key,
        "title": one.title,
        "description": one.description,
        "orderType": entities.show(one.order_type),
    }
    if one.return_settings is not None:
        shown["returnSettings"] = entities.show(one.return_settings)
    if one.tasks:
        shown["scheduledTasks"] = [entities.show(task) for task in one.tasks]
    return shown
