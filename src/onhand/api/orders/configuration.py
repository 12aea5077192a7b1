"""Configuration of the order workflow (order specification 8.3).

Each part has a version: the `ETag` of its answers. A write may name the version that it was made from, in `If-Match`
or as `versionId` in its body, and is refused with 412 when another one came between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.orders import answers
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.orders import entities, presets
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
    same,
)
from onhand.core.orders.entities import Entity, Json
from onhand.core.orders.lint import Finding
from onhand.core.orders.refusals import Code, Refused
from onhand.service.workflow import editing
from onhand.service.workflow.configurations import (
    INVENTORY_SETTINGS,
    ORDER_SETTINGS,
    ORDER_TYPE,
    SCHEDULED_TASK,
    SETTINGS_ID,
    WAREHOUSE,
    WORKFLOW_GROUP,
    Stored,
)
from onhand.steps import catalogue

_OURS: Final = frozenset({"versionid", "lintwarnings"})
"""Properties that answers add; a body that was read from one may have them."""

E = TypeVar("E", bound=Entity)


class LintWarning(msgspec.Struct):
    """Something suspicious that does not forbid saving."""

    rule: str
    path: str
    message: str


class Linted(msgspec.Struct, rename="camel"):
    """What saving an order type would say."""

    valid: bool
    errors: list[LintWarning]
    lint_warnings: list[LintWarning]


class Listed(msgspec.Struct, rename="camel"):
    """All parts of a kind."""

    result: list[Any]
    total_hits: int
    version_id: str | UnsetType = UNSET
    """Version of the whole configuration, which is also the `ETag`."""


class SavedList(Listed):
    """All parts of a kind after they were saved."""

    lint_warnings: list[LintWarning] = []


# Order types -------------------------------------------------------------------------------------------------


async def order_types(call: Call, services: Services) -> Reply:
    """GET `/order-types`."""
    return await _list(call, services, ORDER_TYPE)


async def order_type(call: Call, services: Services) -> Reply:
    """GET `/order-types/{name}`."""
    return await _read(call, services, ORDER_TYPE, call.parameters["name"])


async def put_order_type(call: Call, services: Services) -> Reply:
    """PUT `/order-types/{name}`."""
    return await _put(call, services, ORDER_TYPE, OrderType, "name")


async def delete_order_type(call: Call, services: Services) -> Reply:
    """DELETE `/order-types/{name}`; refused while there are orders of the type."""
    desk, name = services.orders, call.parameters["name"]
    why = await editing.remove_order_type(
        desk.configurations, desk.searching, call.of, name, _expected(call, {})
    )
    return Reply(204) if why is None else answers.refused(why)


async def validate_order_type(call: Call, services: Services) -> Reply:
    """POST `/order-types/validate`: changes nothing."""
    value, _ = _body(call)
    found = entities.read(OrderType, value, editing.WHAT[ORDER_TYPE])
    if isinstance(found, Refused):
        errors = [LintWarning("Unreadable", one.path, one.message) for one in found.problems]
        return json_reply(Linted(valid=False, errors=errors, lint_warnings=[]))
    snapshot = await services.orders.configurations.current(call.of.environment)
    findings = editing.findings(found, snapshot.workflows, call.of)
    errors = _shown(one for one in findings if one.severity == "error")
    warnings = _shown(one for one in findings if one.severity == "warning")
    return json_reply(Linted(valid=not errors, errors=errors, lint_warnings=warnings))


async def order_type_presets(_call: Call, _services: Services) -> Reply:
    """GET `/order-types/presets`: ready-made workflows."""
    rows = [presets.show(one) for one in presets.PRESETS]
    return json_reply(Listed(result=rows, total_hits=len(rows)))


# Steps -------------------------------------------------------------------------------------------------------


async def workflow_steps(_call: Call, _services: Services) -> Reply:
    """GET `/workflow-steps`: the catalogue."""
    rows = catalogue.entries()
    return json_reply(Listed(result=list(rows), total_hits=len(rows)))


async def workflow_step(call: Call, _services: Services) -> Reply:
    """GET `/workflow-steps/{key}`."""
    key = call.parameters["key"]
    found = catalogue.entry_of(key)
    if found is None:
        return answers.refused(Refused(Code.NOT_FOUND, f"There is no step {key!r}."))
    return json_reply(found)


# Groups, warehouses, tasks -----------------------------------------------------------------------------------


async def groups(call: Call, services: Services) -> Reply:
    """GET `/workflow-groups`."""
    return await _list(call, services, WORKFLOW_GROUP)


async def put_groups(call: Call, services: Services) -> Reply:
    """PUT `/workflow-groups`: these are all groups from now on."""
    return await _put_all(call, services, WORKFLOW_GROUP, WorkflowGroup)


async def group(call: Call, services: Services) -> Reply:
    """GET `/workflow-groups/{groupId}`."""
    return await _read(call, services, WORKFLOW_GROUP, call.parameters["groupId"])


async def put_group(call: Call, services: Services) -> Reply:
    """PUT `/workflow-groups/{groupId}`."""
    return await _put(call, services, WORKFLOW_GROUP, WorkflowGroup, "id", "groupId")


async def warehouses(call: Call, services: Services) -> Reply:
    """GET `/warehouses`."""
    return await _list(call, services, WAREHOUSE)


async def warehouse(call: Call, services: Services) -> Reply:
    """GET `/warehouses/{code}`."""
    return await _read(call, services, WAREHOUSE, call.parameters["code"])


async def put_warehouse(call: Call, services: Services) -> Reply:
    """PUT `/warehouses/{code}`."""
    return await _put(call, services, WAREHOUSE, Warehouse, "code")


async def tasks(call: Call, services: Services) -> Reply:
    """GET `/scheduled-tasks`."""
    return await _list(call, services, SCHEDULED_TASK)


async def put_tasks(call: Call, services: Services) -> Reply:
    """PUT `/scheduled-tasks`: these are all tasks from now on."""
    return await _put_all(call, services, SCHEDULED_TASK, ScheduledTask)


# Settings ----------------------------------------------------------------------------------------------------


async def order_settings(call: Call, services: Services) -> Reply:
    """GET `/order-settings`; the defaults, with version 0, until somebody saves them."""
    return await _read(call, services, ORDER_SETTINGS, SETTINGS_ID, OrderSettings())


async def put_order_settings(call: Call, services: Services) -> Reply:
    """PUT `/order-settings`."""
    return await _put(call, services, ORDER_SETTINGS, OrderSettings)


async def inventory_settings(call: Call, services: Services) -> Reply:
    """GET `/inventory-settings`; the defaults, with version 0, until somebody saves them."""
    return await _read(call, services, INVENTORY_SETTINGS, SETTINGS_ID, InventorySettings())


async def put_inventory_settings(call: Call, services: Services) -> Reply:
    """PUT `/inventory-settings`."""
    return await _put(call, services, INVENTORY_SETTINGS, InventorySettings)


# What they share ---------------------------------------------------------------------------------------------


async def _list(call: Call, services: Services, kind: str) -> Reply:
    snapshot = await services.orders.configurations.current(call.of.environment)
    rows = [_row(one) for one in snapshot.of_kind(kind)]
    listed = Listed(result=rows, total_hits=len(rows), version_id=str(snapshot.version))
    return json_reply(listed, headers=_etag(snapshot.version))


async def _read(call: Call, services: Services, kind: str, name: str, default: Entity | None = None) -> Reply:
    snapshot = await services.orders.configurations.current(call.of.environment)
    stored = snapshot.part(kind, name) or (None if default is None else Stored(default, 0))
    if stored is None:
        return answers.refused(Refused(Code.NOT_FOUND, f"{editing.WHAT[kind]} {name!r} does not exist."))
    return json_reply(_row(stored), headers=_etag(stored.version))


async def _put(  # noqa: PLR0913 - where its name is
    call: Call, services: Services, kind: str, shape: type[E], field: str = "", parameter: str = ""
) -> Reply:
    value, ours = _body(call)
    name = call.parameters[parameter or field] if field else SETTINGS_ID
    if field and isinstance(value, Mapping):
        value = _named(value, field, name)
    found = entities.read(shape, value, editing.WHAT[kind])
    if isinstance(found, Refused):
        return answers.refused(found)
    if field and not same(getattr(found, field), name):
        message = f"The path names {name!r}, the body {getattr(found, field)!r}. Send the same name, or none in the body."
        return answers.refused(Refused(Code.VALIDATION_FAILED, message))
    saved = await editing.save(
        services.orders.configurations, call.of, kind, name, found, _expected(call, ours)
    )
    if isinstance(saved, Refused):
        return answers.refused(saved)
    row = {**_row(saved.stored), "lintWarnings": _shown(saved.warnings)}
    return json_reply(row, headers=_etag(saved.stored.version))


async def _put_all(
    call: Call, services: Services, kind: str, shape: type[WorkflowGroup | ScheduledTask]
) -> Reply:
    value, ours = _body(call)
    if not isinstance(value, list):
        return answers.refused(Refused(Code.VALIDATION_FAILED, "The body must be a JSON array."))
    if len(value) > services.limits.items_max:
        message = f"The list has {len(value)} items; at most {services.limits.items_max} are allowed."
        return answers.refused(Refused(Code.VALIDATION_FAILED, message))
    values: list[tuple[str, Entity]] = []
    for number, one in enumerate(value):
        cleaned, _ = _cleaned(one)
        found = entities.read(shape, cleaned, f"Item {number}")
        if isinstance(found, Refused):
            return answers.refused(found)
        if isinstance(found, ScheduledTask) and not found.id:
            found = msgspec.structs.replace(found, id=found.implementation_type)
        values.append((found.id or "", found))
    saved = await editing.replace_all(
        services.orders.configurations, call.of, kind, values, _expected(call, ours)
    )
    if isinstance(saved, Refused):
        return answers.refused(saved)
    rows = [_row(one) for one in saved.snapshot.of_kind(kind)]
    answer = SavedList(
        result=rows,
        total_hits=len(rows),
        version_id=str(saved.snapshot.version),
        lint_warnings=_shown(saved.warnings),
    )
    return json_reply(answer, headers=_etag(saved.snapshot.version))


def _row(stored: Stored) -> dict[str, Any]:
    return {**entities.show(stored.value), "versionId": str(stored.version)}


def _etag(version: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"etag", b'"%d"' % version),)


def _shown(findings: Iterable[Finding]) -> list[LintWarning]:
    return [LintWarning(one.rule, one.path, one.message) for one in findings]


def _body(call: Call) -> tuple[Json, dict[str, Json]]:
    """The JSON without what answers add, and that, by name in lower case."""
    return _cleaned(answers.body(call))


def _cleaned(value: Json) -> tuple[Json, dict[str, Json]]:
    if not isinstance(value, Mapping):
        return value, {}
    ours = {key.strip().lower(): one for key, one in value.items() if key.strip().lower() in _OURS}
    return {key: one for key, one in value.items() if key.strip().lower() not in _OURS}, ours


def _named(value: Mapping[str, Json], field: str, name: str) -> Mapping[str, Json]:
    """The body with the name of the path where it has none itself."""
    if any(key.strip().lower() == field for key in value):
        return value
    return {field: name, **value}


def _expected(call: Call, ours: Mapping[str, Json]) -> int | None:
    """The version that a change was made from; None for any.

    Raises:
        EdgeProblem: it is no version of this service.
    """
    given = call.header(b"if-match")
    if given is None:
        version = ours.get("versionid")
        given = "*" if version is None or version == "" else str(version)
    if given == "*":
        return None
    text = given.removeprefix("W/").strip('"')
    if not (text.isdecimal() and len(text) < 19):
        raise EdgeProblem(412, Code.VERSION_CONFLICT, f"{given!r} is no version of this configuration.")
    return int(text)
