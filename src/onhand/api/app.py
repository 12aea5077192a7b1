"""The ASGI application. `create_app` is what a server runs.

Two dispatchers over one route table. Paths of the compatible surface are matched here, without regard to case,
trailing slashes or trailing white space: cut off the environment, then one dictionary look-up. Everything else is
routed by Starlette. Both run the same pipeline with the same handlers, so they give the same answers; the
compatible routes are registered with Starlette too, in their canonical spelling, which the tests use to hold
the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.routing import Match, Router
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from onhand.api import problems
from onhand.api.exchange import Reply
from onhand.api.heads import Heads
from onhand.api.ids import request_id
from onhand.api.pipeline import Disconnected, Pipeline, decoded_path, path_parameters
from onhand.api.problems import EdgeProblem
from onhand.api.route import COMPAT, Route
from onhand.api.routes import ROUTES
from onhand.api.services import Services

_BASE: Final = "/api/environment/"
_LENGTH: Final = len(_BASE)
_HOT_BASE: Final = _BASE.encode()
GiveHot = Callable[[Reply, bytes], None]
"""Takes the answer of a hot request and the request's id."""
_FIRST_HOP: Final = "/oauth2/v2.0/token"


def create_app(services: Services) -> Dispatcher:
    """The application over running services; it starts and stops nothing itself."""
    pipeline = Pipeline(services)
    return Dispatcher(pipeline, framework(pipeline))


def framework(pipeline: Pipeline) -> Router:
    """All routes under Starlette's router."""
    return Router(
        [StarletteRoute(route.path, Endpoint(route, pipeline), methods=[route.method]) for route in ROUTES],
        redirect_slashes=False,
        default=_not_found,
    )


class Endpoint:
    """A route as an ASGI application, for Starlette."""

    def __init__(self, route: Route, pipeline: Pipeline) -> None:
        self._route = route
        self._pipeline = pipeline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await answer(self._pipeline, self._route, scope, receive, send, path_parameters(scope))


class Dispatcher:
    """Finds the route of a request."""

    def __init__(self, pipeline: Pipeline, router: Router) -> None:
        self._pipeline = pipeline
        self._router = router
        self._fixed: dict[tuple[str, str], Route] = {}
        self._placeholders: list[tuple[list[str], Route]] = []
        self._open = {route.path.lower(): route.path for route in ROUTES if route.surface == "open"}
        for route in ROUTES:
            if route.surface == "compat" and route.path.startswith(COMPAT):
                rest = route.path[len(COMPAT) + 1 :]
                if "{" in rest:
                    self._placeholders.append((rest.split("/"), route))
                else:
                    self._fixed[route.method, rest.lower()] = route
        self._hot = {
            rest.encode(): route
            for (method, rest), route in self._fixed.items()
            if method == "POST" and route.untimed and route.reads_body
        }
        self.heads = Heads()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(_BASE) or path[:_LENGTH].lower() == _BASE:
                await self._compatible(path, scope, receive, send)
            else:
                await self._framework(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def hot(self, method: bytes, url: bytes) -> tuple[Route, str] | None:
        """The hot route and the environment of a request target in its canonical spelling (`hot.HotProtocol`)."""
        if method != b"POST" or not url.startswith(_HOT_BASE):
            return None
        environment, _, rest = url[_LENGTH:].partition(b"/")
        route = self._hot.get(rest)
        if route is None or not environment.isascii() or b"%" in environment:
            return None
        return route, environment.decode()

    def start_hot(
        self, route: Route, environment: str, headers: list[tuple[bytes, bytes]], body: bytes, give: GiveHot
    ) -> bool:
        """Start a hot request that need not wait for anything but its batch; False: `answer_hot` does it."""
        return self._pipeline.start(route, headers, body, environment, request_id(), give)

    async def answer_hot(
        self, route: Route, environment: str, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[Reply, bytes]:
        """The answer of a hot route to a request that is there as a whole, and the request's id."""
        identity = request_id()
        scope = {"path": environment, "headers": headers, "query_string": b""}
        reply = await self._pipeline.run(route, scope, body, {"environment": environment}, identity)
        return reply, identity

    async def _compatible(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        environment, _, rest = path[_LENGTH:].partition("/")
        parameters = {"environment": environment}
        route = self._fixed.get((scope["method"], rest))
        if route is None:
            rest = rest.strip().strip("/").strip().lower()
            route = self._fixed.get((scope["method"], rest))
        if route is None:
            route = self._with_placeholder(scope["method"], rest, parameters)
        if route is None:
            others = sorted(method for method, known in self._fixed if known == rest)
            await _send(send, _no_route(rest, others), request_id())
            return
        await answer(self._pipeline, route, scope, receive, send, parameters)

    def _with_placeholder(self, method: str, rest: str, parameters: dict[str, str]) -> Route | None:
        parts = rest.split("/")
        for template, route in self._placeholders:
            if method == route.method and len(parts) == len(template):
                pairs = list(zip(template, parts, strict=True))
                if all(known.lower() == part or (known.startswith("{") and part) for known, part in pairs):
                    parameters.update({known[1:-1]: part for known, part in pairs if known.startswith("{")})
                    return route
        return None

    async def _framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # makes the router raise instead of answering a wrong method itself
        path = decoded_path(scope).rstrip()
        scope["path"] = path = self._spelled(path.rstrip("/") or "/")
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            problem = EdgeProblem(
                error.status_code, "no-such-route", "There is no such operation; see /openapi.json."
            )
            if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                allowed = ", ".join(self._methods(path))
                problem.code, problem.detail = "wrong-method", f"The operation takes {allowed}."
                problem.headers = ((b"allow", allowed.encode()),)
            await _send(send, problems.of_edge(problem), request_id())

    def _spelled(self, path: str) -> str:
        """The canonical spelling of the path of an open route: clients write `/Token` as well."""
        lower = path.lower()
        return (
            path[: -len(_FIRST_HOP)] + _FIRST_HOP
            if lower.endswith(_FIRST_HOP)
            else self._open.get(lower, path)
        )

    def _methods(self, path: str) -> list[str]:
        """Methods of a path; Starlette names those of the first route only."""
        probe = {"type": "http", "path": path, "root_path": "", "method": ""}
        routes = (route for route in self._router.routes if isinstance(route, StarletteRoute))
        fitting = (route for route in routes if route.matches(probe)[0] is not Match.NONE)
        return sorted({method for route in fitting for method in route.methods or ()})


async def answer(  # noqa: PLR0913 - the three of ASGI and what the route needs
    pipeline: Pipeline, route: Route, scope: Scope, receive: Receive, send: Send, parameters: dict[str, str]
) -> None:
    """Run a route and send its answer; a client that went away gets none."""
    identity = request_id()
    try:
        reply = await pipeline.run(route, scope, receive, parameters, identity)
    except Disconnected:
        return
    await _send(send, reply, identity)


async def _send(send: Send, reply: Reply, identity: bytes) -> None:
    body = reply.body
    headers = [
        (b"content-length", b"%d" % len(body)),
        (b"x-ms-correlation-id", identity),
        (b"x-ms-service-request-id", identity),
        *reply.headers,
    ]
    if body:
        headers.append((b"content-type", reply.content_type))
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    except OSError:
        return  # the connection closed meanwhile; what was decided stays decided


def _no_route(rest: str, others: list[str]) -> Reply:
    if others:
        allowed = ", ".join(others)
        return problems.plain(405, f"The operation takes {allowed}.", ((b"allow", allowed.encode()),))
    return problems.plain(404, f"There is no operation {rest[:100]!r} here.")


async def _not_found(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise HTTPException(404)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
