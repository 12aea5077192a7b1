"""Why a call brought no answer of the rules, by what the caller has to do about it."""

from __future__ import annotations

import msgspec

from onhand.core.orders.refusals import Code
from onhand.core.outcomes import Reason


class CallFailed(Exception):  # noqa: N818 - the words of the error table, not of Python
    """Base of all failures of a call."""

    def __init__(self, message: str, *, status: int = 0, code: str = "", reference: str = "") -> None:
        super().__init__(message)
        self.status = status
        """HTTP status; 0 when no answer came."""
        self.code = code
        """Machine-readable reason of the problem document, if it had one."""
        self.reference = reference
        """Request id to look for in the service's log."""


class RequestFault(CallFailed):
    """The request itself is wrong (400, 401, 403, 404, 413 …); sending it again does not help."""


class RefusedByRules(CallFailed):
    """The rules said no on the native surface; nothing changed."""


class NotServed(CallFailed):
    """The service is busy or cannot be reached; nothing was recorded, the same call may be sent again."""


class OutcomeUnknown(CallFailed):
    """The call was sent and its answer lost; send it again with the same id to learn what happened."""


class ServiceDefect(CallFailed):
    """The service failed (500); its log names the reference."""


class Wrong(msgspec.Struct, frozen=True):
    """One thing that is wrong with a body of the order side."""

    path: str = ""
    message: str = ""


class Problem(msgspec.Struct, frozen=True):
    """Error document: RFC 9457, or the compatible surface's `{"statusCode", "message"}`."""

    title: str = ""
    detail: str = ""
    code: str = ""
    message: str = ""
    problems: list[str] = []
    errors: list[Wrong] = []


REASONS = frozenset(Reason) | {
    Code.ORDER_LOCKED,
    Code.DUPLICATE_ID,
    Code.VERSION_CONFLICT,
    Code.STATUS_NOT_AVAILABLE,
    Code.ORDER_QUEUED,
    Code.ORDER_READ_ONLY,
    Code.OVER_DELIVERY,
}
"""Codes that say that the rules refused; all others concern the request or the service."""

UNAUTHENTICATED = "unauthenticated"
"""Code of a 401 of the native surface."""

UNKNOWN_CODE = "outcome-unknown"
"""Code of a 503 that says that the answer of the commit was lost."""


def failure_of(status: int, body: bytes, reference: str) -> CallFailed:
    """The failure that an error answer stands for."""
    problem = _problem(body)
    text = problem.detail or problem.message or problem.title or _PLAIN.get(status) or f"HTTP {status}"
    if problem.code == UNAUTHENTICATED:
        text += " Set ONHAND_CLIENT_ID and ONHAND_CLIENT_SECRET; `onhand clients create` makes a client."
    if problem.problems:
        text = "\n".join([text, *(f"  {item}" for item in problem.problems)])
    if len(problem.errors) > 1:
        text = "\n".join([text, *(f"  {one.path}: {one.message}" for one in problem.errors)])
    kind: type[CallFailed]
    if problem.code in REASONS:
        kind = RefusedByRules
    elif problem.code == UNKNOWN_CODE or status in {502, 504}:
        kind = OutcomeUnknown
    elif status in {429, 503}:
        kind = NotServed
    elif status >= 500:
        kind = ServiceDefect
    else:
        kind = RequestFault
    return kind(text, status=status, code=problem.code, reference=reference)


_PLAIN = {
    401: "The token is missing, wrong or expired (401). `onhand clients create` makes a client.",
    403: "This client may not do that here (403): the environment or a scope is missing.",
    404: "Not found (404).",
    413: "The request body is too large (413).",
    429: "Too many requests (429).",
    503: "The service cannot answer now (503); nothing was recorded.",
}


def _problem(body: bytes) -> Problem:
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        return Problem()
