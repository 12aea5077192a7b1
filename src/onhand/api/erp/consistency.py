"""Consistency checks over HTTP: figures in, differences out as JSON or as a file, corrections after approval."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import UNSET

from onhand.api.compat.envelopes import moment
from onhand.api.compat.translate import microseconds, scaled
from onhand.api.erp.check_wire import (
    CheckAnswer,
    CheckApprovalRequest,
    CheckChange,
    CheckFiguresRequest,
    CheckFinding,
    CheckFindingPage,
    CheckPage,
    CheckRecord,
    CheckRequest,
)
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import Query, decode, paged
from onhand.api.native.reservations import link
from onhand.api.problems import EdgeProblem, of_rejection
from onhand.api.services import Services
from onhand.core.csv_records import Unusable, Wrong, csv_records
from onhand.core.dimensions import display
from onhand.core.erp import checks
from onhand.core.erp.checks import Approval, Check
from onhand.core.erp.comparing import CLASSES
from onhand.core.erp.figure_records import FigureRecord, figure_record
from onhand.core.outcomes import Rejected
from onhand.core.quantities import to_decimal
from onhand.core.rules import Rules
from onhand.service.erp.consistency import RECORDS_MAX, unknown

REASON_MAX: Final = 200
"""Characters of the reason of an approval."""

PROBLEMS_MAX: Final = 20
"""Records whose problems are named."""

STATES: Final = ("proposed", "applied", "settled", "refused")
COLUMNS: Final = (
    "finding", "class", "state", "moving", "organization", "product", "dimensions", "measure", "theirs", "ours",
    "correction", "evidence", "note",
)  # fmt: skip
"""Of the report as CSV."""

_open = msgspec.json.Decoder(CheckRequest)
_figures = msgspec.json.Decoder(CheckFiguresRequest)
_record = msgspec.json.Decoder(CheckRecord)
_approval = msgspec.json.Decoder(CheckApprovalRequest)
_encode = msgspec.json.Encoder(decimal_format="number").encode


async def open_check(call: Call, services: Services) -> Reply:
    """POST `/erp/checks`."""
    request = decode(_open, call.body)
    made = await services.erp.consistency.open(
        call.of, request.source, request.covers, microseconds(request.taken_at), call.principal.client_id
    )
    return _answer(made, 201)


async def list_checks(call: Call, services: Services) -> Reply:
    """GET `/erp/checks`."""
    query = Query(call)
    after, limit = query.page(services)
    page = await paged(services.erp.consistency.find(call.of, query.text("source"), after, limit))
    items = [_shown(checks.decode_check(row.body)) for row in page.rows]
    return json_reply(CheckPage(items=items, next=page.next), headers=link(call, page.next))


async def read_check(call: Call, services: Services) -> Reply:
    """GET `/erp/checks/{checkId}`."""
    return json_reply(_shown(await _of(call, services)))


async def forget(call: Call, services: Services) -> Reply:
    """DELETE `/erp/checks/{checkId}`."""
    if not await services.erp.consistency.forget(call.of, call.parameters["checkId"]):
        return of_rejection(unknown(call.parameters["checkId"]))
    return Reply(204)


async def add_figures(call: Call, services: Services) -> Reply:
    """PUT `/erp/checks/{checkId}/figures/{part}`: JSON, or by content type `text/csv` or `application/x-ndjson`."""
    part = call.parameters["part"]
    if not (part.isdecimal() and len(part) < 10):
        raise EdgeProblem(404, "not-found", "A part of the figures is a whole number from 1.")
    check = await _of(call, services)
    records = list(_records(call, Query(call).text("organizationId") or ""))
    limit = min(RECORDS_MAX, services.limits.items_max)
    if not 0 < len(records) <= limit:
        raise EdgeProblem(400, "too-many-items", f"A part has 1 to {limit} records. Send them in parts.")
    read = [(line, _read(call.of, check.source, one)) for line, one in records]
    wrong = [(line, one.message) for line, one in read if isinstance(one, Rejected)]
    if wrong:
        raise EdgeProblem(
            422,
            "invalid-records",
            f"{len(wrong)} of {len(records)} records cannot be used; none was taken.",
            [f"record {line}: {message}" for line, message in wrong[:PROBLEMS_MAX]],
        )
    good = [one for _, one in read if isinstance(one, FigureRecord)]
    return _answer(await services.erp.consistency.add(call.of, check.id, int(part), good))


async def compare(call: Call, services: Services) -> Reply:
    """POST `/erp/checks/{checkId}/compare`."""
    return _answer(await services.erp.consistency.start(call.of, call.parameters["checkId"]), 202)


async def approve(call: Call, services: Services) -> Reply:
    """POST `/erp/checks/{checkId}/approve`: the caller is the approver and stands in the ledger."""
    request = decode(_approval, call.body)
    reason = request.reason.strip()
    if not 0 < len(reason) <= REASON_MAX:
        raise EdgeProblem(422, "invalid-value", f"A reason of 1 to {REASON_MAX} characters is needed.")
    approval = Approval(
        by=call.principal.client_id,
        reason=reason,
        classes=tuple(request.classes),
        findings=tuple(request.findings),
        moving=request.moving,
    )
    return _answer(await services.erp.consistency.approve(call.of, call.parameters["checkId"], approval), 202)


async def findings(call: Call, services: Services) -> Reply:
    """GET `/erp/checks/{checkId}/findings`; `format` csv or ndjson makes it a file."""
    check = await _of(call, services)
    query = Query(call)
    kind, state, form = query.text("class"), query.text("state"), query.text("format") or "json"
    for name, value, choice in (
        ("class", kind, CLASSES),
        ("state", state, STATES),
        ("format", form, ("json", "csv", "ndjson")),
    ):
        if value is not None and value not in choice:
            raise EdgeProblem(400, "invalid-query", f"{name} is one of {', '.join(choice)}.")
    after, limit = query.page(services)
    labels = [f"{name}={value}" for name, value in (("class", kind), ("state", state)) if value is not None]
    page = await paged(services.erp.consistency.findings(call.of, check.id, labels, after, limit))
    items = [
        one
        for row in page.rows
        for one in _findings(row.body)
        if kind in (None, one.difference) and state in (None, one.state)
    ]
    headers = link(call, page.next)
    if form == "csv":
        return Reply(200, _csv(items, header=after is None), b"text/csv; charset=utf-8", headers)
    if form == "ndjson":
        return Reply(200, b"".join(_encode(one) + b"\n" for one in items), b"application/x-ndjson", headers)
    return json_reply(CheckFindingPage(items=items, next=page.next), headers=headers)


# Reading -----------------------------------------------------------------------------------------------------


async def _of(call: Call, services: Services) -> Check:
    check = await services.erp.consistency.read(call.of, call.parameters["checkId"])
    if check is None:
        raise EdgeProblem(404, "unknown-check", unknown(call.parameters["checkId"]).message)
    return check


def _records(call: Call, organization: str) -> Iterator[tuple[int, CheckRecord]]:
    """(line or place, record) of a body."""
    kind = (call.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind not in ("text/csv", "application/x-ndjson"):
        yield from enumerate(decode(_figures, call.body).records, start=1)
        return
    try:
        text = call.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EdgeProblem(400, "invalid-body", f"The body is not UTF-8 text: {error}.") from error
    if kind == "application/x-ndjson":
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield number, decode(_record, line.encode())
        return
    try:
        for item in csv_records(io.StringIO(text, newline=""), organization):
            if isinstance(item, Wrong):
                raise EdgeProblem(422, "invalid-records", f"Line {item.line}: {item.message}.")
            yield (
                item.line,
                CheckRecord(
                    organization_id=item.organization,
                    product_id=item.product,
                    dimensions=item.dimensions,
                    quantities=item.quantities,
                ),
            )
    except Unusable as error:
        raise EdgeProblem(422, "invalid-records", str(error)) from error


def _read(rules: Rules, source: str, one: CheckRecord) -> FigureRecord | Rejected:
    quantities: dict[str, dict[str, int]] = {}
    for given, measures in one.quantities.items():
        for name, number in measures.items():
            value = scaled(Decimal(number), f"{given}.{name}")
            if isinstance(value, Rejected):
                return value
            quantities.setdefault(given, {})[name] = value
    return figure_record(
        rules,
        source,
        one.organization_id,
        one.product_id,
        one.dimensions,
        one.dimension_data_source,
        quantities,
    )


# Showing -----------------------------------------------------------------------------------------------------


def _answer(made: Check | Rejected, status: int = 200) -> Reply:
    return of_rejection(made) if isinstance(made, Rejected) else json_reply(_shown(made), status)


def _shown(check: Check) -> CheckAnswer:
    approval = check.approval
    return CheckAnswer(
        check_id=check.id,
        source=check.source,
        state=check.state,
        progress=check.progress,
        covers=check.covers,
        taken_at=moment(check.taken_at),
        opened_at=moment(check.opened_at),
        opened_by=check.opened_by,
        parts=len(check.parts),
        records=check.records,
        measures=check.measures,
        products=check.products,
        differences=check.differences,
        found={str(kind): check.found[kind] for kind in CLASSES if kind in check.found},
        moving=check.moving,
        applied={str(kind): check.applied[kind] for kind in CLASSES if kind in check.applied},
        settled=check.settled,
        refused=check.refused,
        approved_by=approval.by if approval else UNSET,
        reason=approval.reason if approval else UNSET,
        message=check.message or UNSET,
    )


def _findings(body: bytes) -> Iterator[CheckFinding]:
    of = checks.decode_findings(body)
    for one in of.findings:
        yield CheckFinding(
            finding_id=one.id,
            difference=one.kind,
            state=one.state,
            moving=one.moving,
            organization_id=of.organization,
            product_id=of.product,
            changes=[
                CheckChange(
                    dimensions={display(name): value for name, value in change.at.items()},
                    measure=change.measure,
                    theirs=to_decimal(change.theirs),
                    ours=to_decimal(change.ours),
                    correction=to_decimal(change.quantity),
                )
                for change in one.changes
            ],
            evidence=list(one.evidence),
            note=one.note or UNSET,
        )


def _csv(items: list[CheckFinding], *, header: bool) -> bytes:
    """One line for each change."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    if header:
        rows.writerow(COLUMNS)
    for one in items:
        note = "" if one.note is UNSET else one.note
        for change in one.changes:
            where = ",".join(f"{name}={value}" for name, value in change.dimensions.items())
            rows.writerow(
                [
                    one.finding_id,
                    one.difference,
                    one.state,
                    "yes" if one.moving else "no",
                    *(_cell(text) for text in (one.organization_id, one.product_id, where)),
                    change.measure,
                    change.theirs,
                    change.ours,
                    change.correction,
                    _cell(" ".join(one.evidence)),
                    _cell(note),
                ]
            )
    return text.getvalue().encode()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
