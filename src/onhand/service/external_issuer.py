"""Tokens of an external OpenID Connect issuer: its keys, fetched and kept with a bounded refresh."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from onhand.ports import Clock
from onhand.service.tokens import TokenRefused, check_times

ALGORITHMS: Final = ["RS256", "PS256", "ES256", "EdDSA"]
REFRESH_AFTER_S: Final = 3_600
"""Seconds after which the keys are fetched again."""
REFRESH_AT_MOST_EVERY_S: Final = 30
"""Seconds between two fetches, whatever tokens arrive: unknown key ids cannot flood the issuer."""
FETCH_TIMEOUT_S: Final = 5.0
FETCH_BYTES_MAX: Final = 256 * 1024


class ExternalIssuerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which issuer is trusted, and how its tokens are read."""

    issuer: str
    audience: str
    jwks_url: str = ""
    """Empty: read from the issuer's discovery document."""
    environment_claim: str = "env"
    """Claim with the environment id, or a list of them."""
    client_claim: str = "azp"
    """Claim that names the client; `client_id`, `appid` and `sub` are tried after it."""


class ExternalIssuer:
    """Verifies tokens of the external issuer."""

    def __init__(
        self,
        settings: ExternalIssuerSettings,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._transport = transport
        self._keys: KeySet | None = None
        self._tried_at = float("-inf")
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> dict[str, Any]:
        """Claims of a token of the issuer for our audience.

        Raises:
            TokenRefused: it is not one, or the issuer's keys cannot be had.
        """
        await self._refresh(older_than_s=REFRESH_AFTER_S)
        claims = self._decode(token)
        if claims is None:
            await self._refresh(older_than_s=REFRESH_AT_MOST_EVERY_S)
            claims = self._decode(token)
        if claims is None:
            raise TokenRefused("the token was not signed by a key of the external issuer")
        check_times(claims, int(self._seconds()))
        audiences = claims.get("aud")
        audiences = audiences if isinstance(audiences, list) else [audiences]
        if claims.get("iss") != self.settings.issuer or self.settings.audience not in audiences:
            raise TokenRefused("the token was issued for something else")
        return claims

    def _decode(self, token: str) -> dict[str, Any] | None:
        if self._keys is None:
            return None
        try:
            return dict(jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims)
        except (JoseError, ValueError, TypeError, KeyError):
            return None

    async def _refresh(self, older_than_s: float) -> None:
        async with self._fetching:
            now = self._seconds()
            if now - self._fetched_at < older_than_s or now - self._tried_at < REFRESH_AT_MOST_EVERY_S:
                return
            self._tried_at = now
            try:
                self._keys = await self._fetch()
                self._fetched_at = now
            except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError):
                return  # the keys we have stay in use; verify refuses when there are none

    async def _fetch(self) -> KeySet:
        async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, transport=self._transport) as client:
            url = self.settings.jwks_url
            if not url:
                base = self.settings.issuer.rstrip("/")
                url = str((await _get(client, f"{base}/.well-known/openid-configuration"))["jwks_uri"])
            document = await _get(client, url)
        return KeySet.import_key_set({"keys": list(document["keys"])})

    def _seconds(self) -> float:
        return self._clock.now_us() / 1_000_000


async def _get(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    answer = await client.get(url)
    answer.raise_for_status()
    if len(answer.content) > FETCH_BYTES_MAX:
        raise ValueError("the issuer's answer is too large")
    return msgspec.json.decode(answer.content, type=dict[str, Any])
