"""Token endpoints: OAuth2 client credentials, and the two hops of the original (specification 2.3)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from onhand.api.compat.decoding import Unreadable, lower_keys, read_json
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.services import Services
from onhand.service.principals import SCOPES, Forbidden, Unauthenticated


class ExchangeRequest(msgspec.Struct):
    """Body of the exchange; names in any case, further fields are ignored."""

    client_assertion: str
    context: str
    grant_type: str = "client_credentials"


class TokenAnswer(msgspec.Struct):
    """What a token endpoint gives."""

    access_token: str
    token_type: str
    expires_in: int


class TokenError(msgspec.Struct):
    """Why a token endpoint gives nothing (RFC 6749, 5.2)."""

    error: str
    error_description: str


NO_STORE = ((b"cache-control", b"no-store"),)


async def first_hop(call: Call, services: Services) -> Reply:
    """POST or GET `/{tenant}/oauth2/v2.0/token` with a form body."""
    form = _form(call)
    if form.get("grant_type", "client_credentials") != "client_credentials":
        return _error(400, "unsupported_grant_type", "grant_type must be client_credentials.")
    try:
        token = await services.access.first_hop(*_credentials(call, form))
    except Unauthenticated as refused:
        return _error(401, "invalid_client", f"{refused}.")
    return json_reply(
        {
            "token_type": "Bearer",
            "expires_in": token.expires_in,
            "ext_expires_in": token.expires_in,
            "access_token": token.access_token,
        },
        headers=NO_STORE,
    )


async def exchange(call: Call, services: Services) -> Reply:
    """POST `/token` and `/securityservice/token`: a first-hop token for an access token."""
    try:
        body = lower_keys(read_json(call.body))
    except Unreadable as error:
        return _error(400, "invalid_request", str(error))
    assertion, context = body.get("client_assertion"), body.get("context")
    if not isinstance(assertion, str) or not isinstance(context, str):
        return _error(400, "invalid_request", "client_assertion and context must be texts.")
    try:
        token = await services.access.exchange(assertion.strip(), context.strip())
    except Unauthenticated as refused:
        return _error(401, "invalid_client", f"{refused}.")
    except Forbidden as refused:
        return _error(403, "invalid_target", f"{refused}.")
    return json_reply(
        {"access_token": token.access_token, "token_type": "bearer", "expires_in": token.expires_in},
        headers=NO_STORE,
    )


async def token(call: Call, services: Services) -> Reply:
    """POST `/oauth2/token`: client credentials by form or by HTTP Basic (RFC 6749)."""
    form = _form(call)
    if form.get("grant_type") != "client_credentials":
        return _error(400, "unsupported_grant_type", "grant_type must be client_credentials.")
    client, secret = _credentials(call, form)
    try:
        issued = await services.access.client_credentials(
            client, secret, form.get("scope", ""), form.get("environment", "")
        )
    except Unauthenticated as refused:
        return _error(401, "invalid_client", f"{refused}.")
    except Forbidden as refused:
        return _error(400, "invalid_target", f"{refused}.")
    return json_reply(
        {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "scope": issued.scope,
        },
        headers=NO_STORE,
    )


async def key_set(_call: Call, services: Services) -> Reply:
    """The public keys that verify access tokens."""
    return json_reply(services.access.keys.public(), headers=((b"cache-control", b"max-age=300"),))


async def metadata(_call: Call, services: Services) -> Reply:
    """Authorization server metadata (RFC 8414)."""
    issuer = services.access.settings.issuer.rstrip("/")
    return json_reply(
        {
            "issuer": services.access.settings.issuer,
            "token_endpoint": f"{issuer}/oauth2/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "scopes_supported": list(SCOPES),
        }
    )


def _form(call: Call) -> dict[str, str]:
    try:
        pairs = parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name.strip().lower(): value.replace("\0", "") for name, value in pairs}


def _credentials(call: Call, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = (call.header(b"authorization") or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return "", ""
        return unquote_plus(client), unquote_plus(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _error(status: int, code: str, description: str) -> Reply:
    headers = (*NO_STORE, (b"www-authenticate", b'Basic realm="onhand"')) if status == 401 else NO_STORE
    return json_reply({"error": code, "error_description": description}, status, headers)
