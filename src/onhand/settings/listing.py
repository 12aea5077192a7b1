"""All settings as the reference page and `doctor` show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from onhand.settings.model import PREFIX, Settings


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting as the reference page and `doctor` show it."""

    name: str
    variable: str
    group: str
    unit: str
    default: str
    bounds: str
    why: str
    secret: bool


def knobs() -> list[Knob]:
    """Every setting, in the order of the class: the single source of the reference page."""
    schema = Settings.model_json_schema()["properties"]
    return [
        Knob(
            name=name,
            variable=PREFIX + name.upper(),
            group=str(schema[name].get("group", "")),
            unit=str(schema[name].get("unit", "")),
            default=_shown(field.default),
            bounds=_bounds(schema[name]),
            why=field.description or "",
            secret="SecretStr" in str(field.annotation),
        )
        for name, field in Settings.model_fields.items()
    ]


def shown(settings: Settings, name: str) -> str:
    """A value as text, secrets hidden."""
    return _shown(getattr(settings, name))


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "(hidden)"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _bounds(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    return "" if low is None and high is None else f"{low:,.0f} to {high:,.0f}"
