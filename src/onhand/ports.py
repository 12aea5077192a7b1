"""What the service needs of the world, owned by the service. Adapters implement it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from onhand.core.commands import DocumentKey
from onhand.core.keys import ProductKey
from onhand.core.orders.outside import Answer, NoAnswer, Request
from onhand.core.orders.postings import ItemFilter, PostingFilter
from onhand.core.snapshot import Decision, ProductState, Reads, Snapshot
from onhand.rows import (
    BatchReport,
    ClientRow,
    ConfigurationRow,
    DocumentRow,
    HoldFilter,
    HoldRow,
    JobRow,
    Page,
    ProductAudit,
    ProductStock,
    RecentMovement,
    SigningKey,
    StockFilter,
)


class Clock(Protocol):
    """Time, so that tests can set it."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""


class Probe(Protocol):
    """What the service tells about itself. Calls are cheap, never block and never raise."""

    def batch(self, report: BatchReport) -> None:
        """A batch was committed."""

    def fault(self, where: str, name: str, affected: int) -> None:
        """A fault was answered to `affected` submissions, or a retry was needed ("conflict", "rules")."""

    def request(self, route: str, outcome: str, reason: str) -> None:
        """The edge answered a request. `route` is a template, never a path."""

    def job(self, kind: str, status: str, age_seconds: float) -> None:
        """A job changed its state."""

    def audit(self, environment_id: str, drift_units: float, drifts: int) -> None:
        """An audit ended; quantities that are astray in units, and the number of contradictions."""

    def erp_lines(
        self, lines: Mapping[str, int], offsets: Mapping[str, int], failures: Mapping[str, int]
    ) -> None:
        """The ERP's synchronisation took up lines: outcome -> lines, state -> offsets, reason -> failures."""

    def erp_run(self, seconds: float, oldest_seconds: float) -> None:
        """A run of the ERP's synchronisation ended; `oldest_seconds` is the age of the oldest message that it found."""


# The engine's store ------------------------------------------------------------------------------------------


class Unit(Protocol):
    """One database transaction: gather, then commit; leaving it without `commit` rolls back."""

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        """Lock and read. Ensures product rows, locks them in ascending order, reads in a later statement.

        Takes the configuration fence of each environment (shared, until the end of the transaction) and
        reports the configuration version that it found.
        """

    async def commit(self, decision: Decision) -> None:
        """Write everything the decision says and commit durably.

        Raises:
            Conflict: a serialization fault, deadlock or concurrent duplicate id; gather again.
            StoreUnavailable: nothing was committed.
            OutcomeUnknown: the commit was sent and its answer lost.
        """

    # Or, without a lock in between, when the decision only takes reservations (ADR 27):

    @property
    def era(self) -> int | None:
        """Another number whenever a connection was opened; None when connections do not tell (behind a pooler).

        What was remembered in another era may be of another server: a failover or a restored backup can bring old
        versions of products back, and other contents with them.
        """

    async def look(self, places: Sequence[tuple[ProductKey, str]]) -> dict[ProductKey, ProductState]:
        """Read the cells of places of products with their stock, all as of one moment, and lock nothing.

        Products that were never stored are missing. Each state says when its first hold lapses.
        """

    async def commit_unchanged(self, decision: Decision, snapshot: Snapshot) -> None:
        """Write and commit durably, if nothing has changed since it was read.

        Locks the products of the decision in ascending order and compares their versions, and those of the
        configurations, with the snapshot's: a product of the same version is the same in every row.

        Raises:
            Stale: something has changed, or the decision does more than to take reservations; nothing was committed.
            Conflict, StoreUnavailable: nothing was committed.
            OutcomeUnknown: sent, and the answer lost; it may even be carried out later.
        """


class Store(Protocol):
    """Where stock is kept."""

    def unit(self) -> AbstractAsyncContextManager[Unit]:
        """A transaction on a connection of the pool."""


# Reading -----------------------------------------------------------------------------------------------------


class Reader(Protocol):
    """Reads that take no locks. All are bounded: by page, by filter, or product by product."""

    async def stock(self, which: StockFilter, now_us: int) -> list[ProductStock]:
        """Stock of the matching products, ordered by organization, product."""

    async def partitions(self, environment: int, *, by_location: bool) -> list[tuple[str, str, str]]:
        """(organization, product or "", place) of each partition that holds stock."""

    async def products(self, environment: int, after: ProductKey | None, limit: int) -> list[ProductKey]:
        """Products of an environment in key order."""

    async def products_at(self, environment: int, organization: str, place: str) -> list[ProductKey]:
        """Products of an organization with stock at a place."""

    async def due_products(self, now_us: int, limit: int) -> list[ProductKey]:
        """Products with expired, still open holds."""

    def candidates(self, environment: int, organization: str, cell: str) -> AsyncIterator[ProductKey]:
        """Products of an organization that have a position with this key (to resolve a reservation id)."""

    async def holds(self, which: HoldFilter, now_us: int, after: str | None, limit: int) -> Page:
        """Holds, newest first. One that has expired by now is closed, swept or not."""

    async def hold(self, environment: int, hold_id: str, now_us: int) -> HoldRow | None:
        """One hold."""

    async def holds_named(self, environment: int, hold_ids: Sequence[str], now_us: int) -> list[HoldRow]:
        """Those of these holds that exist, in no order."""

    async def hold_product(self, environment: int, hold_id: str) -> ProductKey | None:
        """The product that a hold belongs to."""

    async def movements(
        self, product: ProductKey, position: str | None, measure: int | None, after: str | None, limit: int
    ) -> Page:
        """Ledger rows of one product, newest first."""

    async def recent_movements(
        self, products: Sequence[ProductKey], measures: Sequence[int], since: datetime, limit: int
    ) -> list[RecentMovement]:
        """The newest ledger rows of each product since a time, at most `limit` of each, oldest first."""

    async def refusals(self, environment: int, since: datetime, after: str | None, limit: int) -> Page:
        """Refusals, newest first."""

    async def audit(self, products: Sequence[ProductKey]) -> list[ProductAudit]:
        """What `verify` compares, read in one repeatable-read transaction."""


