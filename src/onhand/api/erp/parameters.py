"""Parameters of the ERP side, and the synchronisation on demand."""

from __future__ import annotations

import msgspec

from onhand.api.erp.wire import ErpFinding, ErpParametersAnswer, ErpRun
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import decode
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.configuration_document import Problem
from onhand.core.erp.parameters import Parameters
from onhand.service.erp.parameters import Saved, Unfit

_parameters = msgspec.json.Decoder(Parameters)


async def read(call: Call, services: Services) -> Reply:
    """GET `/erp/parameters`."""
    return _shown(await services.erp.parameters.read(call.of))


async def save(call: Call, services: Services) -> Reply:
    """PUT `/erp/parameters`; `If-Match` names the version that the change was made from, or *."""
    parameters = decode(_parameters, call.body)
    saved = await services.erp.parameters.save(call.of, parameters, _expected(call))
    if isinstance(saved, Saved):
        return _shown(saved)
    return _refused(saved)


async def validate(call: Call, services: Services) -> Reply:
    """POST `/erp/parameters/validate`: changes nothing."""
    parameters = decode(_parameters, call.body)
    stored = await services.erp.parameters.read(call.of)
    found = await services.erp.parameters.problems(call.of, parameters)
    return json_reply(
        ErpParametersAnswer(version=stored.version, parameters=parameters, findings=_findings(found))
    )


async def run(call: Call, services: Services) -> Reply:
    """POST `/erp/sync/run`: posts everything that waits in the environment, due or not."""
    report = await services.erp.sync.run_now(call.of)
    return json_reply(ErpRun(posted=report.posted, failed=report.failed, waiting=report.faults))


def _shown(saved: Saved) -> Reply:
    answer = ErpParametersAnswer(
        version=saved.version, parameters=saved.parameters, findings=_findings(saved.findings)
    )
    return json_reply(answer, headers=((b"etag", b'"%d"' % saved.version),))


def _findings(found: tuple[Problem, ...] | list[Problem]) -> list[ErpFinding]:
    return [ErpFinding(path=one.path, message=one.message, severity=one.severity) for one in found]


def _refused(unfit: Unfit) -> Reply:
    if unfit.stale:
        raise EdgeProblem(
            412, "precondition-failed", "Somebody else saved other parameters meanwhile. Read them again."
        )
    messages = [str(one) for one in unfit.problems if one.severity == "error"]
    raise EdgeProblem(422, "invalid-parameters", "; ".join(messages), messages)


def _expected(call: Call) -> int | None:
    given = call.header(b"if-match")
    if given is None or given == "*":
        return None
    version = given.removeprefix("W/").strip('"')
    if not (version.isdecimal() and len(version) < 19):
        raise EdgeProblem(412, "precondition-failed", "If-Match is not an ETag of these parameters.")
    return int(version)
