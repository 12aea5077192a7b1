"""Who may do what: the way from a header to a principal, and the tokens that headers carry.

A verified header is remembered in a bounded cache, so that a request costs one dictionary look-up. An entry
lives at most `PRINCIPAL_LIFE_S`, which bounds how long a disabled client goes on.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections import OrderedDict
from typing import Final, Literal

import msgspec

from onhand.ports import Catalogue, Clock
from onhand.rows import ClientRow
from onhand.service.clients import Clients
from onhand.service.external_issuer import ExternalIssuer
from onhand.service.principals import (
    DEFAULT_SCOPES,
    EVERYWHERE,
    SCOPES,
    Forbidden,
    Principal,
    Unauthenticated,
)
from onhand.service.tokens import AUDIENCE, FIRST_HOP_AUDIENCE, KeyRing, TokenRefused

PRINCIPALS_MAX: Final = 10_000
"""Verified headers that are remembered."""
PRINCIPAL_LIFE_S: Final = 60
"""Seconds after which a remembered header is verified again."""
TOKEN_BYTES_MAX: Final = 8 * 1024


class IssuedToken(msgspec.Struct, frozen=True):
    """An access token as handed out; `expires_in` in seconds."""

    access_token: str
    expires_in: int
    scope: str = ""


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How callers are authenticated."""

    mode: Literal["token", "static", "none"] = "token"
    """`static` and `none` are for development; `refuse_open_bind` keeps them on the loopback interface."""
    issuer: str = "http://localhost:8300"
    any_issuer: bool = False
    """Take tokens signed with a key of this database whatever they name as issuer: processes that share a database
    and have no common public address differ in it."""
    token_life_s: int = 3_600
    static_key: str = ""


def refuse_open_bind(mode: str, host: str) -> str | None:
    """Why the service must not listen on `host` in this mode; None when it may."""
    if mode == "token":
        return None
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host.lower() == "localhost"
    if loopback:
        return None
    return (
        f"Authentication mode '{mode}' lets every caller in, so the service only listens on the loopback "
        f"interface with it, not on '{host}'. Set the mode to 'token', or the host to 127.0.0.1."
    )


