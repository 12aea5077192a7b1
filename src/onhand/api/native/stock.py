"""Native reads of stock and its history, and on-hand changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from onhand.api.compat import translate
from onhand.api.compat.envelopes import moment, node
from onhand.api.compat.translate import Asker
from onhand.api.compat.wire import OnHandBody, SetOnHandBody
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import Query, decode, idempotency_key, paged
from onhand.api.native.reservations import link, measure_text, settled, spelled
from onhand.api.native.wire import (
    Availability,
    Movement,
    MovementPage,
    OnHandDone,
    OnHandRequest,
    PartitionAnswer,
    PartitionList,
    Refusal,
    RefusalPage,
    Wiped,
    WipeRequest,
)
from onhand.api.problems import of_rejection
from onhand.api.services import Services
from onhand.core.commands import AnyCommand
from onhand.core.outcomes import Rejected
from onhand.core.quantities import to_decimal
from onhand.core.rules import Rules

REFUSALS_SINCE: Final = timedelta(days=1)
"""How far back refusals are listed when `since` is absent."""

_on_hand = msgspec.json.Decoder(OnHandRequest)
_wipe = msgspec.json.Decoder(WipeRequest)


async def availability(call: Call, services: Services) -> Reply:
    """GET `/availability`."""
    query = Query(call)
    found = await services.queries.availability(
        call.environment,
        query.required("organizationId"),
        query.required("productId"),
        query.others("organizationId", "productId", "dimensionDataSource"),
        query.text("dimensionDataSource") or "",
    )
    if isinstance(found, Rejected):
        return of_rejection(found)
    return json_reply(
        Availability(
            organization_id=found.organization,
            product_id=found.product,
            dimensions=found.dimensions,
            available={name: to_decimal(quantity) for name, quantity in found.available.items()},
            quantities={
                source: {name: to_decimal(quantity) for name, quantity in measures.items()}
                for source, measures in found.quantities.items()
            },
        )
    )


async def movements(call: Call, services: Services) -> Reply:
    """GET `/movements`."""
    query = Query(call)
    after, limit = query.page(services)
    source, _, name = (query.text("measure") or "").partition(".")
    page = await paged(
        services.queries.movements(
            call.environment,
            query.required("organizationId"),
            query.required("productId"),
            dimensions=query.others("organizationId", "productId", "measure", "after", "limit") or None,
            measure=(source, name) if name else None,
            after=after,
            limit=limit,
        )
    )
    if isinstance(page, Rejected):
        return of_rejection(page)
    items = []
    for row in page.rows:
        item = Movement(
            organization_id=row.organization,
            product_id=row.product,
            sequence=row.sequence,
            at=row.at,
            dimensions=spelled(row.dimensions),
            measure=measure_text(call.of, row.measure),
            delta=to_decimal(row.delta),
            level=to_decimal(row.level),
            kind=row.kind.name.lower(),
            command_id=row.command_id,
            caller=row.caller,
            reason=row.reason or "",
        )
        if row.hold is not None:
            item.hold_id = row.hold
        items.append(item)
    return json_reply(MovementPage(items=items, next=page.next), headers=link(call, page.next))


async def refusals(call: Call, services: Services) -> Reply:
    """GET `/refusals`."""
    query = Query(call)
    after, limit = query.page(services)
    since = query.moment("since") or moment(services.clock.now_us()) - REFUSALS_SINCE
    page = await paged(services.queries.refusals(call.environment, since, after=after, limit=limit))
    items = [
        Refusal(
            organization_id=row.organization,
            product_id=row.product,
            at=row.at,
            kind=row.kind.name.lower(),
            command_id=row.command_id,
            caller=row.caller,
            channel=row.channel,
            dimensions=spelled(row.dimensions),
            measure=measure_text(call.of, row.measure),
            requested=to_decimal(row.requested),
            available=to_decimal(row.available),
            reason=row.reason,
            nodes=[node(text) for text in row.nodes],
        )
        for row in page.rows
    ]
    return json_reply(RefusalPage(items=items, next=page.next), headers=link(call, page.next))


async def partitions(call: Call, services: Services) -> Reply:
    """GET `/partitions`."""
    found = await services.queries.partitions(call.environment)
    items = [
        PartitionAnswer(
            partition_id=one.partition_id,
            organization_id=one.organization,
            product_id=one.product,
            dimensions=spelled(one.dimensions),
        )
        for one in found
    ]
    return json_reply(PartitionList(items=items))


async def wipe(call: Call, services: Services) -> Reply:
    """POST `/partitions/wipe`."""
    request = decode(_wipe, call.body)
    wiped = await services.jobs.wipe(call.environment, request.partition_ids, call.principal.client_id)
    return of_rejection(wiped) if isinstance(wiped, Rejected) else json_reply(Wiped(products=wiped))


async def change(call: Call, services: Services) -> Reply:
    """POST `/on-hand`: add to physical measures."""
    request = decode(_on_hand, call.body)
    body = OnHandBody(
        organization_id=request.organization_id,
        product_id=request.product_id,
        dimension_data_source=request.dimension_data_source,
        dimensions=request.dimensions,
        quantities=request.quantities,
    )
    asker = Asker(call.principal.client_id, idempotency_key(call))

    def build(rules: Rules) -> AnyCommand | Rejected:
        return translate.on_hand(rules, body, asker)

    accepted, headers = settled(await services.batcher.submit(call.of, build))
    if isinstance(accepted, Rejected):
        return of_rejection(accepted)
    return json_reply(OnHandDone(id=asker.id), headers=headers)


async def count(call: Call, services: Services) -> Reply:
    """PUT `/on-hand`: set physical measures of one data source."""
    request = decode(_on_hand, call.body)
    body = SetOnHandBody(
        organization_id=request.organization_id,
        product_id=request.product_id,
        dimension_data_source=request.dimension_data_source,
        dimensions=request.dimensions,
        quantities=request.quantities,
        modified=request.modified_at,
    )
    asker = Asker(call.principal.client_id, idempotency_key(call))
    source = next(iter(request.quantities), "")

    def build(rules: Rules) -> AnyCommand | Rejected:
        return translate.set_on_hand(rules, body, asker, source)

    accepted, headers = settled(await services.batcher.submit(call.of, build))
    if isinstance(accepted, Rejected):
        return of_rejection(accepted)
    return json_reply(OnHandDone(id=asker.id, stale=accepted.stale), headers=headers)
