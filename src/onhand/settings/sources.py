"""Where settings come from, and how a wrong one is explained.

A value comes from the first place that names it: a command-line option, the environment (`ONHAND_PORT`), a
secret file (`ONHAND_DATABASE_URL_FILE` holds a path), the TOML file of `--config` (or `ONHAND_CONFIG`), the
default. `load` remembers which it was, so that `onhand doctor` can say so.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from onhand.settings.model import PREFIX, Settings

CLIENT_VARIABLES = frozenset(
    {
        "ONHAND_CONFIG",
        "ONHAND_URL",
        "ONHAND_TOKEN",
        "ONHAND_CLIENT_ID",
        "ONHAND_CLIENT_SECRET",
        "ONHAND_CLIENT_SECRET_FILE",
        "ONHAND_PG_ACCOUNT",
        "ONHAND_ENVIRONMENT",
        "ONHAND_ORGANIZATION",
    }
)
"""Variables of the command line as a client; they are no settings of the service."""


class SettingsError(Exception):
    """A setting cannot be used; the message names it, says where it came from and what to do."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each value came from."""

    settings: Settings
    origins: Mapping[str, str]
    """Name -> "default", "ONHAND_PORT", "ONHAND_DATABASE_URL_FILE", "option" or the TOML file's path."""
    strangers: tuple[str, ...]
    """Variables that begin with ONHAND_ and are no setting: probably misspelt."""


def load(
    options: Mapping[str, Any] | None = None,
    config: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Loaded:
    """Settings from options, environment, secret files and a TOML file, in this order of precedence.

    An option that is None was not given.

    Raises:
        SettingsError: a value is missing, unknown or out of bounds.
    """
    environ = os.environ if variables is None else variables
    if config is None and environ.get("ONHAND_CONFIG"):
        config = Path(environ["ONHAND_CONFIG"])
    values: dict[str, Any] = {}
    origins: dict[str, str] = dict.fromkeys(Settings.model_fields, "default")
    sources = [_from_toml(config)] if config is not None else []
    sources += [_from_secret_files(environ), _from_environment(environ)]
    sources.append({name: (value, "option") for name, value in (options or {}).items() if value is not None})
    for source in sources:
        for name, (value, origin) in source.items():
            values[name], origins[name] = value, origin
    try:
        settings = Settings(**values)
    except ValidationError as invalid:
        raise SettingsError(_explain(invalid, origins)) from None
    return Loaded(settings, origins, _strangers(environ))


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if variable in environ:
            found[name] = (environ[variable], variable)
    return found


def _from_secret_files(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for name in Settings.model_fields:
        variable = f"{PREFIX}{name.upper()}_FILE"
        path = environ.get(variable)
        if not path:
            continue
        try:
            found[name] = (Path(path).read_text(encoding="utf-8").strip(), variable)
        except OSError as cause:
            raise SettingsError(f"{variable}: cannot read {path}: {cause.strerror}") from None
    return found


def _from_toml(path: Path) -> dict[str, tuple[Any, str]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise SettingsError(f"cannot read the configuration file {path}: {cause.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise SettingsError(f"{path} is not a TOML file: {cause}") from None
    for name in document:
        if name not in Settings.model_fields:
            raise SettingsError(f"{path}: unknown setting {name!r}.{_suggestion(name)}")
    return {name: (value, str(path)) for name, value in document.items()}


def _suggestion(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), Settings.model_fields, n=1)
    return f" Did you mean {near[0]!r}?" if near else " `onhand doctor` lists all settings."


def _strangers(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known} | CLIENT_VARIABLES
    return tuple(
        sorted(
            name
            for name in environ
            if name.startswith(PREFIX) and name not in known and not name.startswith("ONHAND_TEST_")
        )
    )


def _explain(invalid: ValidationError, origins: Mapping[str, str]) -> str:
    """One line a fault: which setting, from where, what is wrong."""
    lines = []
    for error in invalid.errors(include_url=False, include_input=False):
        message = error["msg"].removeprefix("Value error, ")
        if not error["loc"]:
            lines.append(message)
            continue
        name = str(error["loc"][0])
        origin = origins.get(name)
        if origin is None:
            message = f"unknown setting.{_suggestion(name)}"
        lines.append(f"{name}{f' (from {origin})' if origin else ''}: {message}")
    return "\n".join(lines)
