"""What a configuration document must satisfy.

Each `_check` looks at one section and yields problems; `validate` runs them all, so that a person sees every
mistake at once. Specification 1.3, 1.8; the limits are its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from onhand.core.configuration_document import (
    ALLOCATION_POOL,
    IV,
    Configuration,
    DataSource,
    Problem,
    Terms,
    known_dimensions,
    measure_name,
    measure_text,
    read,
)
from onhand.core.dimensions import EMPTY, PARTITION, TEXT_MAX, base_dimension, display
from onhand.core.rules import MeasureName

SOURCES_MAX: Final = 200
"""Data sources of an environment."""

MEASURES_MAX: Final = 1_000
"""Physical and calculated measures of a data source."""

GROUPS_MAX: Final = 8
"""Levels of allocation groups."""

ATP_V1_DAYS_MAX: Final = 7
ATP_V1_MEASURES_MAX: Final = 8
"""Distinct physical measures behind all ATP measures, version 1."""

ATP_V2_DAYS_MAX: Final = 180

_PREDEFINED: Final = ("@allocated", "@cumulative_allocated", "@consumed", "@cumulative_consumed")
"""Physical measures of `@iv` that allocation needs."""

Problems = Iterator[Problem]


def validate(document: Mapping[str, Any]) -> list[Problem]:
    """All problems of a document. Empty, or warnings only: it may be applied."""
    _, configuration, problems = read(document)
    if problems:
        return problems
    checks = (
        _check_sources,
        _check_calculated,
        _check_mappings,
        _check_partition,
        _check_indexes,
        _check_reservation,
        _check_allocation,
        _check_schedule,
    )
    return [problem for check in checks for problem in check(configuration)]


# Sources and measures ----------------------------------------------------------------------------------------


def _check_sources(configuration: Configuration) -> Problems:
    if len(configuration.sources) > SOURCES_MAX:
        yield Problem(
            "inventorySystemConfigurations",
            f"{len(configuration.sources)} data sources are declared, the limit is {SOURCES_MAX}.",
        )
    for name, source in configuration.sources.items():
        path = f"inventorySystemConfigurations.{name}"
        yield from _check_name(path, name)
        if "." in name:
            yield Problem(
                path, f"Data source {name!r} has a dot in its name, so that no term could refer to it."
            )
        if source.data_source_name and source.data_source_name != name:
            yield Problem(
                f"{path}.dataSourceName",
                f"It reads {source.data_source_name!r}; the name used is {name!r}.",
                "warning",
            )
        yield from _check_measures(path, name, source)
        yield from _check_external_names(path, source)


def _check_name(path: str, name: str) -> Problems:
    if not name.strip() or len(name) > TEXT_MAX or not name.isprintable():
        yield Problem(
            path, f"A name must have 1 to {TEXT_MAX} printable characters, not {name[:TEXT_MAX]!r}."
        )


def _check_measures(path: str, name: str, source: DataSource) -> Problems:
    if len(source.physical_measures) + len(source.calculated_measures) > MEASURES_MAX:
        yield Problem(path, f"Data source {name!r} declares more than {MEASURES_MAX} measures.")
    for measure in _repeated(source.physical_measures):
        yield Problem(f"{path}.physicalMeasures", f"Measure {measure!r} is declared twice. Keep one.")
    for measure in (*source.physical_measures, *source.calculated_measures):
        yield from _check_name(path, measure)
        if name == IV and not measure.startswith("@"):
            yield Problem(
                path, f"Measure {measure!r} of the predefined data source {IV} must begin with '@'."
            )
    for measure in source.calculated_measures:
        if measure in source.physical_measures:
            yield Problem(
                f"{path}.calculatedMeasures.{measure}",
                f"{name}.{measure} is declared as a physical and as a calculated measure. Rename one.",
            )


def _check_external_names(path: str, source: DataSource) -> Problems:
    targets = source.dimension_mappings.values()
    for external, base in source.dimension_mappings.items():
        if base_dimension(base) is None:
            yield Problem(
                f"{path}.dimensionMappings.{external}",
                f"{base!r} is not a base dimension. Map to one of the 33 base dimensions.",
            )
    for base in _repeated(known_dimensions(list(targets))):
        yield Problem(
            f"{path}.dimensionMappings",
            f"Several external names map to {display(base)}; a request that sends two of them is refused.",
            "warning",
        )


def _check_calculated(configuration: Configuration) -> Problems:
    physical, calculated = configuration.physical(), configuration.calculated()
    for name, terms in calculated.items():
        path = f"inventorySystemConfigurations.{name[0]}.calculatedMeasures.{name[1]}"
        yield from _check_terms(path, name, terms, physical, calculated)


def _check_terms(
    path: str,
    name: MeasureName,
    terms: Terms,
    physical: Mapping[MeasureName, None],
    calculated: Mapping[MeasureName, Terms],
) -> Problems:
    texts = [*terms.addition_modifiers, *terms.subtraction_modifiers]
    if not texts:
        yield Problem(path, f"{measure_text(name)} has no terms and is never shown.", "warning")
    for text in texts:
        term = measure_name(text)
        if term in calculated:
            yield Problem(
                path,
                f"{measure_text(name)} refers to the calculated measure {text}: name its physical terms.",
            )
        elif term not in physical:
            yield Problem(path, f"{measure_text(name)} refers to {text}, which no data source declares.")
    for text in _repeated([measure_text(measure_name(text)) for text in texts]):
        yield Problem(path, f"{measure_text(name)} names the term {text} more than once. Keep one.")


def _check_mappings(configuration: Configuration) -> Problems:
    physical, calculated = configuration.physical(), configuration.calculated()
    for measure, target in configuration.mappings().items():
        path = f"inventorySystemConfigurations.{measure[0]}.reservMappings.{measure[1]}"
        if measure not in physical:
            yield Problem(path, f"{measure_text(measure)} is not a physical measure of this data source.")
        if target not in calculated:
            yield Problem(
                path, f"{measure_text(target)} is not a calculated measure. Declare it or map to another one."
            )
        elif measure not in {measure_name(text) for text in calculated[target].subtraction_modifiers}:
            yield Problem(
                path,
                f"{measure_text(target)} does not subtract {measure_text(measure)}, so reservations do not lower it.",
                "warning",
            )


# Dimensions --------------------------------------------------------------------------------------------------


def _check_dimensions(path: str, keys: list[str]) -> Problems:
    for position, key in enumerate(keys):
        if base_dimension(key) is None:
            yield Problem(f"{path}[{position}]", f"{key!r} is not a base dimension.")
    for base in _repeated(known_dimensions(keys)):
        yield Problem(path, f"{display(base)} is named twice. Keep one.")


def _check_partition(configuration: Configuration) -> Problems:
    partition = configuration.index_configuration.partition_key_attributes
    if partition is not None and partition.keys and set(partition.keys) != set(PARTITION):
        yield Problem(
            "indexConfiguration.partitionKeyAttributes.keys",
            "The partition dimensions are siteid and locationid; they cannot be edited.",
        )
    version, rule = configuration.cache_partition_id_version, configuration.partition_configuration
    if version and rule is not None and (version.lower() != "byproductid") != rule.use_dimensions:
        yield Problem(
            "partitionConfiguration.useDimensions",
            f"It contradicts cachePartitionIdVersion {version!r}. By product: false and ByProductId; "
            "by location: true and ByLocationAndProductIdMod64.",
        )


def _check_indexes(configuration: Configuration) -> Problems:
    sets = configuration.index_configuration.index_attribute_sets
    path = "indexConfiguration.indexAttributeSets"
    if not [one for one in sets if one.set_number]:
        yield Problem(
            path, "There is no index set besides set 0, so every query is refused. Add one.", "warning"
        )
    for number in _repeated([str(one.set_number) for one in sets]):
        yield Problem(path, f"Set number {number} occurs twice. Number the sets differently.")
    for position, one in enumerate(sets):
        if not one.set_number:
            continue
        yield from _check_index_set(
            f"{path}[{position}].keys", one.keys, by_location=configuration.by_location
        )


def _check_index_set(path: str, keys: list[str], *, by_location: bool) -> Problems:
    if EMPTY in keys:
        if len(keys) > 1:
            yield Problem(path, "Empty is only allowed as the sole member of an index set.")
        return
    yield from _check_dimensions(path, keys)
    for base in set(known_dimensions(keys)).intersection(PARTITION):
        severity: Literal["error", "warning"] = "error" if by_location else "warning"
        yield Problem(
            path, f"{display(base)} is a partition dimension: such a set cannot be queried.", severity
        )


def _check_reservation(configuration: Configuration) -> Problems:
    reservation = configuration.reserv_configuration
    if reservation.version not in (0, 1):
        yield Problem(
            "reservConfiguration.version",
            f"It must be 0 (refuse unconfigured dimensions) or 1 (drop them), not {reservation.version}.",
        )
    yield from _check_dimensions("reservConfiguration.keys", reservation.keys)
    missing = [name for name in PARTITION if name not in known_dimensions(reservation.keys)]
    if configuration.by_location and reservation.enabled and missing:
        yield Problem(
            "reservConfiguration.keys",
            f"The partition is by location, so the keys must contain {' and '.join(missing)}.",
        )


# Allocation and schedules ------------------------------------------------------------------------------------


def _check_allocation(configuration: Configuration) -> Problems:
    allocation = configuration.allocation_configuration
    path = "allocationConfiguration"
    order = allocation.groups_order
    names = allocation.groups or list(order)
    if len(names) > GROUPS_MAX:
        yield Problem(
            f"{path}.groups", f"{len(names)} groups are configured, the limit is {GROUPS_MAX} levels."
        )
    for name in _repeated([name.casefold() for name in names]):
        yield Problem(f"{path}.groups", f"Group {name!r} occurs twice. Keep one.")
    if set(names) != set(order):
        odd = ", ".join(sorted(set(names).symmetric_difference(order)))
        yield Problem(
            f"{path}.groupsOrder", f"groups and groupsOrder must name the same groups; differing: {odd}."
        )
    levels = sorted(level.lower() for level in order.values())
    if levels != sorted(f"g{number}" for number in range(len(order))):
        yield Problem(
            f"{path}.groupsOrder", "The levels must be g0, g1, … without a gap and without repetition."
        )
    for text, modifier in allocation.available_to_allocate_calculation.items():
        where = f"{path}.availableToAllocateCalculation.{text}"
        if measure_name(text) not in configuration.physical():
            yield Problem(where, f"{text} is not a physical measure.")
        if modifier.lower() not in ("addition", "subtraction"):
            yield Problem(where, f"The modifier must be addition or subtraction, not {modifier!r}.")
    if names and allocation.is_enabled:
        yield from _check_predefined(configuration)


def _check_predefined(configuration: Configuration) -> Problems:
    path = f"inventorySystemConfigurations.{IV}"
    for measure in _PREDEFINED:
        if (IV, measure) not in configuration.physical():
            yield Problem(
                path, f"Allocation is enabled and needs the predefined physical measure {IV}.{measure}."
            )
    if ALLOCATION_POOL not in configuration.calculated():
        yield Problem(
            path, f"Allocation is enabled and needs the calculated measure {measure_text(ALLOCATION_POOL)}."
        )


def _check_schedule(configuration: Configuration) -> Problems:
    schedule = configuration.schedule_configuration
    path = "scheduleConfiguration"
    measures = {
        (source, measure): days
        for source, periods in schedule.atp_calculated_measures.items()
        for measure, days in periods.items()
    }
    calculated = configuration.calculated()
    for name in measures:
        if name not in calculated:
            yield Problem(
                f"{path}.atpCalculatedMeasures", f"{measure_text(name)} is not a calculated measure."
            )
    for position, one in enumerate(schedule.index_attribute_sets):
        where = f"{path}.indexAttributeSets[{position}].keys"
        yield from _check_index_set(where, one.keys, by_location=configuration.by_location)
    if schedule.is_schedule_v2:
        if not 1 <= schedule.schedule_period_in_days <= ATP_V2_DAYS_MAX:
            yield Problem(
                f"{path}.schedulePeriodInDays",
                f"It must be 1 to {ATP_V2_DAYS_MAX} days, not {schedule.schedule_period_in_days}.",
            )
        return
    for name, days in measures.items():
        if not 1 <= days <= ATP_V1_DAYS_MAX:
            yield Problem(
                f"{path}.atpCalculatedMeasures",
                f"The period of {measure_text(name)} must be 1 to {ATP_V1_DAYS_MAX} days, not {days}.",
            )
    terms = {term for name in measures if name in calculated for term in _terms_of(calculated[name])}
    if len(terms) > ATP_V1_MEASURES_MAX:
        yield Problem(
            f"{path}.atpCalculatedMeasures",
            f"The ATP measures use {len(terms)} physical measures together, the limit is {ATP_V1_MEASURES_MAX}.",
        )


def _terms_of(terms: Terms) -> set[MeasureName]:
    return {measure_name(text) for text in (*terms.addition_modifiers, *terms.subtraction_modifiers)}


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for name in names:
        if name in seen:
            twice[name] = None
        seen.add(name)
    return list(twice)
