"""From an ASGI request to a `Reply`: who calls, may they, how much, which rules, then the handler.

The same for every route, whichever dispatcher found it. The order is: caller (401), environment and scope
(403), rate (429), body (413), rules (404), handler. Whatever goes wrong ends in one place, which shows neither
a stack trace nor a text of the database.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Final

import structlog
from starlette.types import Receive, Scope

from onhand.api import problems
from onhand.api.compat.decoding import Unreadable
from onhand.api.exchange import Call, Reply
from onhand.api.problems import EdgeProblem
from onhand.api.rates import Rates
from onhand.api.route import Route
from onhand.api.services import Services
from onhand.service.access import Forbidden, Principal, Unauthenticated
from onhand.service.faults import DeadlineExceeded, Fault, StoreUnavailable, UnknownEnvironment

_log = structlog.get_logger("onhand.api")

NOBODY: Final = Principal("", frozenset(), frozenset())
"""The caller of an open route."""

EMPTY: Final = b""


class Disconnected(Exception):  # noqa: N818 - not an error of anybody
    """The client went away before its body was read."""


class Pipeline:
    """Runs routes over the services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limits = services.limits
        self._rates = Rates(services.limits.requests_per_second_max, services.limits.burst_requests)

    async def run(
        self, route: Route, scope: Scope, receive: Receive, parameters: dict[str, str], request_id: bytes
    ) -> Reply:
        """The answer of a route to a request.

        Raises:
            Disconnected: nobody is left to answer.
        """
        reason = ""
        try:
            reply = await self._run(route, scope, receive, parameters)
        except (Disconnected, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - the one place where everything ends
            reason = type(error).__name__
            reply = _failed(route, error, request_id)
        self._services.on_request(route.label, str(reply.status), reason)
        return reply

    async def _run(self, route: Route, scope: Scope, receive: Receive, parameters: dict[str, str]) -> Reply:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        environment = parameters.get("environment", "").lower()
        principal = NOBODY
        length = None
        authorization = None
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"content-length":
                length = value
        if route.scope is not None:
            access = self._services.access
            found = access.remembered(authorization) if authorization is not None else None
            principal = found if found is not None else await access.authenticate(authorization)
            if environment and not principal.may_enter(environment):
                raise Forbidden("The token was issued for another environment.")
            if route.scope not in principal.scopes:
                raise Forbidden(f"The scope {route.scope} is required.")
            wait = self._rates.wait_s(principal.client_id)
            if wait:
                raise _too_many(wait)
        if len(scope["query_string"]) > self._limits.query_bytes_max:
            raise EdgeProblem(
                414, "query-too-long", f"A query has at most {self._limits.query_bytes_max} bytes."
            )
        body = EMPTY
        if route.reads_body:
            body = await read_body(receive, length, self._limits.body_bytes_max)
        call = Call(
            route.method, principal, None, environment, body, scope["query_string"], parameters, headers
        )
        if environment and route.needs_rules:
            environments = self._services.environments
            try:
                call.rules = environments.rules(environment)
            except UnknownEnvironment:
                call.rules = await environments.find(environment)
        if route.untimed:
            return await route.handler(call, self._services)
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await route.handler(call, self._services)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within {self._limits.deadline_s} s") from error


async def read_body(receive: Receive, length: bytes | None, bytes_max: int) -> bytes:
    """The whole body, refused as soon as it is known to be too large.

    Raises:
        EdgeProblem: more than `bytes_max` bytes (413).
        Disconnected: the client went away.
    """
    if length is not None and length.isdigit() and int(length[:20]) > bytes_max:
        raise _too_large(bytes_max)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        parts.append(part)
    return b"".join(parts)


def _too_large(bytes_max: int) -> EdgeProblem:
    return EdgeProblem(
        413, "body-too-large", f"A body has at most {bytes_max} bytes. Send the items in parts."
    )


def _too_many(wait_s: float) -> EdgeProblem:
    problem = EdgeProblem(
        429, "too-many-requests", f"The client sends too fast. Try again in {wait_s:.1f} s."
    )
    problem.headers = ((b"retry-after", str(math.ceil(wait_s)).encode()),)
    return problem


def _failed(route: Route, error: Exception, request_id: bytes) -> Reply:
    compat = route.surface == "compat"
    if isinstance(error, Unauthenticated):
        if compat:
            return Reply(401, headers=((b"www-authenticate", b"Bearer"),))
        problem = EdgeProblem(401, "unauthenticated", "A valid bearer token is required.")
        problem.headers = ((b"www-authenticate", b"Bearer"),)
        return problems.of_edge(problem)
    if isinstance(error, Forbidden):
        return Reply(403) if compat else problems.of_edge(EdgeProblem(403, "forbidden", str(error)))
    if isinstance(error, Unreadable):
        error = EdgeProblem(400, "unreadable", str(error))
    if isinstance(error, EdgeProblem):
        if compat:
            return problems.plain(error.status, error.detail, error.headers)
        return problems.of_edge(error)
    if isinstance(error, Fault):
        _log.warning(
            "request_fault", route=route.label, fault=type(error).__name__, request_id=request_id.decode()
        )
        if compat:
            meaning = problems.FAULTS.get(type(error), problems.FAULTS[StoreUnavailable])
            return problems.plain(
                meaning.status, f"{meaning.title}. {meaning.detail}", problems.retry_after(meaning)
            )
        return problems.of_fault(error)
    _log.error("request_failed", route=route.label, request_id=request_id.decode(), exc_info=error)
    message = f"The request could not be completed. Give the operator the incident id {request_id.decode()}."
    if compat:
        return problems.plain(500, message)
    return problems.of_edge(EdgeProblem(500, "internal-error", message))


def path_parameters(scope: Mapping[str, Any]) -> dict[str, str]:
    """Placeholders that the framework's router found."""
    return {name: str(value) for name, value in scope.get("path_params", {}).items()}
