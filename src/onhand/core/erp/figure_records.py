"""The figures of a data source as they are read: one record, its names resolved under the rules of the environment."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from onhand.core.dimensions import name_dimensions, on_hand_position
from onhand.core.erp import targets
from onhand.core.keys import Position, ProductKey
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules


class FigureRecord(msgspec.Struct, frozen=True):
    """What a source says of one record."""

    key: ProductKey
    organization: str
    product: str
    position: Position
    values: dict[str, int]
    """`source.measure` -> scaled quantity."""


def source_of(rules: Rules, name: str) -> str | Rejected:
    """The data source of this name."""
    wanted = name.strip().lower()
    known = sorted({source for source, _ in rules.measures})
    if wanted in known:
        return wanted
    return Rejected(
        Reason.UNKNOWN_DATA_SOURCE,
        f"{name[:100]!r} is no data source with quantities. Configured: {', '.join(known)}.",
    )


def figure_record(  # noqa: PLR0913 - the parts of a record
    rules: Rules,
    source: str,
    organization: str,
    product: str,
    dimensions: Mapping[str, str],
    dimension_source: str | None,
    quantities: Mapping[str, Mapping[str, int]],
) -> FigureRecord | Rejected:
    """One record of a source's figures.

    Rejections: names that are not configured, a quantity of another source, a measure that is reserved: what is reserved is
    kept hold by hold and is not corrected by a sum.
    """
    of = targets.subject(rules, organization, product)
    if isinstance(of, Rejected):
        return of
    named = name_dimensions(rules, dimensions, dimension_source)
    position = named if isinstance(named, Rejected) else on_hand_position(rules, named)
    if isinstance(position, Rejected):
        return position
    values: dict[str, int] = {}
    for given, measures in quantities.items():
        if given.strip().lower() != source:
            return Rejected(
                Reason.FOREIGN_SOURCE,
                f"The check is of data source {source!r}; {given[:100]!r} is checked by itself.",
            )
        for name, value in measures.items():
            wrong = _wrong(rules, source, name)
            if wrong is not None:
                return wrong
            values[f"{source}.{name.strip().lower()}"] = value
    if not values:
        return Rejected(Reason.INVALID_QUANTITY, "The record has no quantity.")
    return FigureRecord(of.key, of.organization, of.product, position, values)


def _wrong(rules: Rules, source: str, measure: str) -> Rejected | None:
    number = rules.measures.get((source, measure.strip().lower()))
    if number is None:
        known = ", ".join(sorted(name for one, name in rules.measures if one == source))
        return Rejected(
            Reason.UNKNOWN_MEASURE,
            f"Data source {source!r} has no measure {measure[:100]!r}. Configured: {known}.",
        )
    if number in rules.mapped:
        return Rejected(
            Reason.INVALID_VALUE,
            f"{source}.{measure} is what is reserved: it is kept hold by hold, compare the reservations instead.",
        )
    return None
