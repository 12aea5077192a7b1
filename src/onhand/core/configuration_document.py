"""The configuration document of specification 1.5 as it is written, and as the code reads it.

`read` brings a document into its stored form and into typed values. In the stored form the known properties
have their canonical spelling and the names of sources, measures and dimensions are in lower case (1.4);
properties that are not known here are kept untouched, so that a document that is read back is equivalent to
the one that was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import inspect

from onhand.core.dimensions import base_dimension
from onhand.core.rules import MeasureName

Document = dict[str, Any]
"""A configuration document as JSON."""

IV: Final = "@iv"
"""The predefined data source of allocation and soft reservation."""

ALLOCATION_POOL: Final = (IV, "@available_to_allocate")
ALLOCATED: Final = (IV, "@allocated")

_DEPTH_MAX: Final = 20
"""Nesting levels of a document that are looked at."""


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with a document. Only errors forbid applying it."""

    path: str
    """Where, in JSON terms: `reservConfiguration.keys[2]`; empty for the whole document."""
    message: str
    """What is wrong and what to do."""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """One line for people."""
        where = f"{self.path}: " if self.path else ""
        return f"{self.severity}: {where}{self.message}"


Name = Annotated[str, msgspec.Meta(extra={"lower": True})]
"""A name that is stored in lower case."""


