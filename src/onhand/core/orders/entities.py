"""How an order, or its configuration, is read from JSON and written back (order specification 1.2, D1, D2).

Names are matched without regard to case and written in camelCase. What is not known here is kept untouched in
`extra`, so that a client gets back what it sent. Null means absent. Reading never raises for what a client
wrote: it collects each thing that is wrong. It costs one walk over the JSON.

Beside the client's JSON there is the stored form, `to_stored` and `stored_decoder`: the structs as they are,
without a walk. Only our own code reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from onhand.core.configuration_document import Problem
from onhand.core.orders import numbers
from onhand.core.orders.refusals import Code, Refused, invalid
from onhand.core.quantities import QuantityError

Json = Any
"""A JSON value with its fractions as exact decimals."""

ID_MAX: Final = 128
"""Characters of an id of the order side: four of them together must fit in an entry of an index."""
TEXT_MAX: Final = 2_000
"""Characters of any other text that is known here."""
VALUE_MAX: Final = 20_000
"""Characters of the value of a property, which may be JSON."""

_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
_NUL: Final = b"\\u0000"
_MARK: Final = b"\xef\xbb\xbf"
_NO_TIME: Final = datetime(1, 1, 1)  # noqa: DTZ001 - as it is written, before any zone
"""What some clients write where they have no time."""

Quantity = Annotated[Decimal, msgspec.Meta(extra={"kind": "quantity"})]
Amount = Annotated[Decimal, msgspec.Meta(extra={"kind": "amount"})]
Id = Annotated[str, msgspec.Meta(extra={"kind": "id"})]
"""Compared exactly; never blank, at most `ID_MAX` characters, no control characters."""
Name = Annotated[str, msgspec.Meta(extra={"kind": "code"})]
"""A status, key, SKU or warehouse: trimmed, at most 200 characters, no control characters."""
Moment = Annotated[datetime, msgspec.Meta(extra={"kind": "moment"})]
"""A time in UTC; one that is written without a zone is in UTC."""
Value = Annotated[str, msgspec.Meta(extra={"kind": "value"})]
"""Value of a property: a text; numbers, flags and JSON are taken as the text they are."""

CODE_MAX: Final = 200
"""Characters of a status, key, SKU or warehouse."""


class Entity(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """What all values of an order share. Make a changed one with `msgspec.structs.replace`."""

    extra: dict[str, Any] = msgspec.field(name="$extra", default_factory=dict)
    """Properties that are not known here, as the client spelled them."""


E = TypeVar("E", bound=Entity)

_untyped: Final = msgspec.json.Decoder(float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


# Reading -----------------------------------------------------------------------------------------------------


def parse(raw: bytes) -> Json | Refused:
    """The JSON value of a body. Refused when it is not JSON, is nested too deeply or has a NUL character."""
    if _NUL in raw:
        return Refused(
            Code.VALIDATION_FAILED, "The body has a NUL character (\\u0000), which cannot be stored."
        )
    try:
        return _untyped.decode(raw.removeprefix(_MARK))
    except _UNREADABLE as fault:
        return Refused(Code.VALIDATION_FAILED, f"The body is not valid JSON: {fault}")


def read(shape: type[E], value: Json, what: str = "The body") -> E | Refused:
    """A value of this shape, or everything that is wrong with it."""
    problems: list[Problem] = []
    found = read_part(shape, value, "", problems)
    if found is None or problems:
        return invalid(problems, what)
    return found


def read_part(shape: type[E], value: Json, path: str, problems: list[Problem]) -> E | None:
    """The same as a part of something else; None when a problem was added."""
    attributes = _attributes(shape, value, path, problems)
    if attributes is None:
        return None
    missing = [one for one in _plan(shape).required if attributes.get(one.attribute) in (None, "")]
    problems += [Problem(_at(path, one.name), f"{one.name} is required.") for one in missing]
    return None if missing else shape(**attributes)


def patched(entity: E, value: Json, what: str = "The body") -> E | Refused:
    """The entity with the properties that the JSON names; null gives a property its default, lists are replaced."""
    problems: list[Problem] = []
    attributes = _attributes(type(entity), value, "", problems, partly=True)
    if attributes is not None:
        plan = _plan(type(entity))
        problems += [
            Problem(field.name, f"{field.name} cannot be taken away.")
            for field in plan.required
            if attributes.get(field.attribute, field) in (None, "")
        ]
    if attributes is None or problems:
        return invalid(problems, what)
    if "extra" in attributes:
        attributes["extra"] = {
            name: content
            for name, content in {**entity.extra, **attributes["extra"]}.items()
            if content is not None
        }
    return msgspec.structs.replace(entity, **attributes)


class _Field(NamedTuple):
    name: str
    attribute: str
    read: Callable[[Json, str, list[Problem]], Any]
    default: Callable[[], Any]


class _Plan(NamedTuple):
    names: Mapping[str, _Field]
    """By name in lower case, other names included."""
    own: frozenset[str]
    """The names in lower case that win over another name of the same field."""
    required: tuple[_Field, ...]


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _attributes(
    shape: type[E], value: Json, path: str, problems: list[Problem], *, partly: bool = False
) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        problems.append(Problem(path, "It must be a JSON object."))
        return None
    names, own, _ = _plan(shape)
    before = len(problems)
    given: dict[str, tuple[_Field, Json]] = {}
    extra: dict[str, Any] = {}
    for key, content in value.items():
        name = key.strip().lower()
        field = names.get(name)
        if field is None:
            extra[key] = content
        elif name in own and name in given:
            where = _at(path, field.name)
            problems.append(Problem(where, f"{field.name} is given twice, in two spellings. Keep one."))
        else:
            given[name] = field, content
    found: dict[str, Any] = {}
    for name, (field, content) in given.items():
        if name not in own and field.name.lower() in given:
            continue
        if content is not None:
            found[field.attribute] = field.read(content, _at(path, field.name), problems)
        elif partly:
            found[field.attribute] = field.default()
    if extra:
        found["extra"] = extra
    return found if len(problems) == before else None


@lru_cache(maxsize=100)
def _plan(shape: type[Entity]) -> _Plan:
    described = inspect.type_info(shape)
    assert isinstance(described, inspect.StructType)  # noqa: S101 - entities are structs
    names: dict[str, _Field] = {}
    required: list[_Field] = []
    for one in described.fields:
        if one.name == "extra":
            continue
        kind, inner, aliases = _meta(one.type)
        field = _Field(one.encode_name, one.name, _reader(kind, inner), _default(one))
        if one.required:
            required.append(field)
        for name in (one.encode_name, *aliases):
            names[name.lower()] = field
    own = frozenset(one.encode_name.lower() for one in described.fields)
    return _Plan(names, own, tuple(required))


def _default(field: inspect.Field) -> Callable[[], Any]:
    if field.default_factory is not msgspec.NODEFAULT:
        made: Callable[[], Any] = field.default_factory
        return made
    return partial(_same, None if field.default is msgspec.NODEFAULT else field.default)


def _same(value: Any) -> Any:  # noqa: ANN401 - any default
    return value


def _meta(shape: inspect.Type) -> tuple[str, inspect.Type, tuple[str, ...]]:
    """Kind, type without null and metadata, other names of the field."""
    kind, aliases = "", ()
    while isinstance(shape, inspect.Metadata | inspect.UnionType):
        if isinstance(shape, inspect.Metadata):
            kind = (shape.extra or {}).get("kind", kind)
            aliases = (shape.extra or {}).get("aliases", aliases)
            shape = shape.type
        else:
            shape = next(part for part in shape.types if not isinstance(part, inspect.NoneType))
    return kind, shape, aliases


def _reader(kind: str, shape: inspect.Type) -> Callable[[Json, str, list[Problem]], Any]:
    if kind:
        return _KINDS[kind]
    if isinstance(shape, inspect.StructType) and issubclass(shape.cls, Entity):
        return partial(read_part, shape.cls)
    if isinstance(shape, inspect.VarTupleType):
        inner_kind, inner, _ = _meta(shape.item_type)
        return partial(_read_list, _reader(inner_kind, inner))
    if isinstance(shape, inspect.DictType):
        return _read_texts
    return _PLAIN[type(shape)]


def _read_list(
    item: Callable[[Json, str, list[Problem]], Any], value: Json, path: str, problems: list[Problem]
) -> tuple[Any, ...]:
    if not isinstance(value, list):
        problems.append(Problem(path, "It must be a JSON array."))
        return ()
    return tuple(item(one, f"{path}[{n}]", problems) for n, one in enumerate(value))


def _read_texts(value: Json, path: str, problems: list[Problem]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        problems.append(Problem(path, "It must be a JSON object."))
        return {}
    return {
        name: _read_code(content, _at(path, name), problems)
        for name, content in value.items()
        if content is not None
    }


def _read_text(value: Json, path: str, problems: list[Problem], longest: int = TEXT_MAX) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        problems.append(Problem(path, "It must be a text."))
        return ""
    if len(value) > longest:
        problems.append(Problem(path, f"It has {len(value)} characters; at most {longest} are allowed."))
    return value


def _read_value(value: Json, path: str, problems: list[Problem]) -> str:
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    return _read_text(text, path, problems, VALUE_MAX)


def _read_code(value: Json, path: str, problems: list[Problem]) -> str:
    return _printable(_read_text(value, path, problems, CODE_MAX).strip(), path, problems)


def _read_id(value: Json, path: str, problems: list[Problem]) -> str:
    text = _printable(_read_text(value, path, problems, ID_MAX), path, problems)
    return text if text.strip() else ""


def _printable(text: str, path: str, problems: list[Problem]) -> str:
    if not text.isprintable() and any(one < " " or one == "\x7f" for one in text):
        problems.append(Problem(path, "It has a control character, which an id or code cannot have."))
    return text


def _read_flag(value: Json, path: str, problems: list[Problem]) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        problems.append(Problem(path, "It must be true or false."))
    return value is True


def _read_whole(value: Json, path: str, problems: list[Problem]) -> int:
    try:
        number = numbers.quantity(value)
    except QuantityError as fault:
        problems.append(Problem(path, str(fault)))
        return 0
    if number != int(number):
        problems.append(Problem(path, "It must be a whole number."))
    return int(number)


def _read_number(
    convert: Callable[[Json], Decimal], value: Json, path: str, problems: list[Problem]
) -> Decimal:
    try:
        return convert(value)
    except QuantityError as fault:
        problems.append(Problem(path, str(fault)))
        return numbers.ZERO


def _read_moment(value: Json, path: str, problems: list[Problem]) -> datetime | None:
    if isinstance(value, str) and not value.strip():
        return None
    try:
        read_ = msgspec.convert(value.strip() if isinstance(value, str) else None, datetime)
        if read_.replace(tzinfo=None) == _NO_TIME:
            return None
        return read_.astimezone(UTC) if read_.tzinfo else read_.replace(tzinfo=UTC)
    except (msgspec.ValidationError, OverflowError):
        problems.append(Problem(path, "It must be a time such as 2026-01-31T08:00:00Z."))
        return None


def _read_any(value: Json, path: str, problems: list[Problem]) -> Json:  # noqa: ARG001 - one of the readers
    return value


_KINDS: Final[dict[str, Callable[[Json, str, list[Problem]], Any]]] = {
    "quantity": partial(_read_number, numbers.quantity),
    "amount": partial(_read_number, numbers.amount),
    "id": _read_id,
    "code": _read_code,
    "value": _read_value,
    "moment": _read_moment,
}
_PLAIN: Final[dict[type[inspect.Type], Callable[[Json, str, list[Problem]], Any]]] = {
    inspect.StrType: _read_text,
    inspect.BoolType: _read_flag,
    inspect.IntType: _read_whole,
    inspect.AnyType: _read_any,
}


# Writing -----------------------------------------------------------------------------------------------------


def show(entity: Entity) -> dict[str, Any]:
    """The client's JSON as plain values: absent values are left out, `extra` stands beside the rest."""
    shown: dict[str, Any] = {}
    for attribute, name in _shown_fields(type(entity)):
        value = getattr(entity, attribute)
        if value is None:
            continue
        if isinstance(value, tuple):
            shown[name] = [show(one) if isinstance(one, Entity) else one for one in value]
        else:
            shown[name] = show(value) if isinstance(value, Entity) else value
    return shown | entity.extra


@lru_cache(maxsize=100)
def _shown_fields(shape: type[Entity]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (field.name, field.encode_name) for field in msgspec.structs.fields(shape) if field.name != "extra"
    )


def to_json(value: Json) -> bytes:
    """JSON of plain values; decimals are written as numbers."""
    return _encoder.encode(value)


def to_stored(record: msgspec.Struct) -> bytes:
    """The stored form of a struct that holds entities; `stored_decoder` reads it."""
    return _encoder.encode(record)


T = TypeVar("T")


def stored_decoder(shape: type[T]) -> msgspec.json.Decoder[T]:
    """Reads what `to_stored` wrote; fractions in `extra` stay exact decimals."""
    return msgspec.json.Decoder(shape, float_hook=Decimal)
