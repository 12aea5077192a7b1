"""The two clients: one blocking, one for asyncio. Everything but the waiting is shared.

Each call has a number of attempts. After an answer that says "not now", or a broken connection, a repeatable
call waits (twice as long each time, with jitter, or as long as `Retry-After` says) and goes out again unchanged.
A token is fetched when it is first needed and again shortly before it expires or when it is refused.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from onhand.client.answers import Token
from onhand.client.calls import Call
from onhand.client.failures import CallFailed, NotServed, OutcomeUnknown, RequestFault, failure_of

T = TypeVar("T")

ATTEMPTS_MAX: Final = 6
"""Attempts of a repeatable call unless the client says otherwise: about three seconds."""
WAIT_FIRST_S: Final = 0.05
"""Seconds before the second attempt; it doubles from there."""
WAIT_MAX_S: Final = 5.0
TOKEN_MARGIN_S: Final = 60.0
"""A token is renewed this long before it expires."""
TIMEOUT_S: Final = 30.0
CONNECTIONS_MAX: Final = 100

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors after which the service cannot have seen the request."""


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token that was obtained elsewhere."""

    token: str


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client of the service's own token endpoint."""

    client_id: str
    secret: str


Credentials = BearerToken | ClientSecret | None
"""None: the service runs with `auth = none`."""


class _Conversation:
    """What both clients know: address, token, how to judge an answer."""

    def __init__(self, url: str, environment: str, credentials: Credentials, attempts_max: int) -> None:
        self.url = url.strip().rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestFault(
                f"{url!r} is no address of a service; write it like http://127.0.0.1:8300 (--url or ONHAND_URL)."
            )
        self.attempts_max = attempts_max
        # Reading the certificates of the machine takes longer than a request; plain HTTP does not need them.
        self.verify = self.url.startswith("https:")
        self.environment = environment
        self._credentials = credentials
        self._token = credentials.token if isinstance(credentials, BearerToken) else None
        self._renew_at = float("inf")
        self.jitter = random.Random()  # noqa: S311 - spreads retries, decides nothing

    def token_is_due(self) -> bool:
        return isinstance(self._credentials, ClientSecret) and (
            self._token is None or time.monotonic() >= self._renew_at
        )

    def token_request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        if not isinstance(self._credentials, ClientSecret):
            raise RequestFault("A token needs a client id and its secret.")
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.secret,
        }
        return client.build_request("POST", "/oauth2/token", data=form)

    def take_token(self, response: httpx.Response) -> Token:
        if response.status_code == 401:
            raise RequestFault("The client id or its secret is wrong (401).", status=401)
        if response.status_code != 200:
            raise failure_of(response.status_code, response.content, _reference(response))
        token = msgspec.json.decode(response.content, type=Token)
        self._token = token.access_token
        self._renew_at = time.monotonic() + max(1.0, token.expires_in - TOKEN_MARGIN_S)
        return token

    def forget_token(self) -> bool:
        """Whether another token can be had after this one was refused."""
        if not isinstance(self._credentials, ClientSecret):
            return False
        self._token = None
        return True

    def request(self, client: httpx.Client | httpx.AsyncClient, call: Call[T]) -> httpx.Request:
        headers: dict[str, str] = dict(call.headers)
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        path = call.path.replace("{environment}", quote(self.environment, safe=""))
        parameters: Mapping[str, str] | None = call.parameters or None
        return client.build_request(call.method, path, content=call.body, headers=headers, params=parameters)


class _Attempts:
    """The attempts of one call: how many, whether one of them may have been recorded, how long to wait."""

    def __init__(self, talk: _Conversation, call: Call[Any]) -> None:
        self._talk = talk
        self._call = call
        self._count = 0
        self._open: OutcomeUnknown | None = None

    def wait_after(self, failure: CallFailed, answer: httpx.Response | None) -> float:
        """Seconds to wait before the next attempt.

        Raises:
            CallFailed: there is none; unknown if any attempt may have been recorded.
        """
        self._count += 1
        if failure.status == 401 and self._count == 1 and self._talk.forget_token():
            return 0.0
        if isinstance(failure, OutcomeUnknown):
            self._open = failure
        again = isinstance(failure, NotServed) or (
            isinstance(failure, OutcomeUnknown) and self._call.repeatable
        )
        if not again or self._count >= self._talk.attempts_max:
            raise self._open if again and self._open else failure
        asked = answer.headers.get("Retry-After", "") if answer is not None else ""
        wait = float(asked) if asked.isdigit() else WAIT_FIRST_S * 2.0 ** (self._count - 1)
        return min(WAIT_MAX_S, wait) * self._talk.jitter.uniform(0.5, 1.5)


