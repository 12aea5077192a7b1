"""What changes of orders need of the engine that runs workflows."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from onhand.core.orders.actions import DryRunRequest, ManualStepRequest
from onhand.core.orders.applying import Stored
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.events import Actor, Entry
from onhand.core.orders.model import Order
from onhand.core.orders.record import Run, StepResult
from onhand.core.orders.refusals import Refused
from onhand.core.orders.requests import StatusUpdate


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run (order specification 2.7)."""

    is_aborted: bool = False
    order: Order
    """With its version."""
    results: tuple[StepResult, ...] = ()
    replayed: bool = False
    """The same request had been carried out before: the order as it is now, and no results."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is to enter a status, not yet stored."""

    order: Order
    run: Run | None
    """The run of its steps, claimed by this process; None where no step is to run."""
    entries: tuple[Entry, ...] = ()
    """Events that are written with it."""


class Workflow(Protocol):
    """The engine."""

    def begin(  # noqa: PLR0913 - what a status change consists of
        self,
        workflows: Workflows,
        order: Order,
        update: StatusUpdate,
        now: datetime,
        actor: Actor,
        *,
        enforced: bool = True,
    ) -> Begun | Refused:
        """Enter a status (order specification 2.4, items 1 to 5, and the start of the run). Pure: stores nothing."""

    async def execute(self, environment_id: str, stored: Stored, actor: Actor) -> RunAnswer:
        """Run the steps of the stored order's run, which this process has claimed; returns after the last save."""

    async def enter(
        self, environment_id: str, order_id: str, update: StatusUpdate, actor: Actor, by: Run | None
    ) -> RunAnswer | Refused:
        """Enter a status and execute its run; `by` is the run that wants it, if one does."""

    async def dry_run(
        self, environment_id: str, order_id: str, request: DryRunRequest, actor: Actor
    ) -> RunAnswer | Refused:
        """Run the workflow of a status without effect."""

    async def manual_step(
        self, environment_id: str, order_id: str, step: str, request: ManualStepRequest, actor: Actor
    ) -> RunAnswer | Refused:
        """Run one of the steps that are configured for it."""
