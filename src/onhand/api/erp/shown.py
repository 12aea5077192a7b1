"""Lines, sources and failures as answers show them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, UnsetType

from onhand.api.compat.envelopes import moment, node
from onhand.api.erp import wire
from onhand.core.dimensions import display
from onhand.core.erp import lines, sources
from onhand.core.erp.lines import Event, Line, Offset
from onhand.core.erp.sources import Source
from onhand.core.quantities import to_decimal
from onhand.rows import DocumentRow


def line(row: DocumentRow) -> wire.ErpLineAnswer:
    """An order line."""
    one = lines.decode(row.body)
    answer = wire.ErpLineAnswer(
        line_id=one.line_id,
        version=row.version,
        order_id=one.order_id,
        kind=one.kind,
        state=one.state,
        organization_id=one.organization,
        product_id=one.product,
        dimensions=_spelled(one.dimensions),
        quantity=to_decimal(one.quantity),
        reservation_id=one.reservation.reservation_id,
        hold_ids=list(one.reservation.hold_ids),
        inventory_service_auto_offset=one.reservation.auto,
        is_soft_reserved_externally=one.reservation.external,
        transactions=[
            wire.ErpTransaction(
                id=part.id,
                status=part.status,
                quantity=to_decimal(part.quantity),
                dimensions=_spelled(part.dimensions),
                offset_requested=part.claimed,
            )
            for part in one.transactions
        ],
        offsets=[offset(each) for each in one.offsets],
        pending=[_event(each) for each in one.pending],
        history=[_event(each) for each in one.history],
        soft_reservation=buckets(one),
    )
    if one.refused:
        answer.refused = one.refused
    if row.due_at is not None:
        answer.due_at = moment(row.due_at)
    if one.source:
        answer.source, answer.sequence = one.source, one.sequence
    return answer


def offset(one: Offset) -> wire.ErpOffsetState:
    """An offset and what became of it."""
    return wire.ErpOffsetState(
        number=one.number,
        state=one.state,
        transaction_id=one.transaction,
        quantity=to_decimal(one.quantity),
        consumed=to_decimal(one.consumed),
        missing=to_decimal(one.missing),
        release=one.release,
        dimensions=_spelled(one.dimensions),
        attempts=one.attempts,
        code=one.code or UNSET,
        message=one.message or UNSET,
        line_node=node(one.line_node) if one.line_node else UNSET,
        reserved_node=node(one.reserved_node) if one.reserved_node else UNSET,
        refused_holds=[
            wire.ErpRefusedHold(
                hold_id=each.hold_id,
                code=each.code,
                message=each.message,
                reserved_node=node(each.reserved_node) if each.reserved_node else UNSET,
            )
            for each in one.refused
        ],
        at=moment(one.at),
    )


def buckets(one: Line) -> wire.ErpBuckets:
    """The quantities of section 4.3."""
    soft = one.soft
    used = (
        soft.reserved + soft.requested + soft.failed_shortage + soft.failed_other + soft.offset + soft.skipped
    )
    return wire.ErpBuckets(
        unreserved=to_decimal(max(0, one.quantity - used)),
        reserved=to_decimal(soft.reserved),
        batch_reserve_in_progress=to_decimal(soft.requested),
        direct_reserve_in_progress=0,
        failed_not_enough=to_decimal(soft.failed_shortage),
        failed_other=to_decimal(soft.failed_other),
        offset=to_decimal(soft.offset),
        pending_to_offset=to_decimal(soft.skipped),
        message=soft.message,
        hold_ids=[hold.hold_id for hold in soft.holds],
    )


def failures(row: DocumentRow) -> Iterator[wire.ErpFailure]:
    """What of a line is on the failed list."""
    one = lines.decode(row.body)
    if one.refused:
        yield _failure(one, refused=one.refused)
    for each in one.offsets:
        if each.state in lines.FAILED:
            yield _failure(one, offset=offset(each))


def _failure(
    one: Line, *, refused: str | UnsetType = UNSET, offset: wire.ErpOffsetState | UnsetType = UNSET
) -> wire.ErpFailure:
    return wire.ErpFailure(
        line_id=one.line_id,
        order_id=one.order_id,
        organization_id=one.organization,
        product_id=one.product,
        refused=refused,
        offset=offset,
    )


def source(row: DocumentRow) -> wire.ErpSourceAnswer:
    """A source of messages."""
    return source_of(sources.decode(row.body))


def source_of(one: Source) -> wire.ErpSourceAnswer:
    """A source of messages."""
    return wire.ErpSourceAnswer(
        source=one.name,
        next=one.next,
        missing=list(one.missing) if one.missing else UNSET,
        last_at=moment(one.last_at) if one.last_at is not None else UNSET,
        refused=[
            wire.ErpRefused(
                sequence=each.sequence,
                line_id=each.line_id,
                code=each.code,
                message=each.message,
                at=moment(each.at),
            )
            for each in one.refused
        ],
        refused_forgotten=one.forgotten,
    )


def _event(one: Event) -> wire.ErpLineEvent:
    return wire.ErpLineEvent(
        number=one.number,
        id=one.id,
        at=moment(one.at),
        what=one.what,
        changes=[
            wire.ErpChange(
                dimensions=_spelled(change.dimensions),
                quantities={name: to_decimal(quantity) for name, quantity in change.figures.items()},
            )
            for change in one.changes
        ],
        offsets=one.offsets,
        source=one.source or UNSET,
        sequence=UNSET if one.sequence is None else one.sequence,
        posted_at=UNSET if one.posted_at is None else moment(one.posted_at),
        contained_in=one.contained_in or UNSET,
    )


def _spelled(dimensions: dict[str, str]) -> dict[str, str]:
    return {display(name): value for name, value in dimensions.items()}
