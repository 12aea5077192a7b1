"""Configuration, partitions, jobs and environment ids on the compatible surface (specification 2.2, 2.9)."""

from __future__ import annotations

from typing import Any

from onhand.api import problems
from onhand.api.compat.decoding import Unreadable, read_json
from onhand.api.compat.queries import texts
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.services import Services
from onhand.core.outcomes import Rejected
from onhand.rows import ConfigurationRow
from onhand.service.environments import Problems
from onhand.service.faults import UnknownEnvironment
from onhand.service.principals import Forbidden

OK = {"statusCode": 200, "message": ""}


async def configuration(call: Call, services: Services) -> Reply:
    """GET `/configuration`."""
    return json_reply(document_of(await services.environments.configuration(call.environment)))


async def hard_update(call: Call, services: Services) -> Reply:
    """POST `/configuration/hardupdate`."""
    document = read_json(call.body)
    if not isinstance(document, dict):
        raise Unreadable("The body must be a configuration document, a JSON object.")
    return await _apply(call, services, document, "hardupdate")


async def partition_ids(call: Call, services: Services) -> Reply:
    """GET `/allpartitionids`."""
    partitions = await services.queries.partitions(call.environment)
    return json_reply([partition.partition_id for partition in partitions])


async def clean_up_partitions(call: Call, services: Services) -> Reply:
    """DELETE `/partitions/cleanupalldata` and `/cleanupalldata`."""
    value = read_json(call.body) if call.body.strip() else None
    if not isinstance(value, list):
        raise Unreadable("The body must be an array of partition ids, as GET /allpartitionids lists them.")
    wiped = await services.jobs.wipe(
        call.environment, texts(value, "partition ids"), call.principal.client_id
    )
    if isinstance(wiped, Rejected):
        return problems.plain(400, wiped.message)
    return json_reply({**OK, "products": wiped})


async def update_partition_schema(call: Call, services: Services) -> Reply:
    """POST `/updatePartitionSchema?newversion=2`: only while the environment is empty."""
    asked = {name.strip().lower(): value.strip() for name, value in call.query()}.get("newversion", "")
    if asked != "2":
        raise Unreadable("newversion must be 2, the only partition schema there is.")
    current = await services.environments.configuration(call.environment)
    document = dict(current.document)
    document["cachePartitionIdVersion"] = "ByLocationAndProductIdMod64"
    document["partitionConfiguration"] = {"useProductId": True, "useDimensions": True}
    return await _apply(call, services, document, "updatePartitionSchema")


async def update_environment_id(call: Call, services: Services) -> Reply:
    """POST `/updateEnvIdInConfig?oldEnvironmentId=…`: the environment of the path takes over the old one's data."""
    old = {name.strip().lower(): value.strip() for name, value in call.query()}.get(
        "oldenvironmentid", ""
    ).lower()
    if not old:
        raise Unreadable("oldEnvironmentId is missing in the query string.")
    if not (call.principal.may_enter(old) or "admin" in call.principal.scopes):
        raise Forbidden("The old environment belongs to others.")
    if old == call.environment:
        return json_reply(OK)
    try:
        await services.environments.find(old)
    except UnknownEnvironment:
        await services.environments.find(call.environment)  # already renamed: repeating is harmless
        return json_reply(OK)
    refused = await services.environments.rename(old, call.environment)
    return json_reply(OK) if refused is None else _problems(refused)


async def resync(call: Call, services: Services) -> Reply:
    """POST `/onhand/reserve/resyncjob`: start the clean-up of reservations."""
    value = read_json(call.body) if call.body.strip() else []
    if not isinstance(value, list):
        raise Unreadable("The body must be an array of data source names; [] means all.")
    started = await services.jobs.start_resync(
        call.environment, texts(value, "data sources"), call.principal.client_id
    )
    if isinstance(started, Rejected):
        return problems.plain(400, started.message)
    return json_reply({"jobId": started})


async def job_progress(call: Call, services: Services) -> Reply:
    """GET `/getJobProgress?jobId=…`."""
    job_id = {name.strip().lower(): value.strip() for name, value in call.query()}.get("jobid", "")
    job = await services.jobs.progress(job_id) if job_id else None
    if job is None or job.environment != call.of.environment:
        return problems.plain(404, f"There is no job {job_id[:100]!r} in this environment.")
    return json_reply(
        {"jobId": job.job_id, "status": job.status, "progress": job.progress, "message": job.message}
    )


def document_of(row: ConfigurationRow) -> dict[str, Any]:
    """A stored document with the identity and version it has now."""
    return {**row.document, "environmentId": row.environment_id, "configurationVersion": row.version}


async def _apply(call: Call, services: Services, document: dict[str, Any], reason: str) -> Reply:
    applied = await services.environments.apply(
        call.environment, document, None, call.principal.client_id, reason
    )
    return _problems(applied) if isinstance(applied, Problems) else json_reply(document_of(applied))


def _problems(refused: Problems) -> Reply:
    messages = [str(problem) for problem in refused.problems]
    return json_reply({"statusCode": 400, "message": refused.message, "problems": messages}, 400)
