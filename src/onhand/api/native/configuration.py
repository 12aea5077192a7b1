"""Native configuration: read, validate, compare, apply, history. Versions are ETags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import Query, decode
from onhand.api.native.wire_administration import (
    ConfigurationAnswer,
    ConfigurationProblem,
    ConfigurationRequest,
    ConfigurationVersion,
    Difference,
    History,
    Validation,
)
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.configuration import Problem
from onhand.rows import ConfigurationRow
from onhand.service.environments import Problems
from onhand.service.faults import UnknownEnvironment

REASON_MAX: Final = 500
"""Characters of the reason of a change."""

_request = msgspec.json.Decoder(ConfigurationRequest)


async def read(call: Call, services: Services) -> Reply:
    """GET `/configuration`; `?version=` for an older one."""
    asked = Query(call).text("version")
    if asked is not None and not (asked.isdecimal() and len(asked) < 10):
        raise EdgeProblem(400, "invalid-query", "version must be a whole number.")
    try:
        row = await services.environments.configuration(call.environment, int(asked) if asked else None)
    except UnknownEnvironment as error:
        raise EdgeProblem(404, "unknown-version", f"The configuration has no version {asked}.") from error
    return _shown(row)


async def validate(call: Call, services: Services) -> Reply:
    """POST `/configuration/validate`: changes nothing."""
    request = decode(_request, call.body)
    problems = services.environments.validate(request.document)
    valid = not any(problem.severity == "error" for problem in problems)
    return json_reply(Validation(valid=valid, problems=_listed(problems)))


async def diff(call: Call, services: Services) -> Reply:
    """POST `/configuration/diff`: changes nothing."""
    request = decode(_request, call.body)
    problems = [one for one in services.environments.validate(request.document) if one.severity == "error"]
    if problems:
        raise EdgeProblem(
            422, "invalid-configuration", "The document has errors.", [str(one) for one in problems]
        )
    changes = await services.environments.diff(call.environment, request.document)
    return json_reply(Difference(changes=[msgspec.to_builtins(change) for change in changes]))


async def apply(call: Call, services: Services) -> Reply:
    """PUT `/configuration`; `If-Match` names the version that the change was made from."""
    request = decode(_request, call.body)
    applied = await services.environments.apply(
        call.environment,
        request.document,
        request.switches,
        call.principal.client_id,
        request.reason[:REASON_MAX],
        _expected(call),
    )
    return refused(applied) if isinstance(applied, Problems) else _shown(applied)


async def history(call: Call, services: Services) -> Reply:
    """GET `/configuration/history`."""
    rows = await services.environments.history(call.environment)
    items = [
        ConfigurationVersion(
            version=row.version, applied_at=row.applied_at, applied_by=row.applied_by, reason=row.reason
        )
        for row in rows
    ]
    return json_reply(History(items=items))


def refused(problems: Problems) -> Reply:
    """Never returns: the problem that says why a change of an environment was refused.

    Raises:
        EdgeProblem: always.
    """
    messages = [str(problem) for problem in problems.problems]
    if problems.stale:
        raise EdgeProblem(412, "precondition-failed", problems.message, messages)
    if problems.exists:
        raise EdgeProblem(409, "already-exists", problems.message, messages)
    raise EdgeProblem(422, "invalid-configuration", problems.message, messages)


def _expected(call: Call) -> int | None:
    given = call.header(b"if-match")
    if given is None:
        raise EdgeProblem(
            428,
            "precondition-required",
            "Send If-Match with the ETag of the configuration you changed, or *.",
        )
    if given == "*":
        return None
    version = given.removeprefix("W/").strip('"')
    if not (version.isdecimal() and len(version) < 19):
        raise EdgeProblem(412, "precondition-failed", "If-Match is not an ETag of this configuration.")
    return int(version)


def _shown(row: ConfigurationRow) -> Reply:
    answer = ConfigurationAnswer(
        environment_id=row.environment_id,
        version=row.version,
        document=row.document,
        switches=row.switches,
        applied_at=row.applied_at,
        applied_by=row.applied_by,
        reason=row.reason,
    )
    return json_reply(answer, headers=((b"etag", b'"%d"' % row.version),))


def _listed(problems: Sequence[Problem]) -> list[ConfigurationProblem]:
    return [
        ConfigurationProblem(path=problem.path, message=problem.message, severity=problem.severity)
        for problem in problems
    ]