def _reference(response: httpx.Response) -> str:
    return str(response.headers.get("x-ms-service-request-id", ""))


def _judge(response: httpx.Response) -> CallFailed | None:
    if response.is_success:
        return None
    return failure_of(response.status_code, response.content, _reference(response))


def _broken(error: httpx.TransportError, url: str) -> CallFailed:
    reason = str(error) or type(error).__name__
    if isinstance(error, NEVER_SENT):
        return NotServed(f"Cannot reach onhand at {url}: {reason}. Is `onhand serve` running?")
    return OutcomeUnknown(f"The connection to {url} broke before the answer came: {reason}.")


class Client:
    """Blocking client; close it, or use it in a `with` block."""

    def __init__(
        self,
        url: str,
        environment: str = "",
        credentials: Credentials = None,
        *,
        timeout_seconds: float = TIMEOUT_S,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self._talk = _Conversation(url, environment, credentials, attempts_max)
        self._http = httpx.Client(base_url=self._talk.url, timeout=timeout_seconds, verify=self._talk.verify)

    def send(self, call: Call[T]) -> T:
        """Send a call and return its answer.

        Raises:
            CallFailed: no answer of the rules came; its class says what to do.
        """
        attempts = _Attempts(self._talk, call)
        while True:
            response: httpx.Response | None = None
            try:
                if self._talk.token_is_due():
                    self._talk.take_token(self._http.send(self._talk.token_request(self._http)))
                response = self._http.send(self._talk.request(self._http, call))
                failure = _judge(response)
            except httpx.TransportError as error:
                failure = _broken(error, self._talk.url)
            except NotServed as busy:  # the token endpoint
                failure = busy
            if failure is None and response is not None:
                return call.read(response.content)
            assert failure is not None  # noqa: S101 - there was no response
            time.sleep(attempts.wait_after(failure, response))

    def token(self) -> Token:
        """A fresh access token of this client.

        Raises:
            CallFailed: the service cannot be reached or does not know the client.
        """
        try:
            return self._talk.take_token(self._http.send(self._talk.token_request(self._http)))
        except httpx.TransportError as error:
            raise _broken(error, self._talk.url) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """Client for asyncio; close it, or use it in an `async with` block."""

    def __init__(  # noqa: PLR0913 - address, credentials and its bounds
        self,
        url: str,
        environment: str = "",
        credentials: Credentials = None,
        *,
        timeout_seconds: float = TIMEOUT_S,
        attempts_max: int = ATTEMPTS_MAX,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self._talk = _Conversation(url, environment, credentials, attempts_max)
        limits = httpx.Limits(max_connections=connections_max, max_keepalive_connections=connections_max)
        self._http = httpx.AsyncClient(
            base_url=self._talk.url, timeout=timeout_seconds, limits=limits, verify=self._talk.verify
        )
        self._renewing = asyncio.Lock()

    async def send(self, call: Call[T]) -> T:
        """Send a call and return its answer.

        Raises:
            CallFailed: no answer of the rules came; its class says what to do.
        """
        attempts = _Attempts(self._talk, call)
        while True:
            response: httpx.Response | None = None
            try:
                await self._renew()
                response = await self._http.send(self._talk.request(self._http, call))
                failure = _judge(response)
            except httpx.TransportError as error:
                failure = _broken(error, self._talk.url)
            except NotServed as busy:  # the token endpoint
                failure = busy
            if failure is None and response is not None:
                return call.read(response.content)
            assert failure is not None  # noqa: S101 - there was no response
            await asyncio.sleep(attempts.wait_after(failure, response))

    async def _renew(self) -> None:
        if not self._talk.token_is_due():
            return
        async with self._renewing:
            if self._talk.token_is_due():
                self._talk.take_token(await self._http.send(self._talk.token_request(self._http)))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
