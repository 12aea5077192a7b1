"""Steps that are known by name and do nothing yet, so that a configuration which uses them can be saved (decision 29).

Such a step runs as a warning "not implemented".
"""

from __future__ import annotations

from typing import Final

from onhand.steps.contract import Case, Property, StepSpec, Tier

_CASES: Final = (Case(condition="always", result="Warning: not implemented", continues="yes"),)


def _unbuilt(  # noqa: PLR0913 - the columns of the catalogue
    key: str,
    title: str,
    group: str,
    statuses: tuple[str, ...] = (),
    properties: tuple[Property, ...] = (),
    *,
    tier: Tier = 3,
    hidden: bool = False,
    behaviour: str = "",
) -> StepSpec:
    meant = f" It is meant to do this: {behaviour}" if behaviour else ""
    return StepSpec(
        key=key,
        title=title,
        group=group,
        tier=tier,
        applicable_statuses=statuses,
        hidden=hidden,
        properties=properties,
        behaviour=f"Not implemented. It can be configured, and runs as a warning.{meant}",
        error_table=_CASES,
    )


_NEW: Final = ("New",)
_WAREHOUSE: Final = (Property(name="warehouseCode", meaning="The warehouse."),)

CROSS_DOCK: Final = _unbuilt(
    "MarkOrderLinesForCrossDock",
    "Mark order lines for cross dock",
    "Shipments",
    _NEW,
    (
        Property(
            name="warehousesForSameDelivery",
            type="List",
            required=True,
            meaning="Warehouses in order of preference.",
        ),
    ),
    hidden=True,
    behaviour="tag the lines, and split shipments by the first warehouse that has enough.",
)

ALLOCATIONS: Final = (
    _unbuilt(
        "AllocateToWarehouse",
        "Allocate to warehouse",
        "Reallocate",
        ("New", "InProgress"),
        _WAREHOUSE,
        behaviour="assign all shipments to one warehouse.",
    ),
    _unbuilt(
        "SetWarehouseBasedOnZip",
        "Set warehouse by postcode",
        "Reallocate",
        _NEW,
        behaviour="assign the nearest warehouse, by the postcode ranges of the stores.",
    ),
    _unbuilt(
        "TryReallocateToPurchaseOrder",
        "Try to reallocate to purchase order",
        "Reallocate",
        ("New", "ReadyForPickup"),
        (
            Property(name="SplitToSeparateShipments", type="Boolean", default="false"),
            Property(name="AllowPastRequestedDeliveryDate", type="Boolean", default="false"),
            Property(name="OnlyAllocateIsAwaitingPurchaseOrder", type="Boolean", default="false"),
        ),
        behaviour="allocate lines to incoming purchase orders.",
    ),
    _unbuilt(
        "TryReallocateOnCancel",
        "Try to reallocate on cancel",
        "Reallocate",
        ("OrderCanceled", "OrderCanceledByCustomer", "OrderCanceledByStore"),
        behaviour="find another warehouse, or give the reservation back, before an order is cancelled for good.",
    ),
)

SPLITS: Final = tuple(
    _unbuilt(key, title, group, _NEW if group == "Reallocate" else ())
    for key, title, group in (
        (
            "TrySplitUnreservedOrderLinesToNewShipment",
            "Try to split unreserved order lines to a new shipment",
            "Reallocate",
        ),
        (
            "TrySplitUnreservedOrderLinesToClosestZip",
            "Try to split unreserved order lines to the closest postcode",
            "Reallocate",
        ),
        (
            "TrySplitUnreservedOrderLinesToNearestCoordinates",
            "Try to split unreserved order lines to the nearest coordinates",
            "Reallocate",
        ),
        ("TrySplitOrderToWarehouse", "Try to split the order to a warehouse", "Reallocate"),
        ("SplitAllLineItems", "Split all line items", "Shipments"),
        (
            "SplitOrderLinesToBePurchasedToShipment",
            "Split order lines to be purchased to a shipment",
            "Shipments",
        ),
        ("TrySplitShipmentByCategoryId", "Try to split a shipment by category", "Shipments"),
        ("SplitShipmentCost", "Split shipment cost", "Shipments"),
    )
)

OTHERS: Final = tuple(
    _unbuilt(key, title, group, statuses)
    for key, title, group, statuses in (
        ("CreateDefaultShipment", "Create default shipment", "Shipments", _NEW),
        ("UpdateShipmentStatusForInTransit", "Update shipment status for transit", "Shipments", ()),
        ("RemoveUpdateStatusDate", "Remove date of next status", "Modify", ()),
        ("ChangeStatusBasedOnProductProperties", "Change status by product properties", "Modify", ()),
        ("AuthorizePayment", "Authorize payment", "Payments", ()),
        ("CapturePayments", "Capture payments", "Payments", ()),
        ("CancelPayments", "Cancel payments", "Payments", ()),
        ("Notification", "Notification", "Notifications", ()),
        ("ExportOrder", "Export order", "Export", ()),
        ("EnrichOrderFromProducts", "Enrich order from products", "Enrich", _NEW),
        ("SetReadyForPickupDate", "Set date of ready for pickup", "Modify", ("ReadyForPickup",)),
        ("SetCompletedDate", "Set completed date", "Modify", ()),
        ("SetCanceledDate", "Set cancelled date", "Modify", ()),
        ("EnsureRma", "Ensure RMA number (return workflow)", "Returns", ()),
        ("CreditReturn", "Credit return (return workflow)", "Returns", ()),
        ("UpdateCustomerClub", "Update customer club (return workflow)", "Returns", ()),
        ("CreateCreditNote", "Create credit note (return workflow)", "Returns", ()),
    )
)

STEPS: Final = (CROSS_DOCK, *ALLOCATIONS, *SPLITS, *OTHERS)
