"""The configuration document of an environment: check it, compare it, compile it to `Rules`."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal

import msgspec

from onhand.core.rules import MeasureName, Rules, Switches

Document = dict[str, Any]
"""A configuration document as JSON (specification 1.5)."""


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with a document. Only errors forbid applying it."""

    path: str
    """Where, in JSON terms: `reservConfiguration.keys[2]`."""
    message: str
    severity: Literal["error", "warning"] = "error"


class Change(msgspec.Struct, frozen=True):
    """One difference between two documents."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None


class SwitchError(ValueError):
    """A compatibility switch that cannot be read; the message names it and its legal values."""


def normalize(document: Mapping[str, Any]) -> Document:
    """The document as it is stored and returned: canonical key spelling, names in lower case, unknown keys kept."""
    raise NotImplementedError


def validate(document: Mapping[str, Any]) -> list[Problem]:
    """All problems of a document (specification 1.3, 1.8)."""
    raise NotImplementedError


def check_change(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    used_measures: AbstractSet[MeasureName],
    *,
    has_stock: bool,
) -> list[Problem]:
    """Problems of replacing `old` by `new` while measures hold data; says nothing about `new` on its own."""
    raise NotImplementedError


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Readable differences."""
    raise NotImplementedError


def declared_measures(document: Mapping[str, Any]) -> list[MeasureName]:
    """Physical measures in a stable order."""
    raise NotImplementedError


def compile_rules(  # noqa: PLR0913 - the parts of one configuration row
    environment_no: int,
    environment_id: str,
    version: int,
    document: Mapping[str, Any],
    switches: Switches,
    measures: Mapping[int, MeasureName],
) -> Rules:
    """`Rules` of a valid document; `measures` are all ids ever given."""
    raise NotImplementedError


def parse_switches(values: Mapping[str, Any]) -> Switches:
    """Switches from JSON or from the command line.

    Raises:
        SwitchError: an unknown switch or value.
    """
    raise NotImplementedError
