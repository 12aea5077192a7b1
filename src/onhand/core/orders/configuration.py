"""Configuration of the order workflow (order specification 2.2, 3.2, 6.5, 9.1).

Its values are read and shown like orders (`entities.py`): names without regard to case, unknown properties kept.
Names of statuses, steps and warehouses are compared trimmed and without case: `same` and `folded`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec

from onhand.core.orders.entities import Entity, Moment, Name
from onhand.core.orders.model import Property

Texts = tuple[Name, ...]


def folded(text: str | None) -> str:
    """What names are compared by: trimmed, without case; empty for none."""
    return (text or "").strip().lower()


def same(left: str | None, right: str | None) -> bool:
    """Whether two names are the same."""
    return folded(left) == folded(right)


class Condition(Entity, frozen=True, kw_only=True):
    """A step runs only after such results: Success, Warning or Error."""

    type: Name


class WorkflowStep(Entity, frozen=True, kw_only=True):
    """One configured call of a built-in action, or of a workflow group."""

    name: Name
    """Key of the action; it is required, also where `group_id` takes the action's place."""
    id: Name | None = None
    index: int = 0
    translate_key: str | None = None
    active: bool = True
    group_id: Name | None = None
    connector: str | None = None
    connector_id: str | None = None
    properties: tuple[Property, ...] = ()
    stop_on_error: bool = False
    """True halts the run when this step ends in an error."""
    run_after_order_is_saved: bool = False
    is_invisible: bool = False
    enabled_for_markets: Texts = ()
    disabled_for_markets: Texts = ()
    enabled_for_stores: Texts = ()
    disabled_for_stores: Texts = ()
    enabled_for_tags: Texts = ()
    disabled_for_tags: Texts = ()
    enabled_for_warehouses: Texts = ()
    disabled_for_warehouses: Texts = ()
    enabled_for_shipment_options: Texts = ()
    disabled_for_shipment_options: Texts = ()
    enabled_for_store_groups: Texts = ()
    disabled_for_store_groups: Texts = ()
    workflow_step_conditions: tuple[Condition, ...] = ()


