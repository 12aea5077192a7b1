"""What comes back by the clock: expired holds, unfinished jobs, partitions, retention.

Each piece may run late, twice or in another process; nothing here decides about stock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from onhand.core.orders import events, repeating
from onhand.runtime.house import House
from onhand.storage.postgres.maintenance import (
    drop_refusals,
    ensure_partitions,
    prune_command_ids,
    prune_documents,
)
from onhand.storage.postgres.schedule import EVERY_DAY, EVERY_HOUR, EVERY_MINUTE, Schedule

POLL = timedelta(seconds=5)
"""How often overdue orders are looked for."""

PRUNE_CHUNK = 5_000
"""Command ids deleted in one statement."""
DOCUMENTS_CHUNK = 1_000
"""Documents deleted in one statement; they are larger."""


def schedules(house: House) -> list[Schedule]:
    """Everything the service does by the clock."""

    async def partitions() -> None:
        await ensure_partitions(house.pool, datetime.now(UTC))

    async def refusals() -> None:
        await drop_refusals(house.pool, datetime.now(UTC) - timedelta(days=house.settings.refusal_days))

    async def command_ids() -> None:
        await _prune_command_ids(house)

    async def order_records() -> None:
        await prune_order_records(house)

    return [
        Schedule("sweep", timedelta(seconds=house.settings.sweep_seconds), house.jobs.sweep),
        Schedule("overdue-orders", POLL, house.orders.overdue.take_up),
        Schedule("scheduled-tasks", EVERY_MINUTE, house.orders.tasks.start_due),
        Schedule("received-goods", EVERY_MINUTE, house.receptions.handing.settle_due),
        Schedule("erp-sync", timedelta(seconds=house.settings.erp_sync_seconds), house.erp.sync.run),
        Schedule("erp-checks", EVERY_MINUTE, house.erp.consistency.run_due),
        Schedule("resume-jobs", EVERY_MINUTE, house.jobs.run_unfinished),
        Schedule("partitions", EVERY_DAY, partitions),
        Schedule("refusals", EVERY_DAY, refusals),
        Schedule("command-ids", EVERY_HOUR, command_ids),
        Schedule("order-records", EVERY_HOUR, order_records),
    ]


async def _prune_command_ids(house: House) -> None:
    """Forget accepted ids that are older than their environment keeps them."""
    for rules in await house.environments.list_environments():
        before_us = _days_ago_us(house, rules.switches.id_retention_days)
        while (
            await prune_command_ids(house.pool, rules.environment, before_us, chunk=PRUNE_CHUNK)
            == PRUNE_CHUNK
        ):
            pass


async def prune_order_records(house: House) -> None:
    """Forget the keys of creations with the other ids, and events after the days that the order settings name."""
    for rules in await house.environments.list_environments():
        await _prune_documents(house, rules.environment, repeating.KIND, rules.switches.id_retention_days)
        settings = (await house.orders.configurations.current(rules.environment)).workflows.settings
        if settings.event_log_order_preservation_days is not None:
            await _prune_documents(
                house, rules.environment, events.KIND, settings.event_log_order_preservation_days
            )


async def _prune_documents(house: House, environment: int, kind: str, days: int) -> None:
    before_us = _days_ago_us(house, days)
    while (
        await prune_documents(house.pool, environment, kind, before_us, chunk=DOCUMENTS_CHUNK)
        == DOCUMENTS_CHUNK
    ):
        pass


def _days_ago_us(house: House, days: int) -> int:
    return house.clock.now_us() - days * 86_400 * 1_000_000
