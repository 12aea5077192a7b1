"""From an ASGI request to a `Reply`: who calls, may they, how much, which rules, then the handler.

The same for every route, whichever dispatcher found it. The order is: caller (401), environment and scope
(403), rate (429), body (413), rules (404), handler. Whatever goes wrong ends in one place, which shows neither
a stack trace nor a text of the database.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import structlog
from starlette.types import Receive, Scope

from onhand.api import problems
from onhand.api.compat.decoding import Unreadable
from onhand.api.exchange import Call, Reply
from onhand.api.problems import EdgeProblem
from onhand.api.rates import Rates
from onhand.api.route import Route
from onhand.api.services import Services
from onhand.core.rules import Rules
from onhand.service.faults import (
    DeadlineExceeded,
    Fault,
    OutcomeUnknown,
    StoreUnavailable,
    UnknownEnvironment,
)
from onhand.service.principals import Forbidden, Principal, Unauthenticated

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
        self,
        route: Route,
        scope: Scope,
        source: Receive | bytes,
        parameters: dict[str, str],
        request_id: bytes,
    ) -> Reply:
        """The answer of a route to a request; `source` is its body, or where that comes from.

        Raises:
            Disconnected: nobody is left to answer.
        """
        reason = ""
        try:
            reply = await self._run(route, scope, source, parameters)
        except (Disconnected, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - the one place where everything ends
            reason = type(error).__name__
            reply = _failed(route, error, request_id)
        self._services.on_request(route.label, str(reply.status), reason)
        return reply

    def start(  # noqa: PLR0913 - the parts of `run` and who gets the answer
        self,
        route: Route,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        environment: str,
        request_id: bytes,
        give: Callable[[Reply, bytes], None],
    ) -> bool:
        """Start a request without a task, if nothing has to be waited for but its batch; the checks are those of `run`.

        False: nothing was started, and `run` answers it. Else `give` gets the reply, now or later.
        """
        starter, services = route.starter, self._services
        if starter is None or self._rates.limits:
            return False
        authorization = None
        for name, value in headers:
            if name == b"authorization":
                authorization = value
                break
        principal = None if authorization is None else services.access.remembered(authorization)
        if principal is None or len(body) > self._limits.body_bytes_max:
            return False
        folded = environment.lower()
        if not principal.may_enter(folded) or route.scope not in principal.scopes or "\0" in environment:
            return False
        try:
            rules = services.environments.rules(folded)
        except UnknownEnvironment:
            return False
        call = Call(route.method, principal, rules, folded, body, b"", {"environment": environment}, headers)

        def answer(make: Callable[..., Reply], *given: object) -> None:
            reason = ""
            try:
                reply = make(*given)
            except Exception as error:  # noqa: BLE001 - ends like any other
                reason = type(error).__name__
                reply = _failed(route, error, request_id)
            services.on_request(route.label, str(reply.status), reason)
            give(reply, request_id)

        try:
            return starter(call, services, answer)
        except Exception as error:  # noqa: BLE001 - likewise
            answer(_raise, error)
            return True

    async def _run(
        self, route: Route, scope: Scope, source: Receive | bytes, parameters: dict[str, str]
    ) -> Reply:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        environment = parameters.get("environment", "").lower()
        authorization, length = None, None
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"content-length":
                length = value
        principal = await self._admitted(route, environment, authorization) if route.scope else NOBODY
        self._check_target(scope)
        body = EMPTY
        if route.reads_body:
            body = self._within(source) if isinstance(source, bytes) else await self._body(source, length)
        call = Call(
            route.method, principal, None, environment, body, scope["query_string"], parameters, headers
        )
        if environment and route.needs_rules:
            call.rules = await self._rules(environment)
        if route.untimed:
            return await route.handler(call, self._services)
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await route.handler(call, self._services)
        except TimeoutError as error:
            text = f"no answer within {self._limits.deadline_s} s"
            # What was cut off in the middle may have been recorded, unless the route only reads.
            reads = route.method == "GET" or route.scope in (None, "onhand:read")
            raise (DeadlineExceeded(text) if reads else OutcomeUnknown(text)) from error

    def _check_target(self, scope: Scope) -> None:
        if len(scope["query_string"]) > self._limits.query_bytes_max:
            raise EdgeProblem(
                414, "query-too-long", f"A query has at most {self._limits.query_bytes_max} bytes."
            )
        if b"%00" in scope["query_string"] or "\0" in scope["path"]:
            raise EdgeProblem(400, "invalid-query", "The URL has a NUL character, which cannot be stored.")

    def _within(self, body: bytes) -> bytes:
        if len(body) > self._limits.body_bytes_max:
            raise _too_large(self._limits.body_bytes_max)
        return body

    async def _body(self, receive: Receive, length: bytes | None) -> bytes:
        try:
            async with asyncio.timeout(self._limits.body_s):
                return await read_body(receive, length, self._limits.body_bytes_max)
        except TimeoutError as error:
            raise _too_slow(self._limits.body_s) from error

    async def _admitted(self, route: Route, environment: str, authorization: bytes | None) -> Principal:
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
        return principal

    async def _rules(self, environment: str) -> Rules:
        try:
            return self._services.environments.rules(environment)
        except UnknownEnvironment:
            return await self._services.environments.find(environment)


def _raise(error: Exception) -> Reply:
    raise error


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


def _too_slow(body_s: float) -> EdgeProblem:
    problem = EdgeProblem(
        408,
        "body-too-slow",
        f"The body did not arrive within {body_s:g} s. Nothing was recorded; send it again.",
    )
    problem.headers = ((b"connection", b"close"),)
    return problem


def _too_many(wait_s: float) -> EdgeProblem:
    problem = EdgeProblem(
        429, "too-many-requests", f"The client sends too fast. Try again in {wait_s:.1f} s."
    )
    problem.headers = ((b"retry-after", str(math.ceil(wait_s)).encode()),)
    return problem


def _failed(route: Route, error: Exception, request_id: bytes) -> Reply:
    """Whatever went wrong, as an answer that shows nothing of the inside."""
    compat = route.surface == "compat"
    refused = _refused(error)
    if refused is not None:
        if not compat:
            return problems.of_edge(refused)
        if refused.status in (401, 403):
            return Reply(refused.status, headers=refused.headers)  # without a body, like the original
        return problems.plain(refused.status, refused.detail, refused.headers)
    identity = request_id.decode()
    if isinstance(error, Fault):
        _log.warning("request_fault", route=route.label, fault=type(error).__name__, request_id=identity)
        if not compat:
            return problems.of_fault(error)
        meaning = problems.FAULTS.get(type(error), problems.FAULTS[StoreUnavailable])
        text = f"{meaning.title}. {meaning.detail}"
        return problems.plain(meaning.status, text, problems.retry_after(meaning))
    _log.error("request_failed", route=route.label, request_id=identity, exc_info=error)
    message = f"The request could not be completed. Give the operator the incident id {identity}."
    return (
        problems.plain(500, message)
        if compat
        else problems.of_edge(EdgeProblem(500, "internal-error", message))
    )


def _refused(error: Exception) -> EdgeProblem | None:
    """What the edge itself refuses; None for faults and failures."""
    if isinstance(error, EdgeProblem):
        return error
    if isinstance(error, Unreadable):
        return EdgeProblem(400, "unreadable", str(error))
    if isinstance(error, Forbidden):
        return EdgeProblem(403, "forbidden", str(error))
    if isinstance(error, Unauthenticated):
        problem = EdgeProblem(401, "unauthenticated", "A valid bearer token is required.")
        problem.headers = ((b"www-authenticate", b"Bearer"),)
        return problem
    return None


SLASH: Final = "\ue000"
"""Stands for an encoded slash while a path is taken apart; ids of other systems may have slashes."""
_ENCODED: Final = re.compile(rb"%2f", re.IGNORECASE)


def decoded_path(scope: Mapping[str, Any]) -> str:
    """The path of a request, in which an encoded slash separates nothing."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    if not _ENCODED.search(raw):
        return path
    return unquote(_ENCODED.sub(SLASH.encode(), raw).decode(errors="replace"))


def path_parameters(scope: Mapping[str, Any]) -> dict[str, str]:
    """Placeholders that the framework's router found."""
    return {name: str(value).replace(SLASH, "/") for name, value in scope.get("path_params", {}).items()}