class _Section(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Properties in camel case; unknown ones are ignored when reading."""


class IndexSet(_Section, frozen=True, kw_only=True):
    """Dimensions of an index, or of the partition (set 0)."""

    set_number: int = 0
    keys: list[Name] = []


class IndexConfiguration(_Section, frozen=True, kw_only=True):
    """Partition dimensions and index sets."""

    partition_key_attributes: IndexSet | None = None
    index_attribute_sets: list[IndexSet] = []


class Terms(_Section, frozen=True, kw_only=True):
    """Terms of a calculated measure, each `source.measure`."""

    addition_modifiers: list[Name] = []
    subtraction_modifiers: list[Name] = []


class DataSource(_Section, frozen=True, kw_only=True):
    """A named producing system."""

    data_source_name: Name = ""
    dimension_mappings: dict[Name, Name] = {}
    """External name -> base name."""
    physical_measures: list[Name] = []
    calculated_measures: dict[Name, Terms] = {}
    reserv_mappings: dict[Name, Name] = {}
    """Physical measure of this source -> `source.calculated measure`."""
    hidden_from_query: bool | None = None


class Schedule(_Section, frozen=True, kw_only=True):
    """Change schedules and ATP."""

    index_attribute_sets: list[IndexSet] = []
    atp_calculated_measures: dict[Name, dict[Name, int]] = {}
    schedule_period_in_days: int = 30
    is_schedule_enabled: bool | None = None
    is_schedule_v2: bool = False


class Reservation(_Section, frozen=True, kw_only=True):
    """Soft reservation."""

    is_reserv_enabled: bool | None = None
    is_enabled: bool | None = None
    version: int = 0
    """0 refuses unconfigured dimensions, 1 drops them."""
    keys: list[Name] = []

    @property
    def enabled(self) -> bool:
        """On unless one of the two properties says otherwise."""
        flag = self.is_enabled if self.is_reserv_enabled is None else self.is_reserv_enabled
        return flag is not False


class Allocation(_Section, frozen=True, kw_only=True):
    """Allocation groups."""

    is_enabled: bool | None = None
    groups: list[str] = []
    groups_order: dict[str, str] = {}
    available_to_allocate_calculation: dict[Name, str] = {}


class PartitionConfiguration(_Section, frozen=True, kw_only=True):
    """The partition rule."""

    use_product_id: bool = True
    use_dimensions: bool = False


class _Carried(_Section, frozen=True, kw_only=True):
    """Properties of a document that decide nothing here; only their spelling is known."""

    environment_id: Any = None
    is_uninstalled: Any = None
    configuration_version: Any = None
    is_index_upgrade_in_progress: Any = None
    default_dimensions: Any = None
    fin_ops_configuration: Any = None
    is_whs_enabled: Any = msgspec.field(name="isWHSEnabled", default=None)
    whs_configuration: Any = None
    is_partition_lock_enabled: Any = None
    partition_lock_configuration: Any = None
    storage_configuration: Any = None
    on_hand_index_query_preload_storage_configuration: Any = None
    entity_version: Any = None


class Configuration(_Carried, frozen=True, kw_only=True):
    """The part of a document that decides something."""

    index_configuration: IndexConfiguration = IndexConfiguration()
    inventory_system_configurations: dict[Name, DataSource] = {}
    cache_partition_id_version: str | None = None
    partition_configuration: PartitionConfiguration | None = None
    schedule_configuration: Schedule = Schedule()
    reserv_configuration: Reservation = Reservation()
    allocation_configuration: Allocation = Allocation()

    @property
    def by_location(self) -> bool:
        """Whether the partition is by site and location."""
        if self.partition_configuration is not None:
            return self.partition_configuration.use_dimensions
        version = self.cache_partition_id_version
        return version is not None and version.lower() != "byproductid"

    @property
    def sources(self) -> dict[str, DataSource]:
        """Data sources by name."""
        return self.inventory_system_configurations

    def physical(self) -> dict[MeasureName, None]:
        """All physical measures, in the order of the document."""
        return {
            (name, measure): None
            for name, source in self.sources.items()
            for measure in source.physical_measures
        }

    def calculated(self) -> dict[MeasureName, Terms]:
        """All calculated measures, in the order of the document."""
        return {
            (name, measure): terms
            for name, source in self.sources.items()
            for measure, terms in source.calculated_measures.items()
        }

    def mappings(self) -> dict[MeasureName, MeasureName]:
        """Reserved measure -> its available-for-reservation measure."""
        return {
            (name, measure): measure_name(target)
            for name, source in self.sources.items()
            for measure, target in source.reserv_mappings.items()
        }


def measure_name(text: str) -> MeasureName:
    """(source, measure) of `source.measure`; the measure may contain dots and blanks."""
    source, _, measure = text.strip().partition(".")
    return source, measure


def measure_text(name: MeasureName) -> str:
    """`source.measure`, the inverse of `measure_name`."""
    return f"{name[0]}.{name[1]}"


def known_dimensions(names: list[str]) -> list[str]:
    """Base names of those that exist, aliases resolved."""
    return [base for name in names if (base := base_dimension(name)) is not None]


def read(document: Mapping[str, Any]) -> tuple[Document, Configuration, list[Problem]]:
    """Stored form, typed values and what cannot be read. What cannot be read counts as absent.

    The typed values are the defaults when there are problems.
    """
    if _deep(document):
        return {}, Configuration(), [Problem("", f"The document is nested deeper than {_DEPTH_MAX} levels.")]
    problems: list[Problem] = []
    stored = _respell(dict(document), inspect.type_info(Configuration), "", problems)
    try:
        configuration = msgspec.convert(_without_nulls(stored), Configuration, strict=False)
    except msgspec.ValidationError as fault:
        text = str(fault)
        message, _, path = text.rpartition(" - at `$")
        problems.append(Problem(path.rstrip("`").lstrip("."), f"{message or text}."))
        configuration = Configuration()
    return stored, configuration, problems


def normalize(document: Mapping[str, Any]) -> Document:
    """The stored form: canonical spelling of known properties, names in lower case, the rest untouched."""
    return read(document)[0]


def _deep(document: Mapping[str, Any]) -> bool:
    level: list[Any] = [document]
    for _ in range(_DEPTH_MAX):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, Mapping) else value)
            if isinstance(item, Mapping | list)
        ]
    return bool(level)


def _respell(value: Any, shape: inspect.Type, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401 - JSON
    shape, lower = _plain(shape)
    if isinstance(value, str):
        return value.strip().lower() if lower else value
    if isinstance(value, list) and isinstance(shape, inspect.ListType):
        return [_respell(item, shape.item_type, f"{path}[{n}]", problems) for n, item in enumerate(value)]
    if not isinstance(value, Mapping) or not isinstance(shape, inspect.StructType | inspect.DictType):
        return value
    fields: dict[str, inspect.Field] = {}
    if isinstance(shape, inspect.StructType):
        fields = {field.encode_name.lower(): field for field in shape.fields}
    result: Document = {}
    for key, item in value.items():
        name = str(key)
        item_shape: inspect.Type = inspect.AnyType()
        if isinstance(shape, inspect.DictType):
            name = _respell(name, shape.key_type, path, problems)
            item_shape = shape.value_type
        elif field := fields.get(name.lower()):
            name, item_shape = field.encode_name, field.type
        where = f"{path}.{name}" if path else name
        if name in result:
            problems.append(
                Problem(where, "This name occurs twice; upper and lower case do not matter. Keep one.")
            )
        result[name] = _respell(item, item_shape, where, problems)
    return result


def _plain(shape: inspect.Type) -> tuple[inspect.Type, bool]:
    """A type without its metadata and without null, and whether its texts are stored in lower case."""
    if isinstance(shape, inspect.UnionType):
        shape = next((part for part in shape.types if not isinstance(part, inspect.NoneType)), shape)
    if isinstance(shape, inspect.Metadata):
        return shape.type, bool((shape.extra or {}).get("lower"))
    return shape, False


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
