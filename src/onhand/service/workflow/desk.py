"""Everything that the edge and the clock call for orders, put together in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from onhand.ports import Clock, Documents, Outside, Reader
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp.parameters import ErpParameters
from onhand.service.workflow.adopting import Adopting
from onhand.service.workflow.background import Background
from onhand.service.workflow.bulk import BulkOrders
from onhand.service.workflow.carrying_out import CarryingOut
from onhand.service.workflow.configurations import Configurations
from onhand.service.workflow.leading import LEASE, Leading
from onhand.service.workflow.numbering import Numbering
from onhand.service.workflow.order_parts import OrderParts
from onhand.service.workflow.order_returns import OrderReturns
from onhand.service.workflow.orders import Orders
from onhand.service.workflow.overdue import Overdue
from onhand.service.workflow.recalculating import Recalculating
from onhand.service.workflow.runs import Runs
from onhand.service.workflow.saving import Saving
from onhand.service.workflow.searching import Searching
from onhand.service.workflow.stocks import Stocks
from onhand.service.workflow.surroundings import Exchange, Gathering
from onhand.service.workflow.task_reserve import TryReserve
from onhand.service.workflow.task_resolve import ResolveOverReserved
from onhand.service.workflow.task_runs import TaskRuns
from onhand.service.workflow.tasks import RESOLVE, TRY_RESERVE, UPDATE_STATUS, Tasks, update_status


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """The services of orders."""

    orders: Orders
    parts: OrderParts
    returns: OrderReturns
    bulk: BulkOrders
    searching: Searching
    workflow: Runs
    overdue: Overdue
    background: Background
    tasks: Tasks
    configurations: Configurations
    around: Gathering


def open_desk(  # noqa: PLR0913 - the parts of the house that orders stand on
    *,
    documents: Documents,
    reader: Reader,
    batcher: Batcher,
    environments: Environments,
    clock: Clock,
    exchange: Exchange,
    outside: Outside,
    lease: timedelta = LEASE,
) -> OrderDesk:
    """The services of orders over these parts. Nothing runs yet; `background.stop` ends what was started."""
    configurations = Configurations(documents, batcher)
    parameters = ErpParameters(documents, batcher, configurations)
    around = Gathering(documents, environments, configurations, exchange, parameters)
    saving = Saving(documents, batcher, environments, clock, around)
    stocks = Stocks(reader, clock)
    carrying_out = CarryingOut(batcher, stocks, Recalculating(documents, batcher), outside)
    leading = Leading(saving, batcher, clock, around, carrying_out, lease)
    background = Background()
    runs = Runs(saving, clock, around, leading, background)
    orders = Orders(saving, around, environments, Numbering(batcher), Adopting(reader, clock), runs)
    parts = OrderParts(orders, around)
    overdue = Overdue(documents, environments, clock, leading, runs)
    tasks = Tasks(
        documents,
        environments,
        configurations,
        TaskRuns(batcher, clock),
        background,
        {
            UPDATE_STATUS: update_status(overdue),
            TRY_RESERVE: TryReserve(documents, saving, around, stocks),
            RESOLVE: ResolveOverReserved(documents, saving, around, stocks),
        },
    )
    return OrderDesk(
        orders=orders,
        parts=parts,
        returns=OrderReturns(orders, parts, around),
        bulk=BulkOrders(orders, saving, environments),
        searching=Searching(documents, environments),
        workflow=runs,
        overdue=overdue,
        background=background,
        tasks=tasks,
        configurations=configurations,
        around=around,
    )
