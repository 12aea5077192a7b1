"""What comes back by the clock: expired holds, unfinished jobs, partitions, retention.

Each piece may run late, twice or in another process; nothing here decides about stock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from onhand.runtime.house import House
from onhand.storage.postgres.maintenance import drop_refusals, ensure_partitions, prune_command_ids
from onhand.storage.postgres.schedule import EVERY_DAY, EVERY_HOUR, EVERY_MINUTE, Schedule

POLL = timedelta(seconds=5)
"""How often overdue orders are looked for."""

PRUNE_CHUNK = 5_000
"""Command ids deleted in one statement."""


def schedules(house: House) -> list[Schedule]:
    """Everything the service does by the clock."""

    async def partitions() -> None:
        await ensure_partitions(house.pool, datetime.now(UTC))

    async def refusals() -> None:
        await drop_refusals(house.pool, datetime.now(UTC) - timedelta(days=house.settings.refusal_days))

    async def command_ids() -> None:
        await _prune_command_ids(house)

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
    ]


async def _prune_command_ids(house: House) -> None:
    """Forget accepted ids that are older than their environment keeps them."""
    for rules in await house.environments.list_environments():
        kept = timedelta(days=rules.switches.id_retention_days)
        before_us = house.clock.now_us() - int(kept.total_seconds()) * 1_000_000
        while (
            await prune_command_ids(house.pool, rules.environment, before_us, chunk=PRUNE_CHUNK)
            == PRUNE_CHUNK
        ):
            pass
