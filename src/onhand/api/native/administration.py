"""Environments, clients, jobs and audits."""

from __future__ import annotations

import msgspec

from onhand.api.compat.envelopes import node
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native import configuration
from onhand.api.native.reading import decode
from onhand.api.native.wire_administration import (
    AuditAnswer,
    ClientAnswer,
    ClientCreated,
    ClientList,
    ClientRequest,
    DriftAnswer,
    EnvironmentAnswer,
    EnvironmentList,
    EnvironmentRequest,
    JobAnswer,
    JobRequest,
)
from onhand.api.problems import EdgeProblem, of_rejection
from onhand.api.services import Services
from onhand.core.outcomes import Rejected
from onhand.core.quantities import to_decimal
from onhand.rows import JobRow
from onhand.service.environments import Problems

RESYNC = "reservation-resync"

_environment = msgspec.json.Decoder(EnvironmentRequest)
_client = msgspec.json.Decoder(ClientRequest)
_job = msgspec.json.Decoder(JobRequest)


async def environments(call: Call, services: Services) -> Reply:
    """GET `/v1/environments`."""
    rules = await services.environments.list_environments()
    items = [
        EnvironmentAnswer(environment_id=one.environment_id, configuration_version=one.version)
        for one in rules
        if call.principal.may_enter(one.environment_id)
    ]
    return json_reply(EnvironmentList(items=items))


async def create_environment(call: Call, services: Services) -> Reply:
    """POST `/v1/environments`."""
    request = decode(_environment, call.body)
    made = await services.environments.create(
        request.environment_id,
        request.profile,
        call.principal.client_id,
        request.document,
        request.switches,
    )
    if isinstance(made, Problems):
        return configuration.refused(made)
    answer = EnvironmentAnswer(environment_id=made.environment_id, configuration_version=made.version)
    return json_reply(answer, 201, ((b"location", f"/v1/environments/{made.environment_id}".encode()),))


async def read_environment(call: Call, _services: Services) -> Reply:
    """GET `/v1/environments/{environment}`."""
    return json_reply(
        EnvironmentAnswer(environment_id=call.of.environment_id, configuration_version=call.of.version)
    )


async def delete_environment(call: Call, services: Services) -> Reply:
    """DELETE `/v1/environments/{environment}`: only while it holds no stock."""
    problems = await services.environments.delete(call.environment)
    if problems is not None:
        raise EdgeProblem(409, "environment-not-empty", problems.message)
    return Reply(204)


async def clients(_call: Call, services: Services) -> Reply:
    """GET `/v1/clients`."""
    items = [
        ClientAnswer(
            client_id=row.client_id,
            environments=list(row.environments),
            scopes=list(row.scopes),
            disabled=row.disabled,
        )
        for row in await services.access.clients()
    ]
    return json_reply(ClientList(items=items))


async def create_client(call: Call, services: Services) -> Reply:
    """POST `/v1/clients`: a new client, or a new secret for an existing one."""
    request = decode(_client, call.body)
    try:
        secret = await services.access.create_client(
            request.client_id, tuple(request.environments), tuple(request.scopes)
        )
    except ValueError as error:
        raise EdgeProblem(422, "invalid-client", str(error)) from error
    answer = ClientCreated(client_id=request.client_id.strip(), client_secret=secret)
    return json_reply(answer, 201, ((b"cache-control", b"no-store"),))


async def disable_client(call: Call, services: Services) -> Reply:
    """DELETE `/v1/clients/{clientId}`: refuse it from now on."""
    if not await services.access.disable_client(call.parameters["clientId"]):
        raise EdgeProblem(404, "unknown-client", "There is no such client.")
    return Reply(204)


async def start_job(call: Call, services: Services) -> Reply:
    """POST `/jobs`."""
    request = decode(_job, call.body)
    if request.kind != RESYNC:
        raise EdgeProblem(422, "unknown-job", f"kind must be {RESYNC}.")
    started = await services.jobs.start_resync(call.environment, request.sources, call.principal.client_id)
    if isinstance(started, Rejected):
        return of_rejection(started)
    return await accepted(call, services, started)


async def accepted(call: Call, services: Services, job_id: str) -> Reply:
    """The answer to a request that started a job: 202, and where its state is read."""
    row = await services.jobs.progress(job_id)
    if row is None:
        raise EdgeProblem(404, "unknown-job", "The job is gone.")
    location = f"/v1/environments/{call.environment}/jobs/{job_id}".encode()
    return json_reply(_shown(row), 202, ((b"location", location),))


async def read_job(call: Call, services: Services) -> Reply:
    """GET `/jobs/{jobId}`."""
    row = await services.jobs.progress(call.parameters["jobId"])
    if row is None or row.environment != call.of.environment:
        raise EdgeProblem(404, "unknown-job", "This environment has no such job.")
    return json_reply(_shown(row))


async def verify(call: Call, services: Services) -> Reply:
    """POST `/verify`: audit the environment now; takes time in proportion to its ledger."""
    report = await services.auditor.audit(call.environment)
    drifts = [
        DriftAnswer(
            invariant=one.invariant,
            organization_id=one.organization,
            product_id=one.product,
            position=node(one.position),
            measure=f"{one.source}.{one.measure}" if one.source else one.measure,
            expected=to_decimal(one.expected),
            found=to_decimal(one.found),
            message=one.message,
        )
        for one in report.drifts
    ]
    return json_reply(
        AuditAnswer(
            clean=report.clean,
            products=report.products,
            records=report.records,
            drift_count=report.drift_count,
            drift_units=to_decimal(report.units),
            drifts=drifts,
        )
    )


def _shown(row: JobRow) -> JobAnswer:
    return JobAnswer(
        job_id=row.job_id, kind=row.kind, status=row.status, progress=row.progress, message=row.message
    )
