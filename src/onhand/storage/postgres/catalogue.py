"""Configuration, clients, signing keys and jobs: small tables, rarely written, so their SQL stands inline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncpg import Record

from onhand.core.configuration import compile_rules, declared_measures
from onhand.core.rules import Rules, Switches
from onhand.rows import ClientRow, ConfigurationRow, JobRow, SigningKey
from onhand.storage.postgres.errors import faults
from onhand.storage.postgres.fence import close_fence
from onhand.storage.postgres.pool import Database, Session
from onhand.storage.postgres.projection import Projection, reproject
from onhand.storage.postgres.statements import query

MEASURES = "SELECT measure_id, source, name FROM measure WHERE environment_no = $1 ORDER BY measure_id"

VERSION = """
SELECT c.*, e.environment_id
FROM environment AS e
JOIN configuration AS c ON c.environment_no = e.environment_no AND c.version = coalesce($2, e.configuration_version)
WHERE e.environment_id = $1
"""

HISTORY = """
SELECT c.*, e.environment_id
FROM environment AS e
JOIN configuration AS c USING (environment_no)
WHERE e.environment_no = $1
ORDER BY c.version DESC
"""

WRITE_VERSION = """
INSERT INTO configuration (environment_no, version, document, switches, applied_by, reason)
VALUES ($1, $2, $3, $4, $5, $6)
"""

NUMBER = "SELECT environment_no FROM environment WHERE environment_id = $1"

RENAME = """
UPDATE environment
SET environment_id = $2, configuration_version = configuration_version + 1
WHERE environment_no = $1
"""

COPY_VERSION = """
INSERT INTO configuration (environment_no, version, document, switches, applied_by, reason)
SELECT c.environment_no, e.configuration_version, c.document, c.switches, c.applied_by, $2
FROM environment AS e
JOIN configuration AS c ON c.environment_no = e.environment_no AND c.version = e.configuration_version - 1
WHERE e.environment_no = $1
"""

HAS_STOCK = """
SELECT EXISTS (SELECT FROM product JOIN stock USING (k, product_id) WHERE environment_no = $1)
"""

SAVE_CLIENT = """
INSERT INTO client (client_id, secret_hash, environments, scopes, disabled_at)
VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN now() END)
ON CONFLICT (client_id) DO UPDATE
SET secret_hash = excluded.secret_hash, environments = excluded.environments, scopes = excluded.scopes,
    disabled_at = CASE WHEN $5 THEN coalesce(client.disabled_at, excluded.disabled_at) END
