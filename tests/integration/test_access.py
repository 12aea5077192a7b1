"""Clients, tokens, key rotation and external issuers, over a real catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from onhand.service.access import PRINCIPAL_LIFE_S, PRINCIPALS_MAX, Access, AccessSettings, refuse_open_bind
from onhand.service.clients import HASHES_WAITING_MAX
from onhand.service.external_issuer import ExternalIssuer, ExternalIssuerSettings
from onhand.service.faults import Busy
from onhand.service.principals import DEFAULT_SCOPES, Forbidden, Unauthenticated
from onhand.service.tokens import KEY_SIGNS
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.pool import open_pool
from tests.serving import ISSUER, MovableClock

OIDC = "https://login.example"


@pytest.fixture
async def catalogue(database_url: str) -> AsyncIterator[PostgresCatalogue]:
    pool = await open_pool(database_url)
    yield PostgresCatalogue(pool)
    await pool.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def access(catalogue: PostgresCatalogue, clock: MovableClock) -> Access:
    made = Access(catalogue, clock, AccessSettings(issuer=ISSUER))
    await made.start()
    return made


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


async def test_client_credentials(access: Access, catalogue: PostgresCatalogue) -> None:
    secret = await access.create_client("pos", ("Shop",))
    stored = await catalogue.client("pos")
    assert stored is not None
    assert secret not in stored.secret_hash
    issued = await access.client_credentials("pos", secret)
    principal = await access.authenticate(bearer(issued.access_token))
    assert (principal.client_id, principal.environments) == ("pos", {"shop"})
    assert principal.scopes == set(DEFAULT_SCOPES)
    assert access.remembered(bearer(issued.access_token)) == principal


@pytest.mark.parametrize(("client", "secret"), [("pos", "wrong"), ("pos", ""), ("nobody", "x"), ("", "")])
async def test_wrong_credentials(access: Access, client: str, secret: str) -> None:
    await access.create_client("pos", ("shop",))
    with pytest.raises(Unauthenticated):
        await access.client_credentials(client, secret)


async def test_scopes_can_be_narrowed_and_never_widened(access: Access) -> None:
    secret = await access.create_client("pos", ("shop",), ("onhand:read", "reservation:write"))
    issued = await access.client_credentials("pos", secret, "onhand:read admin")
    principal = await access.authenticate(bearer(issued.access_token))
    assert principal.scopes == {"onhand:read"}
    with pytest.raises(ValueError, match="Unknown scope"):
        await access.create_client("x", (), ("everything",))


async def test_an_environment_taken_from_a_client_is_closed_to_its_tokens(access: Access) -> None:
    secret = await access.create_client("pos", ("shop", "outlet"))
    token = (await access.client_credentials("pos", secret)).access_token
    everywhere = await access.create_client("all", ("*",))
    wide = (await access.client_credentials("all", everywhere)).access_token
    await access.create_client("pos", ("Shop",))
    await access.create_client("all", ("shop",))
    assert (await access.authenticate(bearer(token))).environments == {"shop"}
    assert (await access.authenticate(bearer(wide))).environments == {"shop"}


@pytest.mark.parametrize("client", ["a\0b", "x" * 100_000])
async def test_an_id_that_no_client_can_have(access: Access, client: str) -> None:
    with pytest.raises(Unauthenticated):
        await access.client_credentials(client, "secret")
    assert not await access.disable_client(client)


async def test_guessing_neither_fills_the_service_nor_locks_clients_out(access: Access) -> None:
    secret = await access.create_client("pos", ("shop",))
    await access.client_credentials("pos", secret)
    guesses = [
        asyncio.create_task(access.client_credentials("pos", f"guess {number}"))
        for number in range(HASHES_WAITING_MAX + 20)
    ]
    await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
    assert (await access.client_credentials("pos", secret)).access_token
    assert sum(not guess.done() for guess in guesses) > 1, "the client did not wait for the guesses"
    ended = await asyncio.gather(*guesses, return_exceptions=True)
    assert {type(one) for one in ended} == {Busy, Unauthenticated}
    assert sum(isinstance(one, Busy) for one in ended) == 20
    await access.create_client("pos", ("shop",))
    with pytest.raises(Unauthenticated):
        await access.client_credentials("pos", secret)


async def test_environment_of_somebody_else(access: Access) -> None:
    secret = await access.create_client("pos", ("shop",))
    with pytest.raises(Forbidden):
        await access.client_credentials("pos", secret, environment="other")
    assertion = (await access.first_hop("pos", secret)).access_token
    with pytest.raises(Forbidden):
        await access.exchange(assertion, "other")
    with pytest.raises(Forbidden):
        await access.exchange(assertion, "")


async def test_processes_of_one_database_take_each_others_tokens_unless_they_have_a_public_address(
    catalogue: PostgresCatalogue, clock: MovableClock
) -> None:
    here, there, public = (
        Access(catalogue, clock, AccessSettings(issuer=f"http://host:{port}", any_issuer=port < 3))
        for port in (1, 2, 3)
    )
    secret = await here.create_client("pos", ("shop",))
    token = bearer((await here.client_credentials("pos", secret)).access_token)
    assert (await there.authenticate(token)).client_id == "pos"
    with pytest.raises(Unauthenticated):
        await public.authenticate(token)


async def test_hops_do_not_mix(access: Access) -> None:
    secret = await access.create_client("pos", ("shop",))
    assertion = (await access.first_hop("pos", secret)).access_token
    issued = (await access.exchange(assertion, "SHOP")).access_token
    assert (await access.authenticate(bearer(issued))).environments == {"shop"}
    with pytest.raises(Unauthenticated):
        await access.authenticate(bearer(assertion))
    with pytest.raises(Unauthenticated):
        await access.exchange(issued, "shop")


async def test_disabled_clients_are_out_at_once_here_and_soon_elsewhere(
    access: Access, catalogue: PostgresCatalogue, clock: MovableClock
) -> None:
    secret = await access.create_client("pos", ("shop",))
    token = (await access.client_credentials("pos", secret)).access_token
    elsewhere = Access(catalogue, clock, access.settings)
    assert (await elsewhere.authenticate(bearer(token))).client_id == "pos"
    assert await access.disable_client("pos")
    with pytest.raises(Unauthenticated):
        await access.authenticate(bearer(token))
    with pytest.raises(Unauthenticated):
        await access.client_credentials("pos", secret)
    clock.ahead_s = PRINCIPAL_LIFE_S + 1
    with pytest.raises(Unauthenticated):
        await elsewhere.authenticate(bearer(token))
    assert not await access.disable_client("nobody")


async def test_rotation_keeps_old_tokens_until_they_expire(access: Access, clock: MovableClock) -> None:
    secret = await access.create_client("pos", ("shop",))
    old = (await access.client_credentials("pos", secret)).access_token
    await access.keys.rotate()
    new = (await access.client_credentials("pos", secret)).access_token
    assert len(access.keys.public()["keys"]) == 2
    for token in (old, new):
        assert (await access.authenticate(bearer(token))).client_id == "pos"
    clock.ahead_s = KEY_SIGNS.total_seconds() + 1
    latest = (await access.client_credentials("pos", secret)).access_token
    assert len(access.keys.public()["keys"]) == 3
    assert (await access.authenticate(bearer(latest))).client_id == "pos"
    clock.ahead_s = (KEY_SIGNS + timedelta(hours=3)).total_seconds()
    await access.client_credentials("pos", secret)
    assert len(access.keys.public()["keys"]) == 1
    assert all("d" not in key for key in access.keys.public()["keys"])


async def test_forged_tokens(access: Access, clock: MovableClock) -> None:
    await access.create_client("pos", ("shop",))
    now = clock.now_us() // 1_000_000
    claims = {
        "iss": ISSUER, "aud": "onhand", "exp": now + 60, "client_id": "pos", "env": "shop", "scope": "admin"
    }  # fmt: skip
    (public,) = access.keys.public()["keys"]
    own_key = ECKey.generate_key("P-256")
    forged = [
        jwt.encode({"alg": "ES256", "kid": public["kid"]}, claims, own_key),
        jwt.encode({"alg": "ES256"}, claims, own_key),
        jwt.encode({"alg": "HS256", "kid": public["kid"]}, claims, OctKey.import_key(str(public["x"]))),
        "eyJhbGciOiJub25lIn0.e30.",
        "..",
        "a.b.c",
    ]
    for token in forged:
        with pytest.raises(Unauthenticated):
            await access.authenticate(bearer(token))


@pytest.mark.parametrize(
    "header", [None, b"", b"Bearer", b"Bearer ", b"Basic x", b"Bearer " + b"x" * 9_000, b"\xff"]
)
async def test_useless_headers(access: Access, header: bytes | None) -> None:
    with pytest.raises(Unauthenticated):
        await access.authenticate(header)


async def test_memory_of_principals_is_bounded(access: Access) -> None:
    secret = await access.create_client("pos", ("shop",))
    token = (await access.client_credentials("pos", secret)).access_token
    principal = await access.authenticate(bearer(token))
    for number in range(PRINCIPALS_MAX + 10):
        access._remember(str(number).encode(), principal, 2**62)
    assert len(access._known) == PRINCIPALS_MAX
    assert access.remembered(bearer(token)) is None


async def test_static_key_and_no_authentication(catalogue: PostgresCatalogue, clock: MovableClock) -> None:
    static = Access(catalogue, clock, AccessSettings(mode="static", static_key="letmein"))
    assert (await static.authenticate(b"bearer letmein")).may_enter("anything")
    with pytest.raises(Unauthenticated):
        await static.authenticate(b"Bearer letmeinn")
    anyone = Access(catalogue, clock, AccessSettings(mode="none"))
    assert "admin" in (await anyone.authenticate(None)).scopes
    # Clients that fetch tokens work unchanged in both modes.
    for access, secret in ((static, "letmein"), (anyone, "whatever")):
        assertion = (await access.first_hop("x", secret)).access_token
        issued = (await access.exchange(assertion, "e1")).access_token
        assert (await access.authenticate(bearer(issued))).may_enter("e1")
    with pytest.raises(Unauthenticated):
        await static.first_hop("x", "wrong")


@pytest.mark.parametrize("mode", ["none", "static"])
def test_open_modes_stay_on_the_loopback_interface(mode: str) -> None:
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert refuse_open_bind(mode, host) is None
    for host in ("0.0.0.0", "::", "10.0.0.1", "shop.example", ""):  # noqa: S104 - that is the point
        assert "loopback" in (refuse_open_bind(mode, host) or "")
        assert refuse_open_bind("token", host) is None


# External issuers --------------------------------------------------------------------------------------------


class Issuer:
    """An OpenID Connect issuer that counts how often its keys are fetched."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.fetched = 0
        self.down = False

    def transport(self) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            if self.down:
                return httpx.Response(503)
            if request.url.path == "/.well-known/openid-configuration":
                return httpx.Response(200, json={"jwks_uri": f"{OIDC}/keys"})
            self.fetched += 1
            return httpx.Response(200, json={"keys": [self.key.as_dict(private=False)]})

        return httpx.MockTransport(answer)

    def token(self, now: int, **claims: Any) -> str:
        payload = {
            "iss": OIDC, "aud": ["other", "api://onhand"], "exp": now + 600, "azp": "erp", "env": "Shop",
            "scp": "onhand:read unknown", **claims,
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, payload, self.key)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def federated(catalogue: PostgresCatalogue, clock: MovableClock, issuer: Issuer) -> Access:
    settings = ExternalIssuerSettings(issuer=OIDC, audience="api://onhand")
    external = ExternalIssuer(settings, clock, issuer.transport())
    made = Access(catalogue, clock, AccessSettings(issuer=ISSUER), external)
    await made.start()
    return made


