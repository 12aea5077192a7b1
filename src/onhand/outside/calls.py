"""Calls of HTTP endpoints that the operator has allowed; implements `ports.Outside`.

Whoever may configure workflows chooses the URL, so it is compared with the allowed prefixes before anything is sent: scheme, host
and port exactly, the path segment by segment. Redirects are not followed, proxies and credentials of the environment are
not used, and neither the time nor the size of an answer is left to the other side.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Final

import httpx

from onhand.core.orders.outside import NOT_ALLOWED, NOT_ANSWERED, Answer, NoAnswer, Request

BYTES_MAX: Final = 1024 * 1024
"""Largest answer."""
PORTS: Final = {"http": 80, "https": 443}
_SUSPICIOUS: Final = ("\\", "%2e", "%2f", "%5c", "//")
"""What makes two readers of a path disagree."""

Place = tuple[str, str, int, str]
"""Scheme, host, port, path."""


class HttpOutside:
    """Posts to allowed URLs. Holds no connection between calls."""

    def __init__(self, allow: Sequence[str], *, bytes_max: int = BYTES_MAX) -> None:
        """`allow`: URL prefixes; none means that nothing is called.

        Raises:
            ValueError: one of them is no URL prefix.
        """
        self._allowed = tuple(_prefix(one) for one in allow)
        self._bytes_max = bytes_max
        self._tls: ssl.SSLContext | None = None

    async def post(self, request: Request, idempotency_key: str) -> Answer | NoAnswer:
        """The answer, or why there is none."""
        if not self.allows(request.url):
            return NoAnswer(
                key=NOT_ALLOWED,
                reason="The URL in connector is not allowed. Add its prefix to the service's setting http_action_allow.",
            )
        seconds = request.patience.total_seconds()
        host = httpx.URL(request.url).host
        try:
            async with asyncio.timeout(seconds):
                return await self._posted(request, idempotency_key, seconds, host)
        except (TimeoutError, httpx.TimeoutException):
            return _failed(f"{host} did not answer within {seconds:g} s.")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
            return _failed(f"{host} could not be called ({type(fault).__name__}).")

    def allows(self, url: str) -> bool:
        """Whether a URL begins with one of the prefixes."""
        try:
            scheme, host, port, path = _place(url)
        except ValueError:
            return False
        return any(
            (scheme, host, port) == allowed[:3] and (path == allowed[3] or path.startswith(f"{allowed[3]}/"))
            for allowed in self._allowed
        )

    async def _posted(self, request: Request, key: str, seconds: float, host: str) -> Answer | NoAnswer:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Idempotency-Key": key,
            "User-Agent": "onhand",
        }
        client = httpx.AsyncClient(
            timeout=seconds, follow_redirects=False, trust_env=False, verify=self._context()
        )
        async with (
            client,
            client.stream("POST", request.url, content=request.body, headers=headers) as response,
        ):
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                return _failed(f"{host} compressed its answer, which was not asked for.")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > self._bytes_max:
                    return _failed(f"The answer of {host} is larger than {self._bytes_max} bytes.")
            return Answer(status=response.status_code, body=bytes(body))

    def _context(self) -> ssl.SSLContext:
        """Made at the first call; reading the certificates takes a while."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _failed(reason: str) -> NoAnswer:
    return NoAnswer(key=NOT_ANSWERED, reason=reason)


def _prefix(url: str) -> Place:
    scheme, host, port, path = _place(url)
    return scheme, host, port, path.rstrip("/")


def _place(url: str) -> Place:
    """Where a URL leads, as the client that calls it reads it.

    Raises:
        ValueError: it leads to no plain place.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as fault:
        raise ValueError(f"{url!r} is no URL.") from fault
    path = parsed.raw_path.decode("ascii").partition("?")[0]
    if parsed.scheme not in PORTS or not parsed.host:
        raise ValueError(f"{url!r} must begin with http:// or https:// and name a host.")
    if parsed.userinfo or parsed.fragment or any(one in path.lower() for one in _SUSPICIOUS):
        raise ValueError(f"{url!r} must have neither credentials nor a fragment, and a plain path.")
    return parsed.scheme, parsed.host, parsed.port or PORTS[parsed.scheme], path