"""

ADD_KEY = """
INSERT INTO signing_key (key_id, jwk, created_at, retires_at, expires_at) VALUES ($1, $2, $3, $4, $5)
"""

ADD_JOB = """
INSERT INTO job (job_id, environment_no, kind, parameters, status, progress, message, requested_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


class PostgresCatalogue:
    """Implements `ports.Catalogue`."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool

    # Environments and configuration

    async def environments(self) -> list[tuple[int, str]]:
        """(number, id) of each environment."""
        with faults():
            rows = await self._pool.fetch(
                "SELECT environment_no, environment_id FROM environment ORDER BY environment_no"
            )
        return [(row["environment_no"], row["environment_id"]) for row in rows]

    async def configuration(self, environment_id: str, version: int | None = None) -> ConfigurationRow | None:
        """A version of a configuration; the current one by default."""
        with faults():
            async with self._pool.acquire() as session:
                return await _configuration(session, environment_id, version)

    async def history(self, environment: int) -> list[ConfigurationRow]:
        """All versions, newest first."""
        with faults():
            async with self._pool.acquire() as session:
                rows = await session.fetch(HISTORY, environment)
                measures = await _measures(session, environment)
        return [_version(row, measures) for row in rows]

    async def create_environment(
        self, environment_id: str, document: dict[str, Any], switches: dict[str, Any], by: str
    ) -> ConfigurationRow:
        """A new environment at configuration version 1; registers its measures.

        Raises:
            Conflict: the environment exists.
        """
        with faults():
            async with self._pool.acquire() as session, session.transaction():
                environment = await session.fetchval(
                    "INSERT INTO environment (environment_id, configuration_version) VALUES ($1, 1)"
                    " RETURNING environment_no",
                    environment_id,
                )
                await session.execute(WRITE_VERSION, environment, 1, document, switches, by, "")
                await _register(session, environment, document)
                return await _current(session, environment_id)

    async def rename_environment(self, old_id: str, new_id: str) -> bool:
        """Give an environment another id, in the lists of clients as well; False when the old one does not exist.

        It is a new version of the configuration: what other processes built under the old id is built again, so that
        it never lands in an environment that has another name by now. Waits for batches in flight.
        """
        with faults():
            async with self._pool.acquire() as session, session.transaction():
                environment = await _fenced(session, old_id)
                if environment is None:
                    return False
                await session.execute(RENAME, environment, new_id)
                await session.execute(COPY_VERSION, environment, f"renamed from {old_id}")
                await session.execute(
                    "UPDATE client SET environments = array_replace(environments, $1, $2)"
                    " WHERE $1 = ANY (environments)",
                    old_id,
                    new_id,
                )
        return True

    async def delete_environment(self, environment_id: str) -> bool:
        """Remove an environment; False when it does not exist or holds stock."""
        with faults():
            async with self._pool.acquire() as session, session.transaction():
                environment = await _fenced(session, environment_id)
                if environment is None or await session.fetchval(HAS_STOCK, environment):
                    return False
                for name in ("hold", "movement", "refusal", "position"):
                    await session.execute(query("delete_of_products").format(table=name), environment)
                for name in (
                    "product",
                    "command_id",
                    "document",
                    "job",
                    "measure",
                    "configuration",
                    "environment",
                ):
                    await session.execute(query("delete_of_environment").format(table=name), environment)
        return True

    async def apply_configuration(  # noqa: PLR0913 - the columns of one row
        self,
        environment: int,
        expected_version: int,
        document: dict[str, Any],
        switches: dict[str, Any],
        reservation_dimensions: tuple[str, ...],
        partition: tuple[str, ...],
        by: str,
        reason: str,
    ) -> ConfigurationRow | None:
        """Write the next version under the exclusive fence; None when `expected_version` is stale.

        Waits for batches in flight. Re-projects positions onto new reservation dimensions or a new partition in the
        same transaction, which takes time in proportion to the positions; batches of the environment wait for it.
        """
        with faults():
            async with self._pool.acquire() as session, session.transaction():
                await close_fence(session, environment)
                environment_id = await session.fetchval(
                    "UPDATE environment SET configuration_version = configuration_version + 1"
                    " WHERE environment_no = $1 AND configuration_version = $2 RETURNING environment_id",
                    environment,
                    expected_version,
                )
                if environment_id is None:
                    return None
                before = _rules(await _current(session, environment_id, expected_version))
                await session.execute(
                    WRITE_VERSION, environment, expected_version + 1, document, switches, by, reason
                )
                await _register(session, environment, document)
                if set(before.reservation_dimensions) != set(reservation_dimensions) or set(
                    before.partition
                ) != set(partition):
                    await reproject(session, environment, Projection(reservation_dimensions, partition))
                return await _current(session, environment_id)

    async def used_measures(self, environment: int) -> set[int]:
        """Measures that hold data (a stored level, an open hold)."""
        with faults():
            rows = await self._pool.fetch(query("used_measures"), environment)
        return {row["measure_id"] for row in rows}

    async def has_stock(self, environment: int) -> bool:
        """Whether any stock row exists."""
        with faults():
            return bool(await self._pool.fetchval(HAS_STOCK, environment))

    # Access

    async def client(self, client_id: str) -> ClientRow | None:
        """One client."""
        with faults():
            row = await self._pool.fetchrow("SELECT * FROM client WHERE client_id = $1", client_id)
        return None if row is None else _client(row)

    async def clients(self) -> list[ClientRow]:
        """All clients."""
        with faults():
            rows = await self._pool.fetch("SELECT * FROM client ORDER BY client_id")
        return [_client(row) for row in rows]

    async def save_client(self, client: ClientRow) -> None:
        """Insert or replace a client."""
        with faults():
            await self._pool.execute(
                SAVE_CLIENT,
                client.client_id,
                client.secret_hash,
                client.environments,
                client.scopes,
                client.disabled,
            )

    async def signing_keys(self) -> list[SigningKey]:
        """Keys that still verify by the database's clock, newest first."""
        with faults():
            rows = await self._pool.fetch(
                "SELECT * FROM signing_key WHERE expires_at > now() ORDER BY created_at DESC, key_id"
            )
        return [SigningKey(**row) for row in rows]

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a key."""
        with faults():
            await self._pool.execute(
                ADD_KEY, key.key_id, key.jwk, key.created_at, key.retires_at, key.expires_at
            )

    # Jobs

    async def create_job(self, job: JobRow, by: str) -> None:
        """Register a job."""
        values = job.job_id, job.environment, job.kind, job.parameters, job.status, job.progress, job.message
        with faults():
            await self._pool.execute(ADD_JOB, *values, by)

    async def job(self, job_id: str) -> JobRow | None:
        """One job."""
        with faults():
            row = await self._pool.fetchrow("SELECT * FROM job WHERE job_id = $1", job_id)
        return None if row is None else _job(row)

    async def update_job(self, job_id: str, status: str, progress: int, message: str) -> None:
        """Report progress."""
        with faults():
            await self._pool.execute(
                "UPDATE job SET status = $2, progress = $3, message = $4, updated_at = now() WHERE job_id = $1",
                job_id,
                status,
                progress,
                message,
            )

    async def unfinished_jobs(self) -> list[JobRow]:
        """Queued and running jobs, oldest first."""
        with faults():
            rows = await self._pool.fetch(
                "SELECT * FROM job WHERE status IN ('Queued', 'Running') ORDER BY created_at, job_id"
            )
        return [_job(row) for row in rows]


async def _register(session: Session, environment: int, document: dict[str, Any]) -> None:
    """Give ids to measures that have none yet, in the order of the document."""
    known = {(source, name) for source, name in (await _measures(session, environment)).values()}
    new = [measure for measure in declared_measures(document) if measure not in known]
    for number, (source, name) in enumerate(new, len(known) + 1):
        await session.execute(
            "INSERT INTO measure (environment_no, measure_id, source, name) VALUES ($1, $2, $3, $4)",
            environment,
            number,
            source,
            name,
        )


async def _measures(session: Session, environment: int) -> dict[int, tuple[str, str]]:
    rows = await session.fetch(MEASURES, environment)
    return {row["measure_id"]: (row["source"], row["name"]) for row in rows}


async def _configuration(
    session: Session, environment_id: str, version: int | None
) -> ConfigurationRow | None:
    row = await session.fetchrow(VERSION, environment_id, version)
    if row is None:
        return None
    return _version(row, await _measures(session, row["environment_no"]))


async def _fenced(session: Session, environment_id: str) -> int | None:
    """Number of an environment behind its closed fence, or None. The fence comes before the row, as in every unit."""
    environment: int | None = await session.fetchval(NUMBER, environment_id)
    if environment is None:
        return None
    await close_fence(session, environment)
    still = await session.fetchval(NUMBER, environment_id)  # it may have been renamed or deleted meanwhile
    return environment if still == environment else None


async def _current(session: Session, environment_id: str, version: int | None = None) -> ConfigurationRow:
    row = await _configuration(session, environment_id, version)
    if row is None:
        raise LookupError(f"Environment {environment_id!r} has no configuration version {version}.")
    return row


def _rules(row: ConfigurationRow) -> Rules:
    return compile_rules(
        row.environment, row.environment_id, row.version, row.document, Switches(), row.measures
    )


def _version(row: Record, measures: dict[int, tuple[str, str]]) -> ConfigurationRow:
    return ConfigurationRow(
        environment=row["environment_no"],
        environment_id=row["environment_id"],
        version=row["version"],
        document=row["document"],
        switches=row["switches"],
        measures=measures,
        applied_at=row["applied_at"],
        applied_by=row["applied_by"],
        reason=row["reason"],
    )


def _client(row: Record) -> ClientRow:
    return ClientRow(
        client_id=row["client_id"],
        secret_hash=row["secret_hash"],
        environments=_texts(row["environments"]),
        scopes=_texts(row["scopes"]),
        disabled=row["disabled_at"] is not None,
    )


def _texts(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values)


def _job(row: Record) -> JobRow:
    return JobRow(
        job_id=row["job_id"],
        environment=row["environment_no"],
        kind=row["kind"],
        parameters=row["parameters"],
        status=row["status"],
        progress=row["progress"],
        message=row["message"],
    )


def _count(tag: str) -> int:
    return int(tag.rsplit(" ", 1)[1])
