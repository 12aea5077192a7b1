"""Which reservation an offset of the ERP means (specification 4.2; decisions 7, 23, 24).

Dimensions are compared after projection to the reservation dimensions: exactly the same node, otherwise nothing is
offset and both nodes are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from onhand.core import keys
from onhand.core.dimensions import fold, name_dimensions, reservation_node, text_problem
from onhand.core.keys import Dimensions, Position, ProductKey, product_key, reservation_id
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules


class Subject(NamedTuple):
    """The product a command is about, and the spelling the caller used."""

    key: ProductKey
    organization: str
    product: str


class HoldFacts(msgspec.Struct, frozen=True):
    """What is known of a hold that an offset names."""

    measure: int
    dimensions: Dimensions
    remaining: int
    product: str
    """As shown."""


class Target(NamedTuple):
    """What an offset draws on."""

    measure: int
    hold: int | None = None
    """Number of the hold; None: the node's shared pool."""


class Mismatch(NamedTuple):
    """Why nothing is offset, and where the reservation is, when that is known."""

    why: Rejected
    reserved_node: str = ""


_REMEMBERED: Final = 50_000
"""Products whose names were read before; beyond it all are read afresh."""
_NAMES_MAX: Final = 100
"""Characters of names that are remembered."""
_subjects: dict[tuple[int, str, str, str], Subject] = {}


def subject(rules: Rules, organization: str, product: str) -> Subject | Rejected:
    """The product of these names. What is refused is never remembered: it may be of any size."""
    given = (rules.environment, rules.switches.value_case, organization, product)
    known = _subjects.get(given)
    if known is None:
        read = _subject(rules, organization.strip(), product.strip())
        if isinstance(read, Rejected):
            return read
        if len(organization) + len(product) > _NAMES_MAX:
            return read
        if len(_subjects) >= _REMEMBERED:
            _subjects.clear()
        known = _subjects[given] = read
    return known


def _subject(rules: Rules, organization: str, product: str) -> Subject | Rejected:
    for field, value in (("organizationId", organization), ("productId", product)):
        if not value:
            return Rejected(Reason.INVALID_VALUE, f"{field} is missing.")
        problem = text_problem(value)
        if problem:
            return Rejected(Reason.INVALID_VALUE, f"{field} is refused: {problem}.")
    key = product_key(rules.environment, fold(rules, organization), fold(rules, product))
    return Subject(key, organization, product)


def projected(rules: Rules, dimensions: Mapping[str, str], source: str | None) -> Position | Rejected:
    """The reservation node of a line: dimensions that cannot be reserved are dropped (decisions 23)."""
    named = name_dimensions(rules, dimensions, source)
    if isinstance(named, Rejected):
        return named
    return reservation_node(rules, tuple(pair for pair in named if pair[0] in rules.reservation_dimensions))


def by_hold(
    rules: Rules, of: Subject, node: Position, hold_id: str, facts: HoldFacts | None
) -> Target | Mismatch:
    """A hold by its id."""
    parsed = keys.parse_hold_id(hold_id)
    if parsed is None or facts is None:
        return Mismatch(
            Rejected(Reason.UNKNOWN_HOLD, f"This environment has no reservation {hold_id[:100]!r}.")
        )
    if parsed[0] != of.key.k:
        return Mismatch(
            Rejected(
                Reason.RESERVATION_MISMATCH,
                f"The reservation is of product {facts.product!r}, the event of another.",
            )
        )
    held_at = projected(rules, dict(facts.dimensions), None)
    if isinstance(held_at, Rejected) or held_at.key != node.key:
        where = "" if isinstance(held_at, Rejected) else held_at.key
        said = f"at {where!r}" if where else "elsewhere"
        return Mismatch(
            Rejected(
                Reason.RESERVATION_MISMATCH, f"Reserved {said}, moved at {node.key!r}: nothing is offset."
            ),
            where,
        )
    return Target(facts.measure, parsed[2])


def by_reservation(rules: Rules, of: Subject, node: Position, wanted: str) -> Target | Mismatch:
    """The node's shared pool, by its reservation id."""
    measure = measure_of(rules, of.key, node, wanted)
    if measure is None:
        return Mismatch(
            Rejected(
                Reason.RESERVATION_MISMATCH,
                f"The reservation id is not that of {node.key!r}, where the stock moved: nothing is offset.",
            )
        )
    return Target(measure)


def by_node(rules: Rules, measure: str | None) -> Target | Mismatch:
    """The node's shared pool, without an id: item and dimensions say which it is."""
    found = reserved_measure(rules, measure)
    return Mismatch(found) if isinstance(found, Rejected) else Target(found)


def reserved_measure(rules: Rules, name: str | None) -> int | Rejected:
    """The measure that the ERP side reserves and offsets."""
    choice = ", ".join(".".join(rules.names[one]) for one in sorted(rules.mapped))
    if name:
        source, _, measure = name.strip().lower().partition(".")
        wanted = rules.measures.get((source, measure))
        if wanted is not None and wanted in rules.mapped:
            return wanted
        return Rejected(
            Reason.NO_RESERVATION_MAPPING,
            f"The parameter reservedMeasure names {name!r}, which cannot be reserved. Choose one of: {choice or 'none'}.",
        )
    if len(rules.mapped) != 1:
        return Rejected(
            Reason.NO_RESERVATION_MAPPING,
            f"Set the parameter reservedMeasure to one of: {choice or 'none; no measure has a reservation mapping'}.",
        )
    return next(iter(rules.mapped))


def measure_of(rules: Rules, key: ProductKey, node: Position, wanted: str) -> int | None:
    """The measure whose reservation id at the node is `wanted`; None when there is none."""
    plain = wanted.strip().lower().replace("-", "")
    if len(plain) != 32:
        return None
    for measure in (*rules.mapped, *(other for other in rules.names if other not in rules.mapped)):
        if reservation_id(key, node.key, rules.names[measure], hyphens=False) == plain:
            return measure
    return None
