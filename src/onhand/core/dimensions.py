"""Dimensions of stock: their names, and how a request's dimensions become a position.

A request names dimensions by base name or, with a data source, by that source's external names
(specification 1.2). `name_dimensions` turns them into base names and keeps empty values, because a
reservation may be refused for naming an unconfigured dimension even without a value (3.3). From the named
dimensions, `record_position` makes the place of an on-hand record and `reservation_node` that of a
reservation.

All three are pure functions of a `Rules` object and of small tuples, and the same few dimension sets come
again and again, so results are kept in bounded caches. A cache key holds the `Rules` object by identity:
another version of the configuration is another object.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from onhand.core.keys import Dimensions, Position, encode
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules

PARTITION: Final = ("siteid", "locationid")
"""Partition dimensions when the partition is by location."""

_SPELLINGS: Final = (
    "siteid",
    "locationid",
    "ColorId",
    "SizeId",
    "StyleId",
    "ConfigId",
    "StatusId",
    "BatchId",
    "SerialId",
    "WMSLocationId",
    "WMSPalletId",
    "LicensePlateId",
    "VersionId",
    *(f"CustomDimension{number}" for number in range(1, 13)),
    *(f"ExtendedDimension{number}" for number in range(1, 9)),
)

OUTPUT: Final[dict[str, str]] = {spelling.lower(): spelling for spelling in _SPELLINGS}
"""Base name -> spelling in answers: the partition dimensions in lower case, the others in canonical case."""

BASE: Final[tuple[str, ...]] = tuple(OUTPUT)
"""The 33 base dimensions in canonical order. Keys of positions follow it: never reorder."""

EMPTY: Final = "empty"
"""Pseudo dimension: the only member of an index set that has no dimensions."""

ALIASES: Final[dict[str, str]] = {f"inventdimension{n}": f"customdimension{n}" for n in range(1, 13)}

TEXT_MAX: Final = 200
"""Characters in a dimension value, an organization or a product."""

KEY_MAX: Final = 2_000
"""Characters in a position key; an index entry of the database holds no more than about 2,700 bytes."""

_REMEMBERED_RULES = 128
"""Configuration versions that the caches know at a time."""

_REMEMBERED_SETS = 8_192
"""Dimension sets in each cache."""

_RANK: Final = {name: rank for rank, name in enumerate(BASE)}

Named = tuple[tuple[str, str], ...]
"""(base name, value as spelled by the caller) in canonical order; empty values are kept."""


def base_dimension(name: str) -> str | None:
    """Lower-case base name of a base dimension or its alias in any case; None when there is none."""
    lower = name.lower()
    lower = ALIASES.get(lower, lower)
    return lower if lower in OUTPUT else None


def display(base: str) -> str:
    """Spelling of a base dimension in answers."""
    return OUTPUT.get(base, base)


def fold(rules: Rules, text: str) -> str:
    """Text as it is compared and stored (switch `valueCase`)."""
    return text.casefold() if rules.switches.value_case == "insensitive" else text


def text_problem(text: str) -> str | None:
    """What forbids a text as a dimension value, organization or product; None when nothing does."""
    if len(text) > TEXT_MAX:
        return f"it has {len(text)} characters, the limit is {TEXT_MAX}"
    if "\0" in text:
        return "it contains a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "it contains half of a surrogate pair"
    return None


def source_name(source: str | None) -> str:
    """Name of a `dimensionDataSource` as it is looked up; null, empty and blank all mean none."""
    return source.strip().lower() if source else ""


def resolve_name(rules: Rules, name: str, source: str | None) -> str | None:
    """Base name of one dimension name: an external name of the source, else a base name or alias."""
    external = rules.dimension_mappings.get(source_name(source), {}).get(name.lower())
    return external or base_dimension(name)


def name_dimensions(rules: Rules, dims: Mapping[str, str | None], source: str | None) -> Named | Rejected:
    """Base names of a request's dimensions, in canonical order, with empty values kept.

    Rejections: `UNKNOWN_DATA_SOURCE`, `UNKNOWN_DIMENSION`, `INVALID_VALUE`. Specification 1.2, 1.4.
    """
    key = (_handle(rules), tuple(dims.items()), source_name(source))
    named = _named_sets.get(key)
    if named is None:
        resolved = _name(rules, dims, key[2])
        if isinstance(resolved, Rejected):
            return resolved  # never remembered: what is refused may be of any size
        if len(_named_sets) >= _REMEMBERED_SETS:
            _named_sets.clear()
        _named_sets[key] = named = resolved
    return named


def record_position(rules: Rules, named: Named) -> Position:
    """The position of an on-hand record with these dimensions; empty values name nothing."""
    return _record(_handle(rules), named)


def on_hand_position(rules: Rules, named: Named) -> Position | Rejected:
    """`record_position`, unless the switch `requirePartitionOnOnHand` demands a missing site or location.

    Rejections: `PARTITION_MISSING`.
    """
    position = _record(_handle(rules), named)
    if rules.partition and rules.switches.require_partition_on_on_hand:
        missing = _missing(rules, {name for name, _ in position.dimensions})
        if missing:
            return missing
    return position


def reservation_node(rules: Rules, named: Named) -> Position | Rejected:
    """The cell that a reservation with these dimensions is kept at (specification 3.3).

    Rejections: `DIMENSION_NOT_CONFIGURED`, `PARTITION_MISSING`, `NOT_A_HIERARCHY_PREFIX`.
    """
    return _node(_handle(rules), named)


# Caches ------------------------------------------------------------------------------------------------------


class _Handle:
    """A `Rules` object as a cache key: hashed and compared by identity."""

    __slots__ = ("rules",)

    def __init__(self, rules: Rules) -> None:
        self.rules = rules


_handles: dict[int, _Handle] = {}
"""Keyed by `id`; each handle keeps its rules alive, so that no id is reused while it is here."""


def _handle(rules: Rules) -> _Handle:
    handle = _handles.get(id(rules))
    if handle is None:
        if len(_handles) >= _REMEMBERED_RULES:
            del _handles[next(iter(_handles))]
        handle = _handles[id(rules)] = _Handle(rules)
    return handle


_named_sets: dict[tuple[_Handle, tuple[tuple[str, str | None], ...], str], Named] = {}


def _name(rules: Rules, dims: Mapping[str, str | None], source: str) -> Named | Rejected:
    if source and source not in rules.dimension_mappings:
        known = ", ".join(sorted(rules.dimension_mappings))
        return Rejected(
            Reason.UNKNOWN_DATA_SOURCE,
            f"dimensionDataSource {source[:TEXT_MAX]!r} is not a configured data source. Configured: {known}.",
        )
    found: dict[str, str] = {}
    for name, given in dims.items():
        base = resolve_name(rules, name, source)
        if base is None:
            return _unknown(name, source)
        value = given or ""
        problem = text_problem(value)
        if problem:
            return Rejected(Reason.INVALID_VALUE, f"The value of dimension {name} is refused: {problem}.")
        if base in found and fold(rules, found[base]) != fold(rules, value):
            return Rejected(
                Reason.INVALID_VALUE,
                f"Dimension {OUTPUT[base]} is given twice, as {found[base]!r} and {value!r}. Send it once.",
            )
        found.setdefault(base, value)
    named = tuple(sorted(found.items(), key=lambda pair: _RANK[pair[0]]))
    if len(encode(_folded(rules, named))) > KEY_MAX:
        return Rejected(
            Reason.INVALID_VALUE,
            f"The dimension values are too long together: their key may have {KEY_MAX} characters.",
        )
    return named


@lru_cache(maxsize=_REMEMBERED_SETS)
def _record(handle: _Handle, named: Named) -> Position:
    rules = handle.rules
    return _position(rules, tuple((name, value) for name, value in named if value))


@lru_cache(maxsize=_REMEMBERED_SETS)
def _node(handle: _Handle, named: Named) -> Position | Rejected:
    rules = handle.rules
    if not rules.filter_unconfigured:
        for name, _ in named:
            if name not in rules.reservation_dimensions:
                return _not_configured(rules, name)
    kept = tuple(pair for pair in named if pair[1] and pair[0] in rules.reservation_dimensions)
    names = {name for name, _ in kept}
    missing = _missing(rules, names)
    if missing:
        return missing
    prefix = rules.reservation_dimensions[: len(names)]
    if rules.switches.strict_reservation_hierarchy and names != set(prefix):
        return Rejected(
            Reason.NOT_A_HIERARCHY_PREFIX,
            f"The dimensions {_list(tuple(name for name, _ in kept))} are not a prefix of the reservation hierarchy "
            f"{_list(rules.reservation_dimensions)}. Name its first dimensions without a gap.",
        )
    return _position(rules, kept)


def _position(rules: Rules, shown: Dimensions) -> Position:
    dimensions = _folded(rules, shown)
    return Position(
        key=encode(dimensions),
        place=encode(tuple(pair for pair in dimensions if pair[0] in rules.partition)),
        cell=encode(tuple(pair for pair in dimensions if pair[0] in rules.reservation_dimensions)),
        dimensions=dimensions,
        shown=shown,
    )


def _folded(rules: Rules, named: Named) -> Dimensions:
    return tuple((name, fold(rules, value)) for name, value in named if value)


# Refusals ----------------------------------------------------------------------------------------------------


def _list(names: tuple[str, ...]) -> str:
    return f"({', '.join(OUTPUT[name] for name in names)})"


def _unknown(name: str, source: str) -> Rejected:
    shown = name[:TEXT_MAX]
    if source:
        advice = f"neither a dimension that data source {source!r} maps nor a base dimension"
    else:
        advice = "not a base dimension; external names need dimensionDataSource"
    return Rejected(Reason.UNKNOWN_DIMENSION, f"Dimension {shown!r} is unknown: it is {advice}.")


def _not_configured(rules: Rules, name: str) -> Rejected:
    return Rejected(
        Reason.DIMENSION_NOT_CONFIGURED,
        f"Dimension {OUTPUT[name]} is not a reservation dimension. Leave it out (an empty value counts as given), "
        f"or set reservConfiguration.version to 1 to have it dropped. "
        f"Configured: {_list(rules.reservation_dimensions)}.",
    )


def _missing(rules: Rules, names: set[str]) -> Rejected | None:
    missing = tuple(name for name in rules.partition if name not in names)
    if not missing:
        return None
    return Rejected(
        Reason.PARTITION_MISSING,
        f"{_list(missing)} has no value. The partition is by location, so site and location are required.",
    )
