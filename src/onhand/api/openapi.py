"""The API description (OpenAPI 3.1), generated from the route table and the types of the bodies.

`python -m onhand.api.openapi` prints it; `docs/openapi.json` is the committed copy, held equal by a test.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from onhand import __version__
from onhand.api.oauth import TokenAnswer, TokenError
from onhand.api.problems import Problem
from onhand.api.route import Route
from onhand.service.principals import SCOPES

Schema = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_PLACEHOLDER: Final = re.compile(r"{(\w+)}")
_REFUSAL: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"statusCode": {"type": "integer"}, "message": {"type": "string"}},
            "required": ["statusCode", "message"],
        }
    }
}
_INNER: Final = frozenset({"$extra"})
"""Properties of the stored form alone; in a client's JSON what they hold stands beside the others."""
_DECIMAL: Final = {"type": "string", "format": "decimal"}

ABOUT: Final = (
    "The single source of truth for sellable stock. Paths under `/api/environment` are compatible with the Dynamics 365 "
    "Inventory Visibility API; paths under `/v1` are native. Quantities are exact decimals with up to six places."
)

WORDS: Final = {
    "Idempotency-Key": "A repeated request with the same key and body gets the first answer and has no second effect.",
    "If-Match": "ETag of the configuration that was changed, or `*`.",
    "Api-Version": "1.0 (default) or 2.0.",
    "after": "Cursor of the page before.",
    "limit": "Rows of a page.",
}


def build(routes: Sequence[Route]) -> Schema:
    """The description of these routes."""
    shapes = [shape for route in routes for shape in (route.body, route.answer) if shape is not None]
    _, components = msgspec.json.schema_components([*shapes, Problem, TokenError], ref_template=_REF)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "onhand",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": {name: _plain(schema) for name, schema in sorted(components.items())},
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": dict(SCOPES)}},
                }
            },
        },
    }


def render(routes: Sequence[Route]) -> bytes:
    """The description as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(build(routes)), indent=2) + b"\n"


def _operation(route: Route) -> Schema:
    operation: Schema = {
        "operationId": _identifier(route),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [
            *(_parameter(name, "path", required=True) for name in _PLACEHOLDER.findall(route.path)),
            *(_parameter(name, "query") for name in route.query),
            *(_parameter(name, "header") for name in route.headers),
        ],
        "responses": _responses(route),
        "security": [{"token": [route.scope]}] if route.scope else [],
    }
    body = _body(route)
    if body:
        operation["requestBody"] = body
    return operation


def _parameter(name: str, place: str, *, required: bool = False) -> Schema:
    made: Schema = {"name": name, "in": place, "required": required, "schema": {"type": "string"}}
    if name in WORDS:
        made["description"] = WORDS[name]
    return made


def _body(route: Route) -> Schema:
    if route.form:
        fields = {name: {"type": "string"} for name in route.form}
        schema: Schema = {"type": "object", "properties": fields}
        return {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    if route.body is None:
        if route.method in ("POST", "PUT") and route.scope is not None:
            return {"content": {"application/json": {"schema": {}}}}
        return {}
    return {"required": True, "content": {"application/json": {"schema": _schema(route.body)}}}


def _responses(route: Route) -> Schema:
    good: Schema = {"description": route.summary}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": _schema(route.answer)}}
    found: Schema = {str(route.status): good}
    if route.scope:
        found["401"] = {"description": "The token is missing, invalid or expired."}
        found["403"] = {"description": "Another environment's token, or a missing scope."}
    if route.surface == "native":
        problem = {"application/problem+json": {"schema": _schema(Problem)}}
        found["default"] = {"description": "A problem (RFC 9457); `code` says which.", "content": problem}
    elif route.surface == "compat":
        found["default"] = {"description": "An error with `statusCode` and `message`.", "content": _REFUSAL}
    elif route.answer is TokenAnswer:
        found["default"] = {
            "description": "An error of OAuth 2.0.",
            "content": {
                "application/json": {"schema": _schema(TokenError)},
                "application/problem+json": {"schema": _schema(Problem)},
            },
        }
    elif route.path == "/readyz":
        found["503"] = {"description": "Requests cannot be taken; `parts` says why."}
    return found


def _schema(shape: Any) -> Schema:  # noqa: ANN401 - a type
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=_REF)
    plain: Schema = _plain(schema)
    return plain


def _plain(schema: Any) -> Any:  # noqa: ANN401 - a piece of JSON schema
    """Decimals may come as numbers or texts; unknown fields are never a fault of the description."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema == _DECIMAL:
        return {"type": ["number", "string"]}
    if isinstance(schema.get("properties"), dict):
        known = {name: one for name, one in schema["properties"].items() if name not in _INNER}
        schema = {**schema, "properties": known}
    # What entities keep beside the fields that are known here has no name of its own on the wire.
    return {key: _plain(value) for key, value in schema.items() if key != "$extra"}


def _identifier(route: Route) -> str:
    words = re.findall(r"[A-Za-z0-9]+", route.path.replace("/api/environment/{environment}", "/compat"))
    return route.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)


if __name__ == "__main__":
    from onhand.api.routes import ROUTES

    sys.stdout.buffer.write(render(ROUTES))
