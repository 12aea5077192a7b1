"""The settings of the service in one: its sections, what must hold between them, and what follows from them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from onhand.settings.engine import DatabaseSettings, EngineSettings
from onhand.settings.network import NetworkSettings
from onhand.settings.operation import AccessSettings, KeepingSettings, LogSettings, WorkSettings

PREFIX = "ONHAND_"


class Settings(
    # The fields of the last base come first, and the reference page shows them in that order.
    LogSettings,
    KeepingSettings,
    WorkSettings,
    AccessSettings,
    EngineSettings,
    DatabaseSettings,
    NetworkSettings,
):
    """All settings; frozen. Building it reads nothing: `sources.load` looks the values up."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

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
