"""Signing keys and tokens: issue, verify, rotate.

Three kinds of key life: a key *signs* until `retires_at`, *verifies* until `expires_at`, then disappears from
the published set. `expires_at` lies at least one token life behind `retires_at`, so rotation never breaks a
token that is still valid. Keys live in the catalogue, so that all processes sign with the same ones.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from onhand.ports import Catalogue, Clock
from onhand.rows import SigningKey

ALGORITHM: Final = "ES256"
AUDIENCE: Final = "onhand"
"""`aud` of an access token; the API accepts no other."""
FIRST_HOP_AUDIENCE: Final = "onhand:first-hop"
"""`aud` of the token of the first hop (specification 2.3); good for the exchange only."""

KEY_SIGNS: Final = timedelta(days=30)
KEYS_REREAD_S: Final = 60
"""Seconds after which the keys are read from the catalogue again; an unknown key id does so at most as often."""


class TokenRefused(Exception):  # noqa: N818 - the edge's word: the token is refused
    """The token is unreadable, forged, expired or meant for something else."""


class KeyRing:
    """The service's own signing keys."""

    def __init__(
        self,
        catalogue: Catalogue,
        clock: Clock,
        issuer: str,
        token_life_s: int,
        *,
        any_issuer: bool = False,
    ) -> None:
        self.issuer = issuer
        self.token_life_s = token_life_s
        self._any_issuer = any_issuer
        self._catalogue = catalogue
        self._clock = clock
        self._keys: list[SigningKey] = []
        self._private: dict[str, ECKey] = {}
        self._public = KeySet([])
        self._read_at = -1.0

    async def start(self) -> None:
        """Read the keys; make the first one when there is none."""
        await self._read()
        await self._current()

    async def rotate(self) -> SigningKey:
        """Make a new key that signs from now on; older keys verify until they expire."""
        made = self._now()
        retires = made + KEY_SIGNS
        key_id = secrets.token_hex(8)
        jwk: dict[str, Any] = dict(ECKey.generate_key("P-256", private=True).as_dict(private=True))
        key = SigningKey(
            key_id=key_id,
            jwk={**jwk, "kid": key_id, "use": "sig", "alg": ALGORITHM},
            created_at=made,
            retires_at=retires,
            expires_at=retires + 2 * timedelta(seconds=self.token_life_s),
        )
        await self._catalogue.add_signing_key(key)
        await self._read()
        return key

    async def issue(self, audience: str, claims: dict[str, Any]) -> str:
        """A signed token. `claims` are added to issuer, audience, times and a unique id (RFC 9068)."""
        key = await self._current()
        now = self._clock.now_us() // 1_000_000
        payload = {
            "iss": self.issuer,
            "aud": audience,
            "iat": now,
            "exp": now + self.token_life_s,
            "jti": secrets.token_urlsafe(12),
            **claims,
        }
        header = {"alg": ALGORITHM, "kid": key.key_id, "typ": "at+jwt" if audience == AUDIENCE else "JWT"}
        return jwt.encode(header, payload, self._private[key.key_id], algorithms=[ALGORITHM])

    async def verify(self, token: str, audience: str) -> dict[str, Any]:
        """Claims of a token of ours.

        Raises:
            TokenRefused: it is not one, has expired, or is for another audience.
        """
        if self._age_s() > KEYS_REREAD_S:
            await self._read()
        try:
            claims = dict(jwt.decode(token, self._public, algorithms=[ALGORITHM]).claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise TokenRefused("the token cannot be verified") from error
        check_times(claims, self._clock.now_us() // 1_000_000)
        ours = self._any_issuer or claims.get("iss") == self.issuer
        if not ours or claims.get("aud") != audience:
            raise TokenRefused("the token was issued for something else")
        return claims

    def public(self) -> dict[str, Any]:
        """The published key set (`jwks.json`)."""
        return dict(self._public.as_dict(private=False))

    async def _current(self) -> SigningKey:
        if self._age_s() > KEYS_REREAD_S:
            await self._read()
        now = self._now()
        for key in self._keys:
            if key.created_at <= now < key.retires_at:
                return key
        return await self.rotate()

    async def _read(self) -> None:
        now = self._now()
        keys = [key for key in await self._catalogue.signing_keys() if key.expires_at > now]
        self._keys = sorted(keys, key=lambda key: key.created_at, reverse=True)
        self._private = {key.key_id: ECKey.import_key(key.jwk) for key in self._keys}
        self._public = KeySet(list(self._private.values()))
        self._read_at = self._seconds()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._seconds(), UTC)

    def _seconds(self) -> float:
        return self._clock.now_us() / 1_000_000

    def _age_s(self) -> float:
        return self._seconds() - self._read_at


def check_times(claims: dict[str, Any], now: int) -> None:
    """Refuse a token outside `nbf`..`exp`; a token without `exp` is refused.

    Raises:
        TokenRefused: the token is not valid now.
    """
    expires, not_before = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(not_before, int | float):
        raise TokenRefused("the token has no readable expiry")
    if expires <= now:
        raise TokenRefused("the token has expired")
    if not_before > now:
        raise TokenRefused("the token is not valid yet")