class Access:
    """Authenticates callers and issues tokens."""

    def __init__(
        self,
        catalogue: Catalogue,
        clock: Clock,
        settings: AccessSettings,
        external: ExternalIssuer | None = None,
    ) -> None:
        self.settings = settings
        self.keys = KeyRing(
            catalogue, clock, settings.issuer, settings.token_life_s, any_issuer=settings.any_issuer
        )
        self._clients = Clients(catalogue)
        self._clock = clock
        self._external = external
        self._known: OrderedDict[bytes, tuple[Principal, int]] = OrderedDict()
        self._anyone = Principal("anyone", frozenset({EVERYWHERE}), frozenset(SCOPES))

    async def start(self) -> None:
        """Read the signing keys; make the first one on a new installation."""
        if self.settings.mode == "token":
            await self.keys.start()

    # Callers ---------------------------------------------------------------------------------------------

    def remembered(self, authorization: bytes) -> Principal | None:
        """The principal of a header verified a short while ago; no I/O."""
        entry = self._known.get(authorization)
        if entry is None or entry[1] <= self._clock.now_us():
            return None
        return entry[0]

    async def authenticate(self, authorization: bytes | None) -> Principal:
        """The principal of an `Authorization` header.

        Raises:
            Unauthenticated: there is none, or it is not valid (any more).
        """
        if self.settings.mode == "none":
            return self._anyone
        if authorization is None or len(authorization) > TOKEN_BYTES_MAX:
            raise Unauthenticated("no usable Authorization header")
        found = self.remembered(authorization)
        if found is not None:
            return found
        scheme, _, credentials = authorization.decode("latin-1").strip().partition(" ")
        if scheme.lower() != "bearer" or not credentials.strip():
            raise Unauthenticated("the scheme is not Bearer")
        principal, until = await self._verify(credentials.strip())
        self._remember(authorization, principal, until)
        return principal

    async def _verify(self, token: str) -> tuple[Principal, int]:
        if self.settings.mode == "static":
            if not hmac.compare_digest(token.encode(), self.settings.static_key.encode()):
                raise Unauthenticated("the key is not the configured one")
            return Principal("static-key", frozenset({EVERYWHERE}), frozenset(SCOPES)), self._expiry(None)
        try:
            claims = await self.keys.verify(token, AUDIENCE)
        except TokenRefused as refused:
            if self._external is None:
                raise Unauthenticated("the token is not valid") from refused
            return await self._verify_external(token)
        client = await self._clients.find(str(claims.get("client_id", "")))
        if client is None or client.disabled:
            raise Unauthenticated("the client does not exist or is disabled")
        scopes = set(str(claims.get("scope", "")).split()) & set(client.scopes or DEFAULT_SCOPES)
        environments = _both(_environments(claims.get("env")), client.environments)
        principal = Principal(client.client_id, environments, frozenset(scopes))
        return principal, self._expiry(int(claims["exp"]))

    async def _verify_external(self, token: str) -> tuple[Principal, int]:
        assert self._external is not None  # noqa: S101 - the caller checked
        try:
            claims = await self._external.verify(token)
        except TokenRefused as refused:
            raise Unauthenticated("the token is not valid") from refused
        settings = self._external.settings
        names = (settings.client_claim, "client_id", "appid", "sub")
        client = next((str(claims[name]) for name in names if claims.get(name)), "")
        if not client:
            raise Unauthenticated("the token names no client")
        known = await self._clients.find(client)
        if known is not None and known.disabled:
            raise Unauthenticated("the client is disabled")
        given = claims.get("scope") or claims.get("scp") or claims.get("roles") or ()
        named = given if isinstance(given, list) else str(given).split()
        scopes = frozenset(map(str, named)) & frozenset(SCOPES)
        principal = Principal(client, _environments(claims.get(settings.environment_claim)), scopes)
        return principal, self._expiry(int(claims["exp"]))

    def _expiry(self, token_expires_s: int | None) -> int:
        latest = self._clock.now_us() + PRINCIPAL_LIFE_S * 1_000_000
        return latest if token_expires_s is None else min(latest, token_expires_s * 1_000_000)

    def _remember(self, authorization: bytes, principal: Principal, until: int) -> None:
        self._known[authorization] = (principal, until)
        while len(self._known) > PRINCIPALS_MAX:
            self._known.popitem(last=False)

    # Tokens ----------------------------------------------------------------------------------------------

    async def client_credentials(
        self, client_id: str, secret: str, scope: str = "", environment: str = ""
    ) -> IssuedToken:
        """A token by OAuth2 client credentials. `scope` narrows; empty or unknown to us means all of the client's.

        Raises:
            Unauthenticated: the client or its secret is wrong.
            Forbidden: the environment is not one of the client's.
        """
        if self.settings.mode != "token":
            return self._development(secret)
        client = await self._clients.proven(client_id, secret)
        return await self._token(client, scope, environment)

    async def first_hop(self, client_id: str, secret: str) -> IssuedToken:
        """A token of the first hop (specification 2.3); the API itself refuses it.

        Raises:
            Unauthenticated: the client or its secret is wrong.
        """
        if self.settings.mode != "token":
            return self._development(secret)
        client = await self._clients.proven(client_id, secret)
        claims = {"sub": client.client_id, "appid": client.client_id}
        return IssuedToken(await self.keys.issue(FIRST_HOP_AUDIENCE, claims), self.settings.token_life_s)

    async def exchange(self, assertion: str, environment: str) -> IssuedToken:
        """The second hop: a first-hop token for an access token of one environment.

        Raises:
            Unauthenticated: the assertion is not a valid first-hop token.
            Forbidden: the environment is not one of the client's.
        """
        if self.settings.mode != "token":
            return self._development(assertion)
        client_id = await self._assertion_client(assertion)
        client = await self._clients.find(client_id)
        if client is None or client.disabled:
            raise Unauthenticated("the client does not exist or is disabled")
        if not environment:
            raise Forbidden("context must name an environment")
        return await self._token(client, "", environment)

    def _development(self, secret: str) -> IssuedToken:
        """What the token endpoints give in the modes for development: the static key to who knows it."""
        if self.settings.mode == "static" and not hmac.compare_digest(
            secret.encode(), self.settings.static_key.encode()
        ):
            raise Unauthenticated("the key is not the configured one")
        token = self.settings.static_key if self.settings.mode == "static" else "none"
        return IssuedToken(token, self.settings.token_life_s, " ".join(SCOPES))

    async def _assertion_client(self, assertion: str) -> str:
        try:
            claims = await self.keys.verify(assertion, FIRST_HOP_AUDIENCE)
        except TokenRefused as refused:
            if self._external is None:
                raise Unauthenticated("the assertion is not valid") from refused
            principal, _ = await self._verify_external(assertion)
            return principal.client_id
        return str(claims["sub"])

    async def _token(self, client: ClientRow, scope: str, environment: str) -> IssuedToken:
        allowed = client.scopes or DEFAULT_SCOPES
        wanted = [name for name in scope.split() if name in SCOPES]
        granted = [name for name in allowed if name in wanted] if wanted else list(allowed)
        if environment:
            chosen = environment.lower()
            own = {name.lower() for name in client.environments}
            if chosen not in own and EVERYWHERE not in own:
                raise Forbidden("the environment is not one of the client's")
            env: str | list[str] = chosen
        else:
            env = [name.lower() for name in client.environments]
        claims = {
            "sub": client.client_id,
            "client_id": client.client_id,
            "scope": " ".join(granted),
            "env": env,
        }
        token = await self.keys.issue(AUDIENCE, claims)
        return IssuedToken(token, self.settings.token_life_s, " ".join(granted))

    # Clients ---------------------------------------------------------------------------------------------

    async def create_client(
        self, client_id: str, environments: tuple[str, ...], scopes: tuple[str, ...] = (), secret: str = ""
    ) -> str:
        """Create or replace a client and return its secret, which is kept only as a hash.

        Raises:
            ValueError: a scope is unknown, the id is empty, or a text is too long.
        """
        made = await self._clients.create(client_id, environments, scopes, secret)
        self._known.clear()
        return made

    async def disable_client(self, client_id: str) -> bool:
        """Refuse the client from now on (other processes follow within `PRINCIPAL_LIFE_S`); False: unknown."""
        disabled = await self._clients.disable(client_id)
        self._known.clear()
        return disabled

    async def clients(self) -> list[ClientRow]:
        """All clients."""
        return await self._clients.all()


def _both(claimed: frozenset[str], current: tuple[str, ...]) -> frozenset[str]:
    """Environments that a token names and its client still has."""
    own = frozenset(name.lower() for name in current)
    if EVERYWHERE in own:
        return claimed
    return own if EVERYWHERE in claimed else claimed & own


def _environments(claim: object) -> frozenset[str]:
    names = claim if isinstance(claim, list) else [claim] if claim else []
    return frozenset(str(name).lower() for name in names)
