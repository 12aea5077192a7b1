"""Snapshots applied, product by product: figures set, what they contain offset, what came after them kept.

Theory of operation. One group a product: it sets the records, posts the offsets of the lines that are inside, and writes
their documents. What the group was made from (the figures that the product had, then the lines) was read without locks,
the figures first. The group refuses itself when a figure of the ERP is not what was read, and a document that changed
refuses it anyway; then all is read again. So no posting that comes in between is lost under the snapshot, and nothing is
offset twice. The id of a snapshot is that of its records' commands: a repeated one is a replay, whatever else it names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from onhand.core.erp import lines, posting, snapshots, sources, targets
from onhand.core.erp.asking import LineAsked, Said, Setting, Spoiled
from onhand.core.erp.intake import Asked
from onhand.core.erp.lines import Line
from onhand.core.erp.moving import change_line, move, open_line
from onhand.core.erp.posting import Aim
from onhand.core.erp.snapshots import Snapshot
from onhand.core.keys import ProductKey
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, Documents, Reader
from onhand.rows import DocumentRow, ProductStock, StockFilter
from onhand.service.batcher import Batcher
from onhand.service.erp.applying import AGAIN, REPEATED, Applying, Difference
from onhand.service.erp.holds import Holds
from onhand.service.erp.lines import refusal_of, unknown
from onhand.service.erp.parameters import ErpParameters

ATTEMPTS: Final = 10
LINES_MAX: Final = 5_000
"""Lines of one product that a snapshot concerns."""
PAGE: Final = 1_000
AT_ONCE: Final = 32
"""Products that are worked on at a time."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a snapshot's product."""

    organization: str
    product: str
    refusal: Rejected | None = None
    replayed: bool = False
    lines: tuple[Line, ...] = ()
    """Lines that were inside and had waited, as they are now."""
    changes: tuple[Difference, ...] = ()
    """Of a preview: what would change."""