async def test_external_token(federated: Access, issuer: Issuer, clock: MovableClock) -> None:
    now = clock.now_us() // 1_000_000
    principal = await federated.authenticate(bearer(issuer.token(now)))
    assert (principal.client_id, principal.environments, principal.scopes) == (
        "erp",
        {"shop"},
        {"onhand:read"},
    )
    for wrong in ({"aud": "other"}, {"iss": "https://evil.example"}, {"exp": now - 1}, {"nbf": now + 60}):
        with pytest.raises(Unauthenticated):
            await federated.authenticate(bearer(issuer.token(now, **wrong)))


async def test_scopes_of_an_external_token_come_as_text_or_list(
    federated: Access, issuer: Issuer, clock: MovableClock
) -> None:
    now = clock.now_us() // 1_000_000
    for number, claim in enumerate(("scope", "scp", "roles")):
        for given in ("onhand:read erp:write", ["onhand:read", "erp:write"]):
            claims = {"scp": "", claim: given, "jti": str(number)}
            principal = await federated.authenticate(bearer(issuer.token(now, **claims)))
            assert principal.scopes == {"onhand:read", "erp:write"}, claims


async def test_a_client_disabled_here_does_not_come_back_by_an_external_token(
    federated: Access, issuer: Issuer, clock: MovableClock
) -> None:
    await federated.create_client("erp", ("shop",))
    await federated.disable_client("erp")
    with pytest.raises(Unauthenticated):
        await federated.authenticate(bearer(issuer.token(clock.now_us() // 1_000_000)))


async def test_external_assertion_is_exchanged_for_a_known_client(
    federated: Access, issuer: Issuer, clock: MovableClock
) -> None:
    await federated.create_client("erp", ("shop",))
    now = clock.now_us() // 1_000_000
    issued = await federated.exchange(issuer.token(now, aud="api://onhand"), "shop")
    assert (await federated.authenticate(bearer(issued.access_token))).client_id == "erp"


async def test_keys_are_fetched_with_a_bound(federated: Access, issuer: Issuer, clock: MovableClock) -> None:
    now = clock.now_us() // 1_000_000
    await federated.authenticate(bearer(issuer.token(now)))
    issuer.key = RSAKey.generate_key(2048, {"kid": "k2"})
    for number in range(5):
        with pytest.raises(Unauthenticated):
            await federated.authenticate(bearer(issuer.token(now, jti=str(number))))
    assert issuer.fetched == 1
    clock.ahead_s = 31
    assert (await federated.authenticate(bearer(issuer.token(now)))).client_id == "erp"
    assert issuer.fetched == 2
    issuer.down = True
    clock.ahead_s = 4_000
    later = clock.now_us() // 1_000_000
    assert (await federated.authenticate(bearer(issuer.token(later)))).client_id == "erp"
