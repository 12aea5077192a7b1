"""What a handler gets and gives: plain values, so that it neither knows the server nor the web framework."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from onhand.core.rules import Rules
from onhand.service.principals import Principal

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"

Json = Any
"""A JSON value: what a decoder gave, or what an encoder takes."""

_encoder = msgspec.json.Encoder(decimal_format="number")


class Call(msgspec.Struct):
    """One request, after authentication, with its body read."""

    method: str
    principal: Principal
    rules: Rules | None = None
    """Rules of the environment in the path; None on routes without one."""
    environment: str = ""
    """Environment id in the path, in lower case."""
    body: bytes = b""
    query_string: bytes = b""
    parameters: dict[str, str] = {}
    """Values of the path's placeholders."""
    headers: Iterable[tuple[bytes, bytes]] = ()
    """Names in lower case."""

    @property
    def of(self) -> Rules:
        """Rules of the environment in the path."""
        assert self.rules is not None, "the route has no environment"  # noqa: S101 - a programming error
        return self.rules

    def header(self, name: bytes) -> str | None:
        """Value of a header; `name` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1").strip()
        return None

    def query(self) -> list[tuple[str, str]]:
        """Pairs of the query string, in order, names as they were written."""
        return parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True)


class Reply(msgspec.Struct):
    """One answer."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_reply(value: Json, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """An answer with a JSON body; decimals are written as numbers."""
    return Reply(status, _encoder.encode(value), JSON, headers)
