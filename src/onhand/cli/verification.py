"""`onhand verify`: refold the ledger and compare it with what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import TaskID

from onhand.cli.administration import Where
from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import AsJson, ConfigFile, DatabaseUrl, DataDirectory
from onhand.cli.output import Column, console, print_json, progress, quantity, table
from onhand.core.keys import decode
from onhand.core.quantities import to_decimal
from onhand.service.auditor import AuditReport

if TYPE_CHECKING:
    from onhand.runtime import House

COUNT_PAGE = 5_000
"""Products read at a time to count them."""


def verify(
    environment: Annotated[
        list[str] | None, typer.Argument(help="Environments; all of them by default.", show_default=False)
    ] = None,
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Refold the ledger and compare it with what is stored; exit code 70 on any difference.

    Reads only, and may run beside the service.
    """

    async def work(house: House) -> list[AuditReport]:
        names = environment or [
            rules.environment_id for rules in await house.environments.list_environments()
        ]
        reports = []
        with progress() as bars:
            for name in names:
                bar = bars.add_task(name, total=await _count_products(house, name))

                def follow(report: AuditReport, bar: TaskID = bar) -> None:
                    bars.update(bar, completed=report.products)

                reports.append(await house.auditor.audit(name, follow))
        return reports

    reports = Where(config, data_directory, database_url).run(work)
    if as_json:
        print_json([_as_json(report) for report in reports])
    else:
        _show_reports(reports)
    if any(not report.clean for report in reports):
        count = sum(report.drift_count for report in reports)
        raise CommandFailed(
            Exit.VIOLATION, f"{count:,} contradictions between the ledger and what is stored."
        )


async def _count_products(house: House, environment: str) -> int:
    """How many products the audit will read; the bar needs an end."""
    number = (await house.environments.find(environment)).environment
    count, after = 0, None
    while page := await house.reader.products(number, after, COUNT_PAGE):
        count, after = count + len(page), page[-1]
    return count


def _as_json(report: AuditReport) -> dict[str, object]:
    return {
        "environment": report.environment_id,
        "clean": report.clean,
        "products": report.products,
        "records": report.records,
        "driftCount": report.drift_count,
        "driftUnits": to_decimal(report.units),
        "drifts": [
            {
                "invariant": drift.invariant,
                "organizationId": drift.organization,
                "productId": drift.product,
                "dimensions": dict(decode(drift.position)),
                "measure": f"{drift.source}.{drift.measure}",
                "expected": to_decimal(drift.expected),
                "found": to_decimal(drift.found),
                "message": drift.message,
            }
            for drift in report.drifts
        ],
    }


def _show_reports(reports: list[AuditReport]) -> None:
    """Audit reports as a table, and the first contradictions below it."""
    out = console()
    columns = (
        Column("environment"),
        Column("products", number=True),
        Column("records", number=True),
        Column("contradictions", number=True),
        Column("units", number=True),
    )
    cells = (
        (report.environment_id, report.products, report.records, report.drift_count, to_decimal(report.units))
        for report in reports
    )
    out.print(table(columns, cells))
    for report in reports:
        for drift in report.drifts[:20]:
            out.print(
                f"{drift.invariant} {drift.organization} {drift.product} {drift.position} "
                f"{drift.source}.{drift.measure}: {drift.message} "
                f"(expected {quantity(to_decimal(drift.expected))}, found {quantity(to_decimal(drift.found))})"
            )
