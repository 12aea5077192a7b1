"""The one save with which a run ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from onhand.core.commands import DocumentWrite
from onhand.core.concluding import Concluded
from onhand.core.orders import events, running, versions
from onhand.core.orders.applying import Stored
from onhand.core.orders.events import WORKFLOW_JSON, Actor, Attachment, Category, Entry, Operation
from onhand.core.orders.labels import order_labels
from onhand.core.orders.model import EntityError, Order
from onhand.core.orders.moves import Applied
from onhand.core.orders.record import OrderRecord, Run
from onhand.core.orders.working import Note, Surroundings
from onhand.service.workflow import saving

_INFORMATION: Final = "Information"

Index = Callable[[OrderRecord], tuple[tuple[str, ...], int | None]]


class Ending:
    """What the last group of a run writes."""

    def __init__(  # noqa: PLR0913 - what a run ends with
        self, around: Surroundings, opened: Stored, led: Stored, run: Run, actor: Actor, lease: timedelta
    ) -> None:
        """`opened` is the order as the run read it, `led` as its steps left it."""
        self._lease = lease
        self._around = around
        self._opened = opened
        self._run = run
        self._actor = actor
        self._after_save = led.record.run is None or led.record.run.id != run.id
        self._events: list[DocumentWrite] = []
        self.is_open = saving.is_open(led.record.order, around.workflows)

    def finish(
        self, record: OrderRecord, _applied: Sequence[Applied], _notes: Sequence[Note], concluded: Concluded
    ) -> OrderRecord:
        """The record without the run, with its errors, its events and the client's next version."""
        run = self._run
        record = running.without_run(record, run.id)
        order = record.order
        if order is not None:
            order = msgspec.structs.replace(
                order,
                errors=_joined(order, [one for one in run.errors if one.severity != _INFORMATION]),
                modified=events.moment(concluded.now),
            )
        following = running.continued(run)
        later = record.later if following is None else (*record.later, following)
        record = msgspec.structs.replace(
            record,
            order=order,
            later=later,
            following=running.wanting(run) or record.following,
            revision=record.revision + 1,
            counted=self.is_open,
        )
        if not self._after_save:
            record = running.next_queued(record, run, events.moment(concluded.now) + self._lease)
        record, self._events = events.logged(
            record, self._opened.key.environment, self._entries(), self._actor, concluded.now
        )
        return record

    def extra(
        self, _record: OrderRecord, _notes: Sequence[Note], _concluded: Concluded
    ) -> Sequence[DocumentWrite]:
        """The events, and the version that the client saw during the run."""
        key = self._opened.key
        return [*self._events, *versions.archived(key.environment, key.id, self._opened.record)]

    def index(self, record: OrderRecord) -> tuple[tuple[str, ...], int | None]:
        """Labels, and when somebody should look at the order again."""
        return Ending.labels_of(self._around)(record)

    @staticmethod
    def labels_of(around: Surroundings) -> Index:
        """How an order is found."""

        def index(record: OrderRecord) -> tuple[tuple[str, ...], int | None]:
            is_open = saving.is_open(record.order, around.workflows)
            return order_labels(record, is_open=is_open), running.due_of(record)

        return index

    def _entries(self) -> list[Entry]:
        run = self._run
        shipment_id = run.shipment_id or ""
        entries = []
        if self._around.workflows.settings.use_verbose_logging:
            entries += [
                Entry(message=f"Skipped {one}", category=Category.WORKFLOW_STEP, shipment_id=shipment_id)
                for one in run.skipped
            ]
            entries += [
                Entry(
                    message=f"{one.action_type}: {one.action_status} {one.message} ({one.duration})".strip(),
                    category=Category.WORKFLOW_STEP,
                    operation=Operation.RUNNING_STEP,
                    shipment_id=shipment_id,
                    is_error=one.action_status == "Error",
                )
                for one in run.results
            ]
        entries += [
            Entry(
                message=f"{one.key}: {one.message}",
                category=Category.INFORMATION,
                shipment_id=shipment_id,
                properties={"referenceId": one.reference_id} if one.reference_id else {},
            )
            for one in run.errors
            if one.severity == _INFORMATION
        ]
        entries.append(
            Entry(
                message=f"The workflow of status {run.status} "
                + ("was halted by an error." if run.aborted else "has ended."),
                category=Category.WORKFLOW,
                operation=Operation.COMPLETED_AFTER_SAVE
                if self._after_save
                else Operation.WORKFLOW_COMPLETED,
                shipment_id=shipment_id,
                is_error=run.aborted,
                attachments=(Attachment(type=WORKFLOW_JSON, value=msgspec.to_builtins(run.results)),),
                properties={"runId": run.id},
            )
        )
        return entries


def _joined(order: Order, errors: Sequence[EntityError]) -> tuple[EntityError, ...]:
    """The order's errors with new ones; the same thing is listed once while it is not solved."""
    known = {(one.key, one.reference_id) for one in order.errors if one.status == "New"}
    fresh = []
    for one in errors:
        if (one.key, one.reference_id) not in known:
            known.add((one.key, one.reference_id))
            fresh.append(one)
    return (*order.errors, *fresh)
