"""Inventory items over HTTP (order specification 8.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.administration import accepted
from onhand.api.native.reading import idempotency_key, paged
from onhand.api.orders import answers, reading
from onhand.api.problems import EdgeProblem, of_rejection
from onhand.api.services import Services
from onhand.core.orders.configuration import Texts
from onhand.core.orders.entities import Entity, Moment, read
from onhand.core.orders.item_changes import Done
from onhand.core.orders.item_forms import ITEMS_MAX, ItemForm, read_deltas, read_items, wrong_with
from onhand.core.orders.item_updates import Mode
from onhand.core.orders.moves import ItemRef
from onhand.core.orders.queries import read_strictly
from onhand.core.orders.refusals import Code, Refused, invalid
from onhand.core.outcomes import Rejected
from onhand.service.workflow.item_reading import Found, ItemSearch
from onhand.service.workflow.items import Asker


class ItemQuery(Entity, frozen=True, kw_only=True):
    """Which items are wanted; at least one filter."""

    last_modified: Moment | None = None
    """Changed at this time or later."""
    market_id: str | None = None
    product_codes: Texts = ()
    warehouse_codes: Texts = ()
    is_in_stock: bool | None = None
    is_web_warehouse: bool | None = None
    is_batches_excluded: bool = False
    limit: int | None = None
    cursor: str | None = None


class ItemsToDelete(Entity, frozen=True, kw_only=True):
    """Items that shall go: each SKU at each warehouse."""

    skus: Texts
    warehouse_codes: Texts


class ItemResult(msgspec.Struct, rename="camel", kw_only=True):
    """What became of one item."""

    sku: str
    warehouse_code: str
    status: str
    """Added, Updated, Unchanged, Deleted or Refused."""
    transaction_id: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    """Why it was refused."""
    message: str | UnsetType = UNSET


class ItemResults(msgspec.Struct, rename="camel", kw_only=True):
    """What became of each item, in the order of the request."""

    result: list[ItemResult]
    total_hits: int


REFUSED: Final = "Refused"


async def of_sku(call: Call, services: Services) -> Reply:
    """GET `/inventory-items/{sku}?warehouseCodes=`."""
    codes = reading.texts(call, "warehouseCodes") or reading.texts(call, "warehouseIds")
    sku = call.parameters["sku"]
    return _found(await services.items.reading.of_sku(call.environment, sku, codes, promised=True))


async def search(call: Call, services: Services) -> Reply:
    """POST `/inventory-items/search`."""
    value = answers.body(call)
    query = read_strictly(ItemQuery, value)
    if isinstance(query, Refused):
        return answers.refused(query)
    wanted = ItemSearch(
        warehouse_codes=query.warehouse_codes,
        product_codes=query.product_codes,
        market_id=query.market_id or "",
        is_web_warehouse=query.is_web_warehouse,
        is_in_stock=query.is_in_stock,
        last_modified=query.last_modified,
        without_batches=query.is_batches_excluded,
    )
    if wanted == ItemSearch(without_batches=query.is_batches_excluded):
        return answers.refused(
            Refused(
                Code.VALIDATION_FAILED,
                "Name at least one of productCodes, warehouseCodes, marketId, lastModified, isInStock, isWebWarehouse.",
            )
        )
    which = answers.paging(services, query.cursor, query.limit)
    return _found(
        await paged(services.items.reading.search(call.environment, wanted, which.cursor, which.limit))
    )


async def add(call: Call, services: Services) -> Reply:
    """POST `/inventory-items`: one item that does not exist yet."""
    form = _form(answers.body(call))
    if isinstance(form, Refused):
        return answers.refused(form)
    found = await services.items.reading.of_sku(call.environment, form.sku, [form.ref.warehouse])
    if isinstance(found, Refused):
        return answers.refused(found)
    if any(_is(form, row) for row in found.rows):
        where = f"{form.sku} at {form.warehouse_code}"
        return answers.refused(
            Refused(Code.DUPLICATE_ID, f"{where} exists. Change it with PUT, or send a delta.")
        )
    return await _put_one(call, services, form, Mode.ADD, 201)


async def put(call: Call, services: Services) -> Reply:
    """PUT `/inventory-items/{sku}/{warehouseCode}`: absolute values; what is empty keeps its old value."""
    value = answers.body(call)
    if isinstance(value, dict):
        own = {"sku", "skuid", "variant", "id", "warehousecode"}
        value = {name: content for name, content in value.items() if name.strip().lower() not in own}
        value |= {"sku": call.parameters["sku"], "warehouseCode": call.parameters["warehouseCode"]}
    form = _form(value)
    if isinstance(form, Refused):
        return answers.refused(form)
    return await _put_one(call, services, form, Mode.UPDATE, 200)


async def _put_one(call: Call, services: Services, form: ItemForm, mode: Mode, status: int) -> Reply:
    overwrites = mode is Mode.ADD or reading.flag(call, "isReservedInventoryOverwritten")
    done = await services.items.set(_asker(call), [form], mode, overwrites_reserved=overwrites)
    if isinstance(done, Refused):
        return answers.refused(done)
    (one,) = done
    if isinstance(one, Rejected):
        return of_rejection(one)
    found = await services.items.reading.of_sku(call.environment, form.sku, [form.ref.warehouse])
    if isinstance(found, Refused):
        return answers.refused(found)
    rows = [row for row in found.rows if _is(form, row)]
    return json_reply(rows[0] if rows else {"sku": form.sku, "warehouseCode": form.warehouse_code}, status)


async def bulk(call: Call, services: Services) -> Reply:
    """POST `/inventory-items/bulk?mode=&isReservedInventoryOverwritten=`: up to 1,000 absolute items."""
    text = reading.text(call, "mode").lower() or Mode.UPDATE
    if text not in (Mode.ADD, Mode.UPDATE):
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "mode must be add or update.")
    mode = Mode(text)
    forms = read_items(answers.body(call))
    if isinstance(forms, Refused):
        return answers.refused(forms)
    overwrites = mode is Mode.ADD or reading.flag(call, "isReservedInventoryOverwritten")
    done = await services.items.set(_asker(call), forms, mode, overwrites_reserved=overwrites)
    if isinstance(done, Refused):
        return answers.refused(done)
    return _results([ItemRef(form.sku, form.warehouse_code) for form in forms], done)


async def deltas(call: Call, services: Services) -> Reply:
    """POST `/inventory-items/deltas`: up to 1,000 changes; with an Idempotency-Key they may be sent again."""
    changes = read_deltas(answers.body(call))
    if isinstance(changes, Refused):
        return answers.refused(changes)
    done = await services.items.shift(_asker(call), changes)
    if isinstance(done, Refused):
        return answers.refused(done)
    refs = [ItemRef(one.sku_id, one.virtual_warehouse_code or one.warehouse_code) for one in changes]
    return _results(refs, done)


async def delete(call: Call, services: Services) -> Reply:
    """DELETE `/inventory-items/{sku}?warehouseCodes=`."""
    codes = reading.texts(call, "warehouseCodes") or reading.texts(call, "warehouseIds")
    return await _delete(call, services, [call.parameters["sku"]], codes)


async def delete_many(call: Call, services: Services) -> Reply:
    """POST `/inventory-items/delete`."""
    request = read_strictly(ItemsToDelete, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    return await _delete(call, services, request.skus, request.warehouse_codes)


async def _delete(call: Call, services: Services, skus: Sequence[str], codes: Sequence[str]) -> Reply:
    if not (skus and codes):
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "Name the SKUs and their warehouseCodes.")
    if len(skus) * len(codes) > ITEMS_MAX:
        raise EdgeProblem(
            400, Code.VALIDATION_FAILED, f"At most {ITEMS_MAX:,} items may be deleted in one call."
        )
    done = await services.items.delete(_asker(call), skus, codes)
    if isinstance(done, Refused):
        return answers.refused(done)
    return _results([ref for ref, _ in done], [one for _, one in done])


async def recalculate(call: Call, services: Services) -> Reply:
    """POST `/inventory-items/recalculate-reserved`: a job over all items with reservations."""
    started = await services.items.recalculate(call.environment, call.principal.client_id)
    return (
        answers.refused(started) if isinstance(started, Refused) else await accepted(call, services, started)
    )


def _asker(call: Call) -> Asker:
    return Asker(
        environment=call.environment, caller=call.principal.client_id, name=idempotency_key(call), user=""
    )


def _form(value: Any) -> ItemForm | Refused:  # noqa: ANN401 - JSON
    form = read(ItemForm, value)
    if isinstance(form, Refused):
        return form
    problems = wrong_with(form)
    return invalid(problems, "The item") if problems else form


def _is(form: ItemForm, row: dict[str, Any]) -> bool:
    """Whether a row shows the item of a form."""
    virtual = bool(form.ref.virtual)
    same = str(row["warehouseCode"]).lower() == form.warehouse_code.lower()
    return row["isVirtual"] is virtual and same


def _results(refs: Sequence[ItemRef], done: Sequence[Done | Rejected]) -> Reply:
    rows = []
    for ref, one in zip(refs, done, strict=True):
        row = ItemResult(sku=ref.sku, warehouse_code=ref.warehouse, status=REFUSED)
        if isinstance(one, Rejected):
            row.code, row.message = one.reason, one.message
        else:
            row.status = one.status
            row.transaction_id = one.transaction_id or UNSET
        rows.append(row)
    return json_reply(ItemResults(result=rows, total_hits=len(rows)))


def _found(found: Found | Refused) -> Reply:
    if isinstance(found, Refused):
        return answers.refused(found)
    return answers.page(found.rows, found.total, found.next)
