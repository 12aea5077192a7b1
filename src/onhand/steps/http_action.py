"""A step that is an HTTP endpoint of yours (order specification 2.5, D7).

It gets the order and the configuration of the step, and answers with results and a patch of the order. The engine
makes the call between `request` and `plan`; it may come more than once and has the same idempotency key then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from onhand.core.orders import entities
from onhand.core.orders.configuration import same
from onhand.core.orders.editing import bounded
from onhand.core.orders.entities import Json
from onhand.core.orders.following import moves_of_change
from onhand.core.orders.lines import all_lines, patched_order, show_order, with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, Adopt, LineRef
from onhand.core.orders.outside import NOT_ANSWERED, Answer, NoAnswer, Request
from onhand.core.orders.properties import PropertyError, format_span
from onhand.core.orders.record import OrderRecord, StepResult
from onhand.core.orders.refusals import Code, Refused
from onhand.steps import scope
from onhand.steps.contract import (
    Case,
    Done,
    Facts,
    Plan,
    Property,
    Result,
    Status,
    StepSpec,
    Unit,
    error,
    success,
)

KEY: Final = "HttpAction"
PATIENCE: Final = timedelta(seconds=10)
PATIENCE_MAX: Final = timedelta(seconds=30)
"""Below the time for which a run stays with its process."""
RESULTS_MAX: Final = 100
TEXT_MAX: Final = 2_000
"""Characters of a text of a result."""

_IGNORED: Final = ("id", "versionid", "modified")
_FIXED: Final = ("status", "ordertype")
"""Properties that only the workflow changes."""


# The request -------------------------------------------------------------------------------------------------


def request(facts: Facts) -> Request | Result:
    """What is sent."""
    url = (facts.step.connector or "").strip()
    if not url:
        return error("connector is missing: set it to the URL of the endpoint.", scope.INVALID_SETTING)
    try:
        patience = scope.settings(facts).span("timeout") or PATIENCE
    except PropertyError as fault:
        return error(str(fault), scope.INVALID_SETTING)
    if not timedelta() < patience <= PATIENCE_MAX:
        return error(
            f"timeout must be above zero and at most {format_span(PATIENCE_MAX)}.", scope.INVALID_SETTING
        )
    body: dict[str, Any] = {"value": show_order(facts.order), "workflowStep": entities.show(facts.step)}
    if facts.shipment_id is not None:
        body["shipmentId"] = facts.shipment_id
    return Request(url=url, body=entities.to_json(body), patience=patience)


# The answer --------------------------------------------------------------------------------------------------


class _Said(msgspec.Struct, frozen=True):
    """An answer that was understood."""

    aborted: bool
    results: tuple[StepResult, ...]
    patch: Mapping[str, Json]
    status: str = ""
    """That the order shall enter afterwards."""
    without_workflow: bool = False


def plan(facts: Facts) -> Result | Plan:
    """Take over what the endpoint answered."""
    if facts.answer is None:
        return success("In a dry run the endpoint is not called.")
    host = urlsplit((facts.step.connector or "").strip()).hostname or "the endpoint"
    said = _said(facts.answer, host)
    if isinstance(said, Result):
        return said
    result = _result(said, f"{host} answered; results: {len(said.results)}")
    if not said.patch:
        return result
    unit = _patched(facts, said.patch)
    if isinstance(unit, Refused):
        return error(f"The patch of {host} cannot be applied: {unit.message}", NOT_ANSWERED)
    return Plan(units=(unit,), conclude=partial(_concluded, result))


def _concluded(result: Result, done: Sequence[Done]) -> Result:
    return scope.refusal(done) or result


def _said(answer: Answer | NoAnswer, host: str) -> _Said | Result:
    if isinstance(answer, NoAnswer):
        return error(answer.reason, answer.key)
    if not 200 <= answer.status < 300:
        return error(f"{host} answered with status {answer.status}.", NOT_ANSWERED)
    value = entities.parse(answer.body) if answer.body.strip() else {}
    try:
        return _understood(value)
    except _NotUnderstoodError as fault:
        return error(f"The answer of {host} cannot be used: {fault}", NOT_ANSWERED)


class _NotUnderstoodError(ValueError):
    """An answer that cannot be used."""


def _understood(value: Json) -> _Said:
    if isinstance(value, Refused):
        raise _NotUnderstoodError(value.message)
    if not isinstance(value, Mapping):
        raise _NotUnderstoodError("it is no JSON object.")
    names = _by_name(value)
    aborted, patch = names.get("isaborted") or False, names.get("orderpatch") or {}
    if not isinstance(aborted, bool):
        raise _NotUnderstoodError("isAborted must be true or false.")
    if not isinstance(patch, Mapping):
        raise _NotUnderstoodError("orderPatch must be a JSON object.")
    kept = {name: content for name, content in patch.items() if name.strip().lower() not in _IGNORED}
    listed = names.get("orderactionexecutionresults") or []
    if not isinstance(listed, list) or len(listed) > RESULTS_MAX:
        raise _NotUnderstoodError(
            f"orderActionExecutionResults must be an array of at most {RESULTS_MAX} results."
        )
    found = [_by_name(one) if isinstance(one, Mapping) else {} for one in listed]
    results = tuple(_step_result(one) for one in found)
    last = next((at for at in reversed(range(len(results))) if results[at].trigger_new_status), None)
    if last is None:
        return _Said(aborted, results, kept)
    without = found[last].get("triggernewstatuswithoutworkflow") is True
    return _Said(aborted, results, kept, results[last].trigger_new_status, without)


def _by_name(value: Mapping[str, Json]) -> dict[str, Json]:
    return {name.strip().lower(): content for name, content in value.items()}


def _step_result(found: Mapping[str, Json]) -> StepResult:
    status = next((one for one in Status if same(one.value, _text(found, "actionstatus"))), None)
    if status is None:
        raise _NotUnderstoodError("each result needs an actionStatus: Success, Warning or Error.")
    return StepResult(
        action_type=_text(found, "actiontype") or KEY,
        action_status=status.value,
        message=_text(found, "message"),
        message_heading=_text(found, "messageheading"),
        error_reason=_text(found, "errorreason"),
        translate_key=_text(found, "translatekey"),
        trigger_new_status=_text(found, "triggernewstatus"),
        is_invisible=found.get("isinvisible") is True,
    )


def _text(found: Mapping[str, Json], name: str) -> str:
    value = found.get(name)
    return value[:TEXT_MAX] if isinstance(value, str) else ""


def _result(said: _Said, message: str) -> Result:
    failed = [one for one in said.results if one.action_status == Status.ERROR]
    if said.aborted or failed:
        reason = next((one.error_reason or one.message for one in failed), "") or "the endpoint failed"
        if said.aborted:
            reason = (
                f"The endpoint halted the workflow: {reason}"
                if failed
                else "The endpoint halted the workflow."
            )
        made = error(reason, KEY)
    elif any(one.action_status == Status.WARNING for one in said.results):
        made = Result(status=Status.WARNING, message=message)
    else:
        made = success(message)
    return msgspec.structs.replace(
        made,
        taken_over=said.results,
        halts=said.aborted,
        trigger_new_status=said.status,
        trigger_new_status_without_workflow=said.without_workflow,
    )


# The patch ---------------------------------------------------------------------------------------------------


def _patched(facts: Facts, patch: Mapping[str, Json]) -> Unit | Refused:
    """The change of the order, and the moves by which its reservations follow."""
    before = facts.order
    found = patched_order(before, patch)
    if isinstance(found, Refused):
        return found
    fixed = [name for name in patch if name.strip().lower() in _FIXED]
    if fixed and not (same(found.status, before.status) and same(found.order_type, before.order_type)):
        return Refused(
            Code.VALIDATION_FAILED,
            f"{', '.join(fixed)} cannot be patched; let a result name triggerNewStatus instead.",
        )
    after = bounded(_with_own_ledger(before, found))
    if isinstance(after, Refused):
        return after
    record = OrderRecord(order=before, rows=tuple(facts.rows.values()))
    moves = moves_of_change(record, after)
    if isinstance(moves, Refused):
        return moves
    kept = tuple(one for one in moves if not isinstance(one, Adopt))
    return Unit(key="order", moves=kept, edit=lambda _order: after, settles=True)


def _with_own_ledger(before: Order, after: Order) -> Order:
    """The patched order, in which lines say about reservations what they said before; new ones say nothing."""
    known = {LineRef(shipment.shipment_id, line.line_item_id): line for shipment, line in all_lines(before)}

    def change(shipment: Shipment, line: OrderLine) -> OrderLine:
        old = known.get(LineRef(shipment.shipment_id, line.line_item_id))
        return msgspec.structs.replace(
            line,
            reserved_inventory=old is not None and old.reserved_inventory,
            reserved_inventory_quantity=ZERO if old is None else old.reserved_inventory_quantity,
            forced_reservation=old is not None and old.forced_reservation,
            hold_id=None if old is None else old.hold_id,
            soft_reservation_id=None if old is None else old.soft_reservation_id,
        )

    return with_lines(after, change)


HTTP_ACTION: Final = StepSpec(
    key=KEY,
    title="HTTP action",
    group="Integration",
    tier=2,
    properties=(
        Property(
            name="timeout",
            type="TimeSpan",
            default=format_span(PATIENCE),
            meaning=f"How long the whole call may take; at most {format_span(PATIENCE_MAX)}.",
        ),
    ),
    behaviour=(
        "Posts `{value, workflowStep}` as JSON to the URL in `connector`: the order, and the configuration of the step; in a run of "
        "one shipment also its `shipmentId`. The answer is `{isAborted, orderActionExecutionResults[], orderPatch}`, each of them "
        "optional: its results are taken over into the run, the patch is applied to the order like a `PATCH`, and `isAborted` halts "
        "the run. An `Error` among the results makes the step an error; the `triggerNewStatus` of the last result that has one is "
        "entered after the run.\n\n"
        "The URL must begin with one of the prefixes in the service's setting `http_action_allow`, which is empty by default. "
        "Redirects are not followed, and an answer has 1 MiB at most.\n\n"
        "The call is made at least once: after a crash it is made again. The header `Idempotency-Key` (run and step) is the same "
        "then; answer the same.\n\n"
        "A patch never changes what a line has reserved. Where it moves a line to another warehouse or shipment, the reservation "
        "follows; `status` and `orderType` are left to the workflow. In a dry run nothing is called."
    ),
    prerequisites=("`connector`: an allowed URL",),
    side_effects=("Whatever the endpoint does", "The patch"),
    error_table=(
        Case(
            condition="answered, without an error among the results",
            result="Success or Warning",
            continues="yes",
        ),
        Case(condition="an error among the results", result="Error", continues="per stopOnError"),
        Case(condition="`isAborted`", result="Error", continues="no"),
        Case(
            condition="`connector` is missing or not allowed",
            result="Error, nothing sent",
            continues="per stopOnError",
        ),
        Case(
            condition="no answer in time, too large, a status that is not 2xx, or not understood",
            result="Error",
            continues="per stopOnError",
        ),
        Case(
            condition="the patch cannot be applied",
            result="Error, order unchanged",
            continues="per stopOnError",
        ),
    ),
    related=("ChangeStatus",),
    calls=request,
    plan=plan,
)

STEPS: Final = (HTTP_ACTION,)
