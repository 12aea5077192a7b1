"""The API description and its page, served from memory; nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import Any, Final

import msgspec

from onhand.api import openapi
from onhand.api.exchange import Call, Reply
from onhand.api.problems import FAULTS, REFUSALS
from onhand.api.services import Services

HTML: Final = b"text/html; charset=utf-8"
POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
)

DEPTH_MAX: Final = 5
"""Levels of a body that are shown."""

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--back:#fff;--card:#f6f8fa;--mark:#0b63b0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9f0;--soft:#9aa6b5;--line:#2c3541;--back:#12171e;--card:#1a212b;--mark:#7db8f0}}
*{box-sizing:border-box}body{margin:0 auto;max-width:70rem;padding:2rem 1.25rem;font:1rem/1.55 system-ui,sans-serif;
color:var(--ink);background:var(--back)}a{color:var(--mark)}h1{margin:0}h2{margin:2.5rem 0 .75rem}
p,small{color:var(--soft)}nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:1rem 0}
details{background:var(--card);border:1px solid var(--line);border-radius:.5rem;margin:.4rem 0;padding:.5rem .8rem}
summary{cursor:pointer;overflow-wrap:anywhere}code,pre{font:.9em ui-monospace,monospace}
pre{overflow:auto;background:var(--back);border:1px solid var(--line);border-radius:.4rem;padding:.75rem}
b.method{display:inline-block;min-width:4.2rem;font:700 .8em ui-monospace,monospace;color:var(--mark)}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);
vertical-align:top}summary span{color:var(--soft);margin-left:.75rem}h3{font-size:1rem;margin:1rem 0 .4rem}
.wide{overflow-x:auto}:target{outline:2px solid var(--mark)}:focus-visible{outline:2px solid var(--mark);outline-offset:2px}
@media(max-width:45rem){b.method{min-width:0;margin-right:.4rem}summary span{display:block;margin:.2rem 0 0 1.1rem}}
"""

_CODE: Final = re.compile(r"`([^`]+)`")


@lru_cache(maxsize=1)
def description() -> bytes:
    """The OpenAPI document."""
    from onhand.api.routes import ROUTES  # noqa: PLC0415 - the table names this module's handlers

    return openapi.render(ROUTES)


@lru_cache(maxsize=1)
def page() -> bytes:
    """The page for people."""
    document = msgspec.json.decode(description())
    parts = [
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
            f'content="width=device-width,initial-scale=1"><title>onhand API</title><style>{STYLE}</style></head><body>'
        ),
        f"<h1>onhand API</h1><p>{_prose(document['info']['description'])}</p>",
        '<p>Machine-readable: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>',
        '<nav aria-label="Sections">',
        *(f'<a href="#{_anchor(tag["name"])}">{escape(tag["name"])}</a>' for tag in document["tags"]),
        '<a href="#errors">Errors</a></nav><main>',
    ]
    for tag in document["tags"]:
        parts.append(f'<h2 id="{_anchor(tag["name"])}">{escape(tag["name"])}</h2>')
        parts.extend(
            _operation(method, path, operation, document)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if tag["name"] in operation["tags"]
        )
    parts.append(_errors())
    parts.append("</main></body></html>")
    return "".join(parts).encode()


async def serve_description(_call: Call, _services: Services) -> Reply:
    """GET `/openapi.json`."""
    return Reply(200, description())


async def serve_page(_call: Call, _services: Services) -> Reply:
    """GET `/docs`."""
    return Reply(200, page(), HTML, (POLICY,))


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    scope = operation["security"][0]["token"][0] if operation["security"] else ""
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{_prose(one.get('description', ''))}</td></tr>"
        for one in operation["parameters"]
    )
    parameters = (
        f'<div class="wide"><table><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr>{rows}</table></div>'
        if rows
        else ""
    )
    body = operation.get("requestBody", {}).get("content", {})
    good = next(iter(operation["responses"].values())).get("content", {})
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b class="method">{method.upper()}</b> '
        f"<code>{escape(path)}</code><span>{_prose(operation['summary'])}</span></summary>"
        f"<p>{f'Scope <code>{escape(scope)}</code>' if scope else 'Open to everybody'}</p>"
        f"{parameters}{_shape('Body', body, document)}{_shape('Answer', good, document)}</details>"
    )


def _shape(title: str, content: dict[str, Any], document: dict[str, Any]) -> str:
    if not content:
        return ""
    schema = next(iter(content.values()))["schema"]
    example = msgspec.json.format(msgspec.json.encode(_outline(schema, document, 0)), indent=2)
    return f"<h3>{title}</h3><pre tabindex=0>{escape(example.decode())}</pre>"


def _outline(schema: dict[str, Any], document: dict[str, Any], depth: int) -> Any:  # noqa: ANN401 - JSON
    """A schema as an example-like value: field names with their types."""
    reference = schema.get("$ref")
    if reference:
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    if depth > DEPTH_MAX:
        return "…"
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if options:
        return _outline(options[0], document, depth)
    if schema.get("type") == "array":
        return [_outline(schema.get("items", {}), document, depth + 1)]
    if "properties" in schema:
        return {name: _outline(one, document, depth + 1) for name, one in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        return {"…": _outline(schema["additionalProperties"], document, depth + 1)}
    kind = schema.get("type", "any")
    return " | ".join(map(str, schema.get("enum", []))) or (kind if isinstance(kind, str) else kind[0])


def _errors() -> str:
    rows = [(code, status, title) for code, (status, title) in ((str(r), v) for r, v in REFUSALS.items())]
    rows += [(one.code, one.status, f"{one.title}. {one.detail}") for one in FAULTS.values()]
    lines = "".join(
        f'<tr id="{escape(code)}"><td><code>{escape(code)}</code></td><td>{status}</td><td>{_prose(text)}</td></tr>'
        for code, status, text in rows
    )
    return (
        '<h2 id="errors">Errors</h2><p>Native operations answer with RFC 9457 problem details; '
        "<code>code</code> is one of these.</p>"
        f'<div class="wide"><table><tr><th>Code</th><th>Status</th><th>Meaning</th></tr>{lines}</table></div>'
    )


def _prose(text: str) -> str:
    """A text of the description as HTML: what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _anchor(text: str) -> str:
    return "section-" + "-".join(text.lower().split())
