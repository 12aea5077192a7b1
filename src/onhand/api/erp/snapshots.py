"""Absolute figures of the ERP that say what they contain."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

import msgspec

from onhand.api.compat.translate import ID_MAX, scaled
from onhand.api.erp import reading, shown
from onhand.api.erp.snapshot_wire import (
    ErpContains,
    ErpProductAnswer,
    ErpProductPage,
    ErpRecord,
    ErpSnapshotAnswer,
    ErpSnapshotChange,
    ErpSnapshotLine,
    ErpSnapshotRequest,
    ErpSnapshotResult,
)
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import Query, decode
from onhand.api.problems import EdgeProblem, of_rejection
from onhand.api.services import Services
from onhand.core.dimensions import display, fold, name_dimensions, text_problem
from onhand.core.erp import lines, targets
from onhand.core.erp.asking import LineAsked
from onhand.core.erp.figures import ERP_SOURCE
from onhand.core.erp.intake import MESSAGES_MAX, Asked
from onhand.core.erp.snapshots import Record, Snapshot
from onhand.core.keys import ProductKey, product_key
from onhand.core.outcomes import Reason, Rejected
from onhand.core.quantities import to_decimal
from onhand.core.rules import Rules
from onhand.service.erp.lines import unknown
from onhand.service.erp.snapshots import Applied

RECORDS_MAX: Final = 2_000
"""Records of one snapshot request; all records of a product of a complete one have to be in it."""

_request = msgspec.json.Decoder(ErpSnapshotRequest)
_pair = msgspec.json.Decoder(tuple[str, str])

Product = tuple[str, str]
"""(organization, product), folded."""


async def apply(call: Call, services: Services) -> Reply:
    """POST `/erp/snapshots`."""
    request = decode(_request, call.body)
    identity = request.id.strip()
    if not identity or len(identity) > ID_MAX:
        raise EdgeProblem(422, "invalid-value", f"A snapshot has an id of 1 to {ID_MAX} characters.")
    if len(request.records) + len(request.emptied) > RECORDS_MAX:
        raise EdgeProblem(
            400, "too-many-items", f"At most {RECORDS_MAX} records are allowed. Send them in parts."
        )
    parts = _parts(call.of, request)
    if isinstance(parts, Rejected):
        return of_rejection(parts)
    messages = await _messages(call, services, request.contains, identity)
    known = await _products(call, services, request.contains.lines, messages)
    if isinstance(known, Rejected):
        return of_rejection(known)
    source = reading.source_name(request.contains.source)
    if bool(source) is (request.contains.up_to_sequence is None):
        raise EdgeProblem(422, "invalid-body", "'source' and 'upToSequence' come together.")
    if not 0 <= (request.contains.up_to_sequence or 0) < 1 << 53:
        raise EdgeProblem(422, "invalid-value", "upToSequence is a whole number from 0 up.")
    made = []
    for key, part in parts.items():
        mine = {line_id for line_id, product in known.items() if product == key}
        made.append(
            msgspec.structs.replace(
                part,
                id=identity,
                source=source,
                up_to=request.contains.up_to_sequence,
                lines=tuple(one for one in _ids(request.contains) if one in mine),
                messages=tuple(one for one in messages if one.line_id in mine),
                complete=request.complete or not part.records,
                caller=call.principal.client_id,
            )
        )
    strange = sorted(line_id for line_id, product in known.items() if product not in parts)
    if strange:
        raise EdgeProblem(
            422,
            "invalid-value",
            f"The snapshot contains line {strange[0]!r} but has no record of its product. Send both together.",
        )
    work = services.erp.snapshots.preview if request.preview else services.erp.snapshots.apply
    return _shown(await work(call.of, made))


async def products(call: Call, services: Services) -> Reply:
    """GET `/erp/products`."""
    query = Query(call)
    after, limit = query.page(services)
    organization = query.text("organizationId")
    found, following = await services.erp.snapshots.products(
        call.of,
        None if organization is None else fold(call.of, organization),
        None if after is None else _product(call.of, after),
        limit,
    )
    items = [ErpProductAnswer(organization_id=one.organization, product_id=one.name) for one in found]
    return json_reply(ErpProductPage(items=items, next=None if following is None else _cursor(following)))


def _cursor(key: ProductKey) -> str:
    text = msgspec.json.encode((key.organization, key.product))
    return urlsafe_b64encode(text).decode().rstrip("=")


def _product(rules: Rules, cursor: str) -> ProductKey:
    try:
        organization, product = _pair.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        problem = text_problem(organization) or text_problem(product)
    except (ValueError, msgspec.DecodeError) as error:
        problem = str(error)
    if problem:
        raise EdgeProblem(400, "invalid-cursor", "after is not a cursor of this listing; start without it.")
    return product_key(rules.environment, organization, product)


def _parts(rules: Rules, request: ErpSnapshotRequest) -> dict[Product, Snapshot] | Rejected:
    parts = records(rules, request.records)
    if isinstance(parts, Rejected):
        return parts
    for one in request.emptied:
        of = targets.subject(rules, one.organization_id, one.product_id)
        if isinstance(of, Rejected):
            return of
        key = (of.key.organization, of.key.product)
        if key in parts:
            return Rejected(
                Reason.INVALID_VALUE, f"Product {of.product!r} has a record and is said to have none."
            )
        parts[key] = Snapshot(id="", organization=of.organization, product=of.product, records=())
    return parts


def records(rules: Rules, given: Sequence[ErpRecord]) -> dict[Product, Snapshot] | Rejected:
    """The records by product."""
    parts: dict[Product, Snapshot] = {}
    for one in given:
        of = targets.subject(rules, one.organization_id, one.product_id)
        if isinstance(of, Rejected):
            return of
        record = _record(rules, one)
        if isinstance(record, Rejected):
            return record
        key = (of.key.organization, of.key.product)
        part = parts.get(key) or Snapshot(id="", organization=of.organization, product=of.product, records=())
        parts[key] = msgspec.structs.replace(part, records=(*part.records, record))
    return parts


def _record(rules: Rules, one: ErpRecord) -> Record | Rejected:
    named = name_dimensions(rules, one.dimensions, one.dimension_data_source)
    if isinstance(named, Rejected):
        return named
    figures: dict[str, int] = {}
    for source, measures in one.quantities.items():
        if source.strip().lower() != ERP_SOURCE:
            return Rejected(
                Reason.FOREIGN_SOURCE,
                f"A snapshot of the ERP has figures of {ERP_SOURCE!r} only, not of {source[:100]!r}.",
            )
        for name, number in measures.items():
            measure = name.strip().lower()
            quantity = scaled(number, f"quantities.{source}.{name}")
            if isinstance(quantity, Rejected):
                return quantity
            if (ERP_SOURCE, measure) not in rules.measures:
                return Rejected(
                    Reason.UNKNOWN_MEASURE,
                    f"Data source {ERP_SOURCE!r} has no physical measure {measure[:100]!r}.",
                )
            figures[measure] = quantity
    return Record({name: value for name, value in named if value}, figures)


async def _messages(call: Call, services: Services, contains: ErpContains, identity: str) -> list[Asked]:
    if len(contains.messages) + len(contains.lines) > MESSAGES_MAX:
        raise EdgeProblem(400, "too-many-items", f"A snapshot contains at most {MESSAGES_MAX} lines.")
    parameters = await services.erp.parameters.of(call.of)
    envelope = reading.Envelope(caller=call.principal.client_id, supplied=parameters.figures == "supplied")
    made = []
    for place, one in enumerate(contains.messages):
        if one.sequence is not None:
            raise EdgeProblem(422, "invalid-body", "Messages inside a snapshot are not numbered.")
        if one.id is None:
            one.id = f"{identity}/{place}"[:ID_MAX]
        made.append(reading.asked(call.of, one, envelope))
    return made


async def _products(
    call: Call, services: Services, line_ids: Sequence[str], messages: Sequence[Asked]
) -> dict[str, Product] | Rejected:
    """The product of each line that the snapshot names."""
    rules = call.of
    found: dict[str, Product] = {
        one.line_id: (fold(rules, one.organization), fold(rules, one.product))
        for one in messages
        if isinstance(one, LineAsked)
    }
    wanted = [*(reading.line_id(one) for one in line_ids), *(one.line_id for one in messages)]
    open_ids = [one for one in dict.fromkeys(wanted) if one not in found]
    for row in await services.erp.lines.rows(rules, open_ids):
        line = lines.decode(row.body)
        found[line.line_id] = (fold(rules, line.organization), fold(rules, line.product))
    missing = [one for one in open_ids if one not in found]
    return unknown(missing[0]) if missing else found


def _ids(contains: ErpContains) -> list[str]:
    return list(dict.fromkeys(reading.line_id(one) for one in contains.lines))


def _shown(done: Sequence[Applied]) -> Reply:
    results = []
    for one in done:
        result = ErpSnapshotResult(
            organization_id=one.organization,
            product_id=one.product,
            accepted=one.refusal is None,
            replayed=one.replayed,
            lines=[
                ErpSnapshotLine(
                    line_id=line.line_id,
                    state=line.state,
                    offsets=[shown.offset(offset) for offset in line.offsets],
                )
                for line in one.lines
            ],
        )
        result.changes = [
            ErpSnapshotChange(
                dimensions={display(name): value for name, value in change.dimensions},
                measure=change.measure,
                stored=to_decimal(change.stored),
                becomes=to_decimal(change.becomes),
            )
            for change in one.changes
        ]
        if one.refusal is not None:
            result.code, result.message = one.refusal.reason, one.refusal.message
        results.append(result)
    return json_reply(ErpSnapshotAnswer(results=results))
