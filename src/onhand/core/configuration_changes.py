"""What changes between two configuration documents, and which changes are refused while data exist.

Specification 1.3, 1.8: names are frozen only while they hold data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal

import msgspec

from onhand.core.configuration_document import (
    ALLOCATED,
    IV,
    Configuration,
    Problem,
    measure_text,
    normalize,
    read,
)
from onhand.core.dimensions import base_dimension
from onhand.core.rules import MeasureName

Problems = Iterator[Problem]


class Change(msgspec.Struct, frozen=True):
    """One difference between two documents."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        """One line for people."""
        if self.kind == "added":
            return f"+ {self.path}: {_shown(self.after)}"
        if self.kind == "removed":
            return f"- {self.path}: {_shown(self.before)}"
        return f"~ {self.path}: {_shown(self.before)} -> {_shown(self.after)}"


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Differences of the stored forms, in the order of the old document, then of the new one."""
    return list(_differences("", normalize(old), normalize(new)))


def _differences(path: str, old: Any, new: Any) -> list[Change]:  # noqa: ANN401 - JSON
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            change
            for key in {**old, **new}
            for change in _member(f"{path}.{key}" if path else key, key, old, new)
        ]
    if old == new:
        return []
    if isinstance(old, list) and isinstance(new, list):
        removed = [item for item in old if item not in new]
        added = [item for item in new if item not in old]
        if removed or added:
            return [
                *(Change(path, "removed", before=item) for item in removed),
                *(Change(path, "added", after=item) for item in added),
            ]
    return [Change(path, "changed", old, new)]


def _member(path: str, key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    if key not in new:
        return [Change(path, "removed", before=old[key])]
    if key not in old:
        return [Change(path, "added", after=new[key])]
    return _differences(path, old[key], new[key])


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    return msgspec.json.encode(value).decode()


# Refused changes ---------------------------------------------------------------------------------------------


def check_change(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    used_measures: AbstractSet[MeasureName],
    *,
    has_stock: bool,
) -> list[Problem]:
    """Problems of replacing `old` by `new` while measures hold data; says nothing about `new` on its own."""
    before, after = read(old)[1], read(new)[1]
    return [
        *_check_removed(before, after, used_measures),
        *_check_repartition(before, after, has_stock=has_stock),
        *_check_groups_change(before, after, used_measures),
        *_check_reservation_change(before, after, used_measures, has_stock=has_stock),
        *_check_renamed_dimensions(before, after, has_stock=has_stock),
    ]


def _check_removed(before: Configuration, after: Configuration, used: AbstractSet[MeasureName]) -> Problems:
    predefined = [name for name in (*before.physical(), *before.calculated()) if name[0] == IV]
    kept = {**after.physical(), **after.calculated()}
    for name in predefined:
        if name not in kept:
            yield Problem(
                f"inventorySystemConfigurations.{IV}",
                f"{measure_text(name)} is predefined: it cannot be renamed or deleted.",
            )
    for name in before.physical():
        if name in used and name not in after.physical() and name not in predefined:
            yield Problem(
                f"inventorySystemConfigurations.{name[0]}",
                f"{measure_text(name)} holds data: it cannot be removed or renamed. Bring its quantities to zero by a "
                "clean-up of the partitions first, or keep it.",
            )


def _check_repartition(before: Configuration, after: Configuration, *, has_stock: bool) -> Problems:
    if before.by_location != after.by_location and has_stock:
        yield Problem(
            "partitionConfiguration",
            "The partition rule cannot change while stock exists. Clean up all partitions first.",
        )


def _check_groups_change(
    before: Configuration, after: Configuration, used: AbstractSet[MeasureName]
) -> Problems:
    old, new = before.allocation_configuration, after.allocation_configuration
    if (old.groups_order, set(old.groups)) != (new.groups_order, set(new.groups)) and ALLOCATED in used:
        yield Problem(
            "allocationConfiguration.groups",
            "The allocation groups cannot change while quantities are allocated. Unallocate them first.",
        )


def _check_reservation_change(
    before: Configuration, after: Configuration, used: AbstractSet[MeasureName], *, has_stock: bool
) -> Problems:
    old, new = before.reserv_configuration, after.reserv_configuration
    reserved = used & before.mappings().keys()
    if old.keys != new.keys and has_stock:
        yield Problem(
            "reservConfiguration.keys",
            "All stock is projected anew onto the changed reservation dimensions; reservation ids that name a "
            "removed dimension are no longer found.",
            "warning",
        )
    if old.version != new.version and reserved:
        yield Problem(
            "reservConfiguration.version",
            "Reservations exist. Reverse them or clean them up, or their ids may not be found any more.",
            "warning",
        )
    for measure in sorted(reserved):
        if before.mappings()[measure] != after.mappings().get(measure):
            yield Problem(
                f"inventorySystemConfigurations.{measure[0]}.reservMappings.{measure[1]}",
                f"{measure_text(measure)} holds reservations; they count against the new target from now on.",
                "warning",
            )


def _check_renamed_dimensions(before: Configuration, after: Configuration, *, has_stock: bool) -> Problems:
    if not has_stock:
        return
    for name, source in before.sources.items():
        if name not in after.sources:
            continue
        mappings = after.sources[name].dimension_mappings
        for external, base in source.dimension_mappings.items():
            if external in mappings and base_dimension(mappings[external]) != base_dimension(base):
                yield Problem(
                    f"inventorySystemConfigurations.{name}.dimensionMappings.{external}",
                    f"Stock that was posted with it stays under {base}; new posts go to {mappings[external]}.",
                    "warning",
                )
