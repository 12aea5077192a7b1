"""A setting with what the reference page and `doctor` show of it."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def knob(  # noqa: PLR0913 - one argument a column of the reference page
    default: Any,  # noqa: ANN401 - the field's own type checks it
    why: str,
    *,
    group: str,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
) -> Any:  # noqa: ANN401 - pydantic's Field is typed so
    """A field with the columns that the reference page and `doctor` show."""
    return Field(
        default=default, ge=ge, le=le, description=why, json_schema_extra={"group": group, "unit": unit}
    )
