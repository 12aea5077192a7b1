"""The configuration of an environment: check a document, compare two, compile one to `Rules`.

The document is the original's (specification 1.5); compatibility switches are kept beside it (12).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from onhand.core.configuration_changes import Change, check_change, diff
from onhand.core.configuration_checks import validate
from onhand.core.configuration_document import (
    Configuration,
    Document,
    Problem,
    Terms,
    known_dimensions,
    measure_name,
    normalize,
    read,
)
from onhand.core.dimensions import PARTITION, base_dimension
from onhand.core.rules import LIMITS, Availability, Formula, Limits, MeasureName, Rules, Switches

__all__ = [
    "Change",
    "Document",
    "Problem",
    "SwitchError",
    "check_change",
    "compile_rules",
    "declared_measures",
    "diff",
    "normalize",
    "parse_switches",
    "validate",
]

HIDDEN_BY_DEFAULT: Final = frozenset({"pbi"})
"""Data sources that queries leave out unless the document says otherwise (specification 1.3)."""


class SwitchError(ValueError):
    """A compatibility switch that cannot be read; the message names it and its legal values."""


# Compiling ---------------------------------------------------------------------------------------------------


def declared_measures(document: Mapping[str, Any]) -> list[MeasureName]:
    """Physical measures, in the order of the document; the order in which they are given ids."""
    return list(read(document)[1].physical())


def compile_rules(  # noqa: PLR0913 - the parts of one configuration row
    environment_no: int,
    environment_id: str,
    version: int,
    document: Mapping[str, Any],
    switches: Switches,
    measures: Mapping[int, MeasureName],
    limits: Limits = LIMITS,
) -> Rules:
    """`Rules` of a document that `validate` finds no error in.

    `measures` are all ids ever given, also of measures that the document does not declare any more: those keep
    their name for the ledger and cannot be posted to.

    Raises:
        KeyError: a declared measure has no id.
    """
    configuration = read(document)[1]
    ids = {name: number for number, name in measures.items()}
    declared = {name: ids[name] for name in configuration.physical()}
    calculated = {name: _formula(name, terms, declared) for name, terms in configuration.calculated().items()}
    partition = PARTITION if configuration.by_location else ()
    keys = tuple(known_dimensions(configuration.reserv_configuration.keys))
    return Rules(
        environment=environment_no,
        environment_id=environment_id,
        version=version,
        measures=declared,
        names=dict(measures),
        calculated=calculated,
        mapped=_mapped(configuration, declared, calculated),
        partition=partition,
        reservation_dimensions=(*(name for name in partition if name not in keys), *keys),
        filter_unconfigured=configuration.reserv_configuration.version == 1,
        reservations_enabled=configuration.reserv_configuration.enabled,
        dimension_mappings={
            name: {
                external: base
                for external, target in source.dimension_mappings.items()
                if (base := base_dimension(target)) is not None
            }
            for name, source in configuration.sources.items()
        },
        hidden_sources=_hidden(configuration),
        index_sets=tuple(
            tuple(known_dimensions(one.keys))
            for one in configuration.index_configuration.index_attribute_sets
            if one.set_number
        ),
        switches=switches,
        limits=limits,
    )


def _formula(name: MeasureName, terms: Terms, ids: Mapping[MeasureName, int]) -> Formula:
    signs = {ids[measure_name(text)]: 1 for text in terms.addition_modifiers}
    signs |= {ids[measure_name(text)]: -1 for text in terms.subtraction_modifiers}
    return Formula(name, signs)


def _mapped(
    configuration: Configuration, ids: Mapping[MeasureName, int], calculated: Mapping[MeasureName, Formula]
) -> dict[int, Availability]:
    mappings = configuration.mappings()
    targets: dict[MeasureName, Availability] = {}
    for target in set(mappings.values()):
        formula = calculated[target]
        mapped = {ids[measure] for measure, its_target in mappings.items() if its_target == target}
        reserved = frozenset(number for number in mapped if formula.signs.get(number) == -1)
        net = {number: sign for number, sign in formula.signs.items() if number not in reserved}
        targets[target] = Availability(formula, net, reserved)
    return {ids[measure]: targets[target] for measure, target in mappings.items()}


def _hidden(configuration: Configuration) -> frozenset[str]:
    return frozenset(
        name
        for name, source in configuration.sources.items()
        if (name in HIDDEN_BY_DEFAULT if source.hidden_from_query is None else source.hidden_from_query)
    )


# Switches ----------------------------------------------------------------------------------------------------


_SWITCHES: Final = {field.encode_name.lower(): field for field in msgspec.structs.fields(Switches)}

ID_RETENTION_DAYS_MIN: Final = 7


def parse_switches(values: Mapping[str, Any]) -> Switches:
    """Switches from JSON or from a command line, where every value is a text; those not named keep their default.

    Raises:
        SwitchError: an unknown switch, a value it does not have, or a combination that means nothing.
    """
    named: dict[str, Any] = {}
    for name, value in values.items():
        field = _SWITCHES.get(name.lower())
        if field is None:
            known = ", ".join(one.encode_name for one in _SWITCHES.values())
            raise SwitchError(f"There is no switch {name!r} of an environment. Known: {known}.")
        try:
            named[field.encode_name] = msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError as fault:
            raise SwitchError(
                f"Switch {field.encode_name} cannot be {value!r}: {_legal(field.type) or fault}."
            ) from None
    switches = msgspec.convert(named, Switches)
    if switches.max_site_location_combinations < 1:
        raise SwitchError("Switch maxSiteLocationCombinations must be at least 1.")
    if switches.id_retention_days < ID_RETENTION_DAYS_MIN:
        raise SwitchError(f"Switch idRetentionDays must be at least {ID_RETENTION_DAYS_MIN} days.")
    if switches.afr_aggregation == "exactRecord" and switches.reservation_levels != "independent":
        raise SwitchError("Switch afrAggregation may be exactRecord only with reservationLevels independent.")
    return switches


def _legal(shape: Any) -> str:  # noqa: ANN401 - a type
    described = msgspec.inspect.type_info(shape)
    if isinstance(described, msgspec.inspect.LiteralType):
        return f"legal values are {', '.join(str(value) for value in described.values)}"
    return ""