class Documents(Protocol):
    """Documents, read without locks. They are written with stock, by a `Group`."""

    async def document(self, key: DocumentKey) -> DocumentRow | None:
        """One document."""

    async def documents(self, keys: Sequence[DocumentKey]) -> list[DocumentRow]:
        """Those that exist, in no order."""

    async def find(  # noqa: PLR0913 - the parts of a search
        self,
        environment: int,
        kind: str,
        labels: Sequence[str] = (),
        *,
        any_of: Sequence[Sequence[str]] = (),
        since: int | None = None,
        until: int | None = None,
        after: str | None = None,
        limit: int,
        oldest_first: bool = False,
    ) -> Page:
        """Those with all of `labels` and at least one of each list of `any_of`, made in [since, until), by (created_at, id)."""

    async def count(  # noqa: PLR0913 - the parts of a search
        self,
        environment: int,
        kind: str,
        labels: Sequence[str] = (),
        *,
        any_of: Sequence[Sequence[str]] = (),
        since: int | None = None,
        until: int | None = None,
        limit: int,
    ) -> int:
        """How many `find` would find, counted up to `limit`."""

    def cursor_after(self, row: DocumentRow) -> str:
        """The cursor of the page that follows a row that `find` gave, in either direction."""

    async def due(
        self, kind: str, now_us: int, limit: int, after: DocumentRow | None = None
    ) -> list[DocumentRow]:
        """Those on which work is due, of all environments, the longest due first; only those behind `after`.

        Work that cannot be done stays due: whoever pages past it reaches what is behind it.
        """


class Outside(Protocol):
    """Systems outside that workflow steps call."""

    async def post(self, request: Request, idempotency_key: str) -> Answer | NoAnswer:
        """The answer to a request, within its time; nothing is raised."""


class Items(Protocol):
    """Reads of inventory items. They take no locks."""

    async def postings(self, which: PostingFilter, after: str | None, limit: int) -> Page:
        """Movements of the two measures with the levels of the item after each (`Posting`), newest first.

        Commands whose transactions are documents are left out.
        """

    async def count_postings(self, which: PostingFilter, limit: int) -> int:
        """How many transactions they make, counted up to the limit."""

    async def items(self, which: ItemFilter, after: str | None, limit: int) -> Page:
        """Products at places where they ever had stock (`ItemSpot`), in the order of their keys."""

    async def count_items(self, which: ItemFilter, limit: int) -> int:
        """How many there are, counted up to the limit."""


# Catalogue: configuration, access, jobs ----------------------------------------------------------------------


class Catalogue(Protocol):
    """Small, rarely written tables."""

    async def environments(self) -> list[tuple[int, str]]:
        """(number, id) of each environment."""

    async def configuration(self, environment_id: str, version: int | None = None) -> ConfigurationRow | None:
        """A version of a configuration; the current one by default."""

    async def history(self, environment: int) -> list[ConfigurationRow]:
        """All versions, newest first."""

    async def create_environment(
        self, environment_id: str, document: dict[str, Any], switches: dict[str, Any], by: str
    ) -> ConfigurationRow:
        """A new environment at configuration version 1; registers its measures."""

    async def rename_environment(self, old_id: str, new_id: str) -> bool:
        """Give an environment another id; False when the old one does not exist."""

    async def delete_environment(self, environment_id: str) -> bool:
        """Remove an environment that holds no stock."""

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

        Re-projects positions onto new reservation dimensions or a new partition in the same transaction.
        """

    async def used_measures(self, environment: int) -> set[int]:
        """Measures that hold data (a stored level, an open hold)."""

    async def has_stock(self, environment: int) -> bool:
        """Whether any stock row exists."""

    async def client(self, client_id: str) -> ClientRow | None:
        """One client."""

    async def clients(self) -> list[ClientRow]:
        """All clients."""

    async def save_client(self, client: ClientRow) -> None:
        """Insert or replace a client."""

    async def signing_keys(self) -> list[SigningKey]:
        """Keys that still verify, newest first."""

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a key."""

    async def create_job(self, job: JobRow, by: str) -> None:
        """Register a job."""

    async def job(self, job_id: str) -> JobRow | None:
        """One job."""

    async def update_job(self, job_id: str, status: str, progress: int, message: str) -> None:
        """Report progress."""

    async def unfinished_jobs(self) -> list[JobRow]:
        """Queued and running jobs, oldest first."""