class Snapshots:
    """Applies snapshots."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        documents: Documents,
        reader: Reader,
        batcher: Batcher,
        clock: Clock,
        *,
        parameters: ErpParameters,
        holds: Holds,
    ) -> None:
        self._documents = documents
        self._reader = reader
        self._batcher = batcher
        self._clock = clock
        self._parameters = parameters
        self._holds = holds

    async def apply(self, rules: Rules, parts: Sequence[Snapshot]) -> list[Applied]:
        """Apply the parts of a snapshot, each product by itself.

        Raises:
            Fault: some products may be done; the same snapshot may be sent again.
        """
        done: list[Applied] = []
        ahead = await self._ahead(rules, parts)
        if ahead is not None:
            return [
                Applied(organization=one.organization, product=one.product, refusal=ahead) for one in parts
            ]
        for start in range(0, len(parts), AT_ONCE):
            done += await asyncio.gather(*(self.one(rules, part) for part in parts[start : start + AT_ONCE]))
        return done

    async def one(self, rules: Rules, snapshot: Snapshot) -> Applied:
        """Apply the part of one product."""
        about = Applied(organization=snapshot.organization, product=snapshot.product)
        left_out: dict[tuple[str, Aim], Rejected] = {}
        refusal = AGAIN
        for _ in range(ATTEMPTS):
            made = await self._make(rules, snapshot, left_out)
            if isinstance(made, Rejected):
                return msgspec.structs.replace(about, refusal=made)
            outcome = await self._batcher.submit(rules, made)
            if isinstance(outcome, GroupOutcome) and outcome.accepted:
                return msgspec.structs.replace(about, lines=tuple(made.written))
            refusal = refusal_of(outcome)
            if refusal is REPEATED:
                return msgspec.structs.replace(about, replayed=True)
            if refusal.reason is Reason.STALE_DOCUMENT:
                continue
            if isinstance(outcome, GroupOutcome) and made.leave_out(outcome, left_out):
                continue
            break
        return msgspec.structs.replace(about, refusal=refusal)

    async def preview(self, rules: Rules, parts: Sequence[Snapshot]) -> list[Applied]:
        """What applying the parts would do; changes nothing."""
        done: list[Applied] = []
        for part in parts:
            about = Applied(organization=part.organization, product=part.product)
            made = await self._make(rules, part, {})
            found = made if isinstance(made, Rejected) else made.foreseen(rules)
            if isinstance(found, Rejected):
                done.append(msgspec.structs.replace(about, refusal=found))
            else:
                done.append(msgspec.structs.replace(about, changes=found[0], lines=found[1]))
        return done

    async def products(
        self, rules: Rules, organization: str | None, after: ProductKey | None, limit: int
    ) -> tuple[list[ProductStock], ProductKey | None]:
        """Products that have figures of the ERP, in key order, and where the next page begins.

        A page looks at `limit` products and lists those of them that have any.
        """
        keys = await self._reader.products(rules.environment, after, limit)
        wanted = [key for key in keys if organization is None or key.organization == organization]
        erp = snapshots.measures(rules)
        found: dict[ProductKey, ProductStock] = {}
        for name in sorted({key.organization for key in wanted}):
            stocks = await self._reader.stock(
                StockFilter(
                    environment=rules.environment,
                    organizations=(name,),
                    products=tuple(key.product for key in wanted if key.organization == name),
                    places=None,
                    records=True,
                ),
                self._clock.now_us(),
            )
            found |= {
                one.product: one for one in stocks if any(row.own and row.measure in erp for row in one.rows)
            }
        return [found[key] for key in wanted if key in found], keys[-1] if len(keys) == limit else None

    async def _make(
        self, rules: Rules, snapshot: Snapshot, left_out: dict[tuple[str, Aim], Rejected]
    ) -> Applying | Rejected:
        of = targets.subject(rules, snapshot.organization, snapshot.product)
        if isinstance(of, Rejected):
            return of
        stock = await self._stock(rules, of.key)
        found = await self._lines(rules, snapshot)
        if isinstance(found, Rejected):
            return found
        setting = msgspec.structs.replace(await self._parameters.setting(rules), now=self._clock.now_us())
        told = _tell(found, snapshot, setting)
        if isinstance(told, Rejected):
            return told
        wanted = {one for line in told.values() for one in posting.hold_ids(line)}
        return Applying(
            snapshot=snapshot,
            of=of,
            stock=stock,
            rows=found,
            told=told,
            setting=setting,
            facts=await self._holds.facts(rules.environment, wanted),
            left_out=left_out,
        )

    async def _ahead(self, rules: Rules, parts: Sequence[Snapshot]) -> Rejected | None:
        """Why a snapshot is refused that contains messages which did not come yet: they would be added to it later."""
        up_to = parts[0].up_to if parts else None
        if up_to is None:
            return None
        row = await self._documents.document(sources.key(rules.environment, parts[0].source))
        following = 1 if row is None else sources.decode(row.body).next
        if following > up_to:
            return None
        return Rejected(
            Reason.SEQUENCE_GAP,
            f"The snapshot contains number {up_to} of source {parts[0].source!r}, which has sent nothing from {following} "
            f"on. Send that first; if it is lost, let the source go on at {up_to + 1} (PUT erp/sources).",
        )

    async def _stock(self, rules: Rules, product: ProductKey) -> ProductStock | None:
        found = await self._reader.stock(
            StockFilter(
                environment=rules.environment,
                organizations=(product.organization,),
                products=(product.product,),
                places=None,
                records=True,
            ),
            self._clock.now_us(),
        )
        return found[0] if found else None

    async def _lines(self, rules: Rules, snapshot: Snapshot) -> dict[str, DocumentRow | None] | Rejected:
        """Lines that the snapshot may concern: those it names, and the product's lines of its source."""
        found: dict[str, DocumentRow | None] = dict.fromkeys(sorted(snapshot.wholly))
        rows = await self._documents.documents([lines.key(rules.environment, one) for one in found])
        found |= {row.key.id: row for row in rows}
        for line_id in snapshot.lines:
            if found[line_id] is None:
                return unknown(line_id)
        cursor: str | None = None
        while snapshot.source and snapshot.up_to is not None:
            page = await self._documents.find(
                rules.environment,
                lines.KIND,
                (
                    lines.label("source", snapshot.source),
                    lines.label("product", snapshot.product),
                    lines.label("organization", snapshot.organization),
                ),
                after=cursor,
                limit=PAGE,
            )
            found |= {row.key.id: row for row in page.rows}
            if len(found) > LINES_MAX:
                return Rejected(
                    Reason.LIMIT_REACHED, f"The snapshot concerns more than {LINES_MAX} lines of one product."
                )
            cursor = page.next
            if cursor is None:
                break
        return found


def _tell(
    rows: Mapping[str, DocumentRow | None], snapshot: Snapshot, setting: Setting
) -> dict[str, Line] | Rejected:
    """The lines with what the snapshot itself says about them."""
    told = {line_id: lines.decode(row.body) for line_id, row in rows.items() if row is not None}
    for message in snapshot.messages:
        said = _say(told.get(message.line_id), message, setting)
        if isinstance(said, Rejected):
            return said
        told[message.line_id] = said.line
    for line in told.values():
        same = (line.organization.casefold(), line.product.casefold())
        if same != (snapshot.organization.casefold(), snapshot.product.casefold()):
            return Rejected(
                Reason.INVALID_VALUE,
                f"Line {line.line_id!r} is of product {line.product!r}: the snapshot has no record of it. Send both together.",
            )
    return told


def _say(line: Line | None, message: Asked, setting: Setting) -> Said | Rejected:
    if isinstance(message, Spoiled):
        return message.why
    if isinstance(message, LineAsked):
        return open_line(message, setting) if line is None else change_line(line, message, setting)
    return unknown(message.line_id) if line is None else move(line, message, setting)
