"""What a workflow step is.

A step is one entry of the registry: its facts for people (`StepSpec`) and one pure function `plan`, which looks at
`Facts` and answers either with a `Result` at once or with a `Plan`: units of work, each applied as one atomic group, and a
function that says in the end what came of it. A step sees no store, clock or connection. Whatever it wants from the
world it finds in the facts; what a unit wants of the world are moves; what it wants of the order is `edit`.

The engine (`service.workflow.runs`) applies unit after unit. Effects, ledger rows, line costs and the checkpoint of the unit
commit together, so a unit takes place once or not at all. If the order changed meanwhile, `plan` is asked again with
fresh facts; what was done before shows in them (`Facts.row`, `LedgerRow.reduction`), which is why every step tolerates
a second run.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    Warehouse,
    WorkflowStep,
)
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import Applied, ItemRef, LineRef, Move
from onhand.core.orders.outside import Answer, NoAnswer, Request
from onhand.core.orders.record import LedgerRow, StepResult
from onhand.core.orders.stocked import NOTHING_STOCKED, Stocked
from onhand.core.outcomes import Rejected

Tier = Literal[1, 2, 3]


class Status(enum.StrEnum):
    """How a step ended."""

    SUCCESS = "Success"
    WARNING = "Warning"
    ERROR = "Error"


class Severity(enum.StrEnum):
    """How much a note matters."""

    INFORMATION = "Information"
    WARNING = "Warning"
    ERROR = "Error"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a step found out and that is kept as an event of the order.

    A warning or an error becomes an entry of `order.errors` as well, one for each key and reference. What a move finds
    out (negative inventory, a missing rate …) is told by the move.
    """

    key: str
    message: str
    reference_id: str = ""
    """What it is about: a line, an SKU."""
    severity: Severity = Severity.INFORMATION


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one step (specification 2.7)."""

    status: Status
    message: str = ""
    error_reason: str = ""
    error_key: str = ""
    """Key of the entry in `order.errors`; with an error, or with a warning that has to be looked after."""
    is_invisible: bool = False
    trigger_new_status: str = ""
    trigger_order_type: str = ""
    trigger_new_status_without_workflow: bool = False
    notes: tuple[Note, ...] = ()
    never_halts: bool = False
    """The run goes on after this error, whatever the step's `stop_on_error` says."""
    halts: bool = False
    """The run is halted by this error, whatever the step's `stop_on_error` says."""
    taken_over: tuple[StepResult, ...] = ()
    """Results that another system made; they stand before this one in the results of the run."""


def success(message: str = "", *, invisible: bool = False) -> Result:
    """It is done, or there was nothing to do."""
    return Result(status=Status.SUCCESS, message=message, is_invisible=invisible)


def warning(message: str, key: str = "") -> Result:
    """It is done, but somebody should look."""
    return Result(status=Status.WARNING, message=message, error_key=key)


def error(reason: str, key: str, *, invisible: bool = False) -> Result:
    """It could not be done; whether the run goes on says the configuration of the step."""
    return Result(
        status=Status.ERROR, message=reason, error_reason=reason, error_key=key, is_invisible=invisible
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a step may look at."""

    order: Order
    rows: Mapping[LineRef, LedgerRow]
    shipment_id: str | None
    """The shipment of a shipment-level run; None: the run is of the order."""
    return_id: str | None
    step: WorkflowStep
    order_type: OrderType
    orders: OrderSettings
    inventory: InventorySettings
    warehouses: Mapping[str, Warehouse]
    """By folded code, like `Workflows.warehouses`."""
    stock: Mapping[ItemRef, Stocked] = field(default_factory=dict)
    """What `StepSpec.needs` asked for."""
    done: frozenset[str] = frozenset()
    """Keys of the units of this step that are committed (`Unit.key`)."""
    restocked: frozenset[tuple[str, str]] = frozenset()
    """Return id and line item id of each returned line that is back in stock."""
    now: datetime
    user_id: str = ""
    run_id: str = ""
    answer: Answer | NoAnswer | None = None
    """What another system answered to `StepSpec.calls`; None where nothing was called."""
    is_test: bool = False
    """A dry run: moves are simulated, so that nothing is known of costs."""

    def row(self, shipment: Shipment, line: OrderLine) -> LedgerRow | None:
        """The line's row in the reservation ledger."""
        return self.rows.get(LineRef(shipment.shipment_id, line.line_item_id))

    def stocked(self, item: ItemRef) -> Stocked:
        """The item; a missing one counts as zero."""
        return self.stock.get(item, NOTHING_STOCKED)


Edit = Callable[[Order], Order]
"""Pure; gives the order as it shall be. Applied inside the unit, after its moves."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What happens together or not at all."""

    key: str
    """Stable within the step: the shipment's id, or "order"."""
    moves: tuple[Move, ...] = ()
    edit: Edit | None = None
    settles: bool = False
    """After the edit the lines say about reservations what the ledger says."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that was applied, or refused by the rules with nothing changed."""

    unit: Unit
    applied: tuple[Applied, ...] = ()
    refused: Rejected | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a step wants done, and how it judges what came of it."""

    units: tuple[Unit, ...]
    conclude: Callable[[Sequence[Done]], Result]
    """Pure; called with all units that were tried in this attempt, in order."""


class Property(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A property of a step's configuration."""

    name: str
    type: Literal["String", "Boolean", "TimeSpan", "DateTime", "List", "Json", "Integer"] = "String"
    required: bool = False
    default: str = ""
    meaning: str = ""


class Effects(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a step does to the counters of the item, to the line's flag and to costs: `+`, `-`, `=` or nothing."""

    inventory: str = ""
    reserved_inventory: str = ""
    line_flag: str = ""
    cost: bool = False


class Case(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A row of a step's error table."""

    condition: str
    result: str
    continues: str


NO_EFFECTS = Effects()


def _no_needs(_facts: Facts) -> Iterable[ItemRef]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """A step: what people read about it, and what it does."""

    key: str
    title: str
    group: str
    tier: Tier
    applicable_statuses: tuple[str, ...] = ()
    """Where the editor offers it; empty: everywhere. A hint, never a gate."""
    hidden: bool = False
    properties: tuple[Property, ...] = ()
    effects: Effects = NO_EFFECTS
    behaviour: str = ""
    """What it does, in a few paragraphs of Markdown."""
    prerequisites: tuple[str, ...] = ()
    side_effects: tuple[str, ...] = ()
    error_table: tuple[Case, ...] = ()
    related: tuple[str, ...] = ()
    plan: Callable[[Facts], Result | Plan] | None = None
    """None: not implemented; such a step runs as a warning."""
    calls: Callable[[Facts], Request | Result] | None = None
    """What the step asks another system before it plans, at least once; not in a dry run."""
    needs: Callable[[Facts], Iterable[ItemRef]] = _no_needs
    """Items whose stock `plan` wants to see."""

    @property
    def implemented(self) -> bool:
        """Whether it does anything."""
        return self.plan is not None