class OrderStatus(Entity, frozen=True, kw_only=True):
    """A named stage of an order type; entering it runs its steps."""

    name: Name
    order: int
    """Sort index."""
    workflow_steps: tuple[WorkflowStep, ...]
    display_name: str | None = None
    translate_key: str | None = None
    is_main_filter: bool = False
    condition: str | None = None
    available_steps: Texts = ()
    """Statuses that may follow, if the policy is enforced."""
    enforce_available_steps_policy: bool = False
    is_in_progress_status: bool = False
    is_delivered_status: bool = False
    is_canceled_status: bool = False
    is_picked: bool = False
    shipment_status_update: Name | None = None
    """Status that shipments get when this order status is entered."""
    main_order_status: Name | None = None
    """Status that the order gets when all its shipments have reached this one."""
    properties: tuple[Property, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether orders in this status still hold reservations."""
        return not (self.is_delivered_status or self.is_canceled_status)


class OrderType(Entity, frozen=True, kw_only=True):
    """A named kind of order with its statuses."""

    name: Name
    order_statuses: tuple[OrderStatus, ...]
    disable_workflow: bool = False
    """True: statuses change, no step runs."""
    enable_edit: bool = False
    enable_create_from_cart: bool = False
    default_order_type: bool = False
    derive_order_status_from_shipments: bool = False

    def status(self, name: str | None) -> OrderStatus | None:
        """The status of this name."""
        return next((one for one in self.order_statuses if same(one.name, name)), None)

    @property
    def initial(self) -> OrderStatus | None:
        """The status that an order starts in when it names none: the first by sort index."""
        return min(self.order_statuses, key=lambda one: one.order, default=None)


class WorkflowGroup(Entity, frozen=True, kw_only=True):
    """A list of steps that a step refers to by the group's id."""

    id: Name
    name: str | None = None
    steps: tuple[WorkflowStep, ...] = ()
    stop_on_error: bool = False
    """For errors inside the group."""


class ReturnType(Entity, frozen=True, kw_only=True):
    """A kind of return."""

    id: Name
    update_inventory: bool = True


class ReturnSettings(Entity, frozen=True, kw_only=True):
    """How returns are processed."""

    default_update_stock: bool = False
    return_types: tuple[ReturnType, ...] = ()
    return_statuses: tuple[OrderStatus, ...] = ()
    """The return workflow. Without one a return enters the statuses of its order's type."""

    def updates_inventory(self, return_type: str | None) -> bool:
        """Whether returns of this type go back into stock; an unknown type does."""
        found = next((one for one in self.return_types if same(one.id, return_type)), None)
        return found is None or found.update_inventory


class OrderSettings(Entity, frozen=True, kw_only=True):
    """Settings of an environment for all its orders."""

    available_manual_workflow_steps: tuple[WorkflowStep, ...] = ()
    use_order_status_log: bool = False
    use_verbose_logging: bool = False
    event_log_order_preservation_days: int | None = None
    """Events are deleted after so many days, at least one; None: never."""
    return_settings: ReturnSettings = msgspec.field(default_factory=ReturnSettings)
    allow_over_delivery: bool = False
    forced_reservations_consume_counter: bool = False
    market_currencies: dict[str, str] = msgspec.field(default_factory=dict)
    """Currency of a market, for orders that name none."""


DEFAULT_PROVIDER: Final = "DefaultInventoryValueProvider"
FIFO_PROVIDER: Final = "FifoInventoryValueProvider"
AVERAGE_PROVIDER: Final = "AverageInventoryValueProvider"
VALUE_PROVIDERS: Final = (DEFAULT_PROVIDER, FIFO_PROVIDER, AVERAGE_PROVIDER)

WORKFLOW: Final = "workflow"
ERP: Final = "erp"
OWNERS: Final = (WORKFLOW, ERP)
"""Who changes the physical quantity of a warehouse."""


class InventorySettings(Entity, frozen=True, kw_only=True):
    """How orders move stock in an environment."""

    is_enabled: bool = True
    """False: no inventory step does anything."""
    is_write_enabled: bool = True
    """False: no physical change."""
    is_reservation_write_enabled: bool = True
    """Reservations although writes are off."""
    is_available_inventory_ignoring_reserved: bool = False
    is_inventory_reservation_triggered_on_order_creation: bool = False
    use_virtual_stock_locations: bool = False
    is_warehouse_location_management_enabled: bool = False
    is_order_reallocation_based_on_order_store: bool = False
    is_check_expected_delivery_date_enabled: bool = False
    value_provider: Name = DEFAULT_PROVIDER
    default_product_cost_currency: Name | None = None
    organization_id: Name | None = None
    """Organization of warehouses that name none."""
    inventory_measure: Name = "iv.onhand"
    """Physical measure of what the order side calls `inventory`."""
    reserved_measure: Name = "iv.softreserved"
    """Measure of what the order side calls `reservedInventory`."""
    virtual_stock_dimension: Name = "ExtendedDimension1"
    """Dimension whose values are the virtual stock locations of a warehouse."""
    default_physical_owner: Name = WORKFLOW
    """Owner of the physical quantity of warehouses that name none: workflow or erp."""


class AvailableWarehouse(Entity, frozen=True, kw_only=True):
    """A warehouse that may deliver for a store."""

    warehouse_code: Name
    priority: int = 0


class Warehouse(Entity, frozen=True, kw_only=True):
    """A store or warehouse, and where its stock is kept."""

    code: Annotated[Name, msgspec.Meta(extra={"aliases": ("id", "warehouseCode", "storeId")})]
    name: str | None = None
    is_warehouse: bool = True
    is_virtual: bool = False
    """A virtual warehouse: nothing is reserved in it."""
    has_virtual_stock_locations: bool = False
    is_web_warehouse: bool = False
    is_primary_warehouse: bool = False
    available_warehouses: tuple[AvailableWarehouse, ...] = ()
    store_role_ids: Texts = ()
    store_groups: Texts = ()
    available_on_markets: Texts = ()
    physical_warehouse_code: Name | None = None
    """Parent of a virtual warehouse."""
    organization_id: Name | None = None
    site_id: Name | None = None
    location_id: Name | None = None
    """Where its stock is; the code when it names none."""
    owner: Name | None = None
    """Who changes its physical quantity, workflow or erp; the environment's setting when it names none."""

    def owned_by(self, settings: InventorySettings) -> str:
        """`workflow` or `erp`."""
        return folded(self.owner) or folded(settings.default_physical_owner)


class StockAddress(msgspec.Struct, frozen=True):
    """Where the stock of a warehouse is kept."""

    organization_id: str
    site_id: str
    location_id: str

    @property
    def dimensions(self) -> dict[str, str]:
        """As base dimensions; a site that nobody configured is left out."""
        named = {"SiteId": self.site_id, "LocationId": self.location_id}
        return {name: value for name, value in named.items() if value}


def stock_address(warehouse: Warehouse, settings: InventorySettings) -> StockAddress:
    """Where the stock of a configured warehouse is kept; a text that nobody configured is empty."""
    return StockAddress(
        warehouse.organization_id or settings.organization_id or "",
        warehouse.site_id or "",
        warehouse.location_id or warehouse.code,
    )


class ScheduledTask(Entity, frozen=True, kw_only=True):
    """Work that is started by the clock."""

    id: Name | None = None
    implementation_type: Name
    schedule: Name
    """Cron expression of five fields, in UTC."""
    is_disabled: bool = False
    properties: tuple[Property, ...] = ()
    last_started: Moment | None = None


class Workflows(msgspec.Struct, frozen=True):
    """All configuration of an environment's workflow, as one run sees it. Made with `workflows`."""

    order_types: Mapping[str, OrderType] = {}
    """By folded name."""
    groups: Mapping[str, WorkflowGroup] = {}
    """By folded id."""
    warehouses: Mapping[str, Warehouse] = {}
    """By folded code."""
    settings: OrderSettings = OrderSettings()
    inventory: InventorySettings = InventorySettings()
    tasks: tuple[ScheduledTask, ...] = ()

    def order_type(self, name: str | None) -> OrderType | None:
        """The order type of this name; without a name the one that is marked as default."""
        if not folded(name):
            return next((one for one in self.order_types.values() if one.default_order_type), None)
        return self.order_types.get(folded(name))

    def warehouse(self, code: str | None) -> Warehouse | None:
        """The warehouse of this code."""
        return self.warehouses.get(folded(code))

    def group(self, group_id: str | None) -> WorkflowGroup | None:
        """The workflow group of this id."""
        return self.groups.get(folded(group_id))


N = TypeVar("N", OrderType, WorkflowGroup, Warehouse)


def by_name(entities: tuple[N, ...]) -> dict[str, N]:
    """Entities by the folded name that they are found by."""
    return {folded(_name(one)): one for one in entities}


def _name(entity: OrderType | WorkflowGroup | Warehouse) -> str:
    if isinstance(entity, WorkflowGroup):
        return entity.id
    return entity.name if isinstance(entity, OrderType) else entity.code
