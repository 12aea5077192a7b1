"""Settings of access, of work that comes back by the clock, and of what is kept and logged."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from onhand.settings.knob import knob


class AccessSettings(BaseSettings):
    """How callers prove who they are."""

    auth: Literal["token", "static", "none"] = knob(
        "token",
        "How callers prove who they are: a signed token, one shared key (`static_token`), or not at all. The last two only on loopback.",
        group="access",
    )
    static_token: SecretStr | None = knob(None, "The shared key of `auth = static`.", group="access")
    token_seconds: int = knob(
        3_600,
        "Life of an access token. Clients of Inventory Visibility expect an hour.",
        group="access",
        unit="seconds",
        ge=60,
        le=86_400,
    )
    oidc_issuer: str | None = knob(
        None,
        "Issuer of an external identity provider whose tokens are accepted as well; its keys come from the discovery document.",
        group="access",
    )
    oidc_audience: str | None = knob(
        None, "Audience that tokens of the external issuer must name.", group="access"
    )


class WorkSettings(BaseSettings):
    """Workflows of orders, and lines of the ERP."""

    workflow_lease_seconds: int = knob(
        60,
        "How long the run of a workflow belongs to the process that executes it, counted from its last commit. After a crash "
        "its order is locked for so long, then another process goes on. Longer than the slowest step, or a step that is "
        "still at work would be begun again elsewhere; stock never moves twice either way.",
        group="orders",
        unit="seconds",
        ge=1,
        le=3_600,
    )

    erp_sync_seconds: int = knob(
        5,
        "How often lines of the ERP that are due are looked for. When a line is due is a parameter of its environment.",
        group="erp",
        unit="seconds",
        ge=1,
        le=3_600,
    )

    http_action_allow: str = knob(
        "",
        "URLs that the workflow step HttpAction may call, as prefixes separated by blanks, such as https://hooks.example.com/orders. "
        "Empty by default: whoever may configure workflows would otherwise make the service call anything that it can reach.",
        group="orders",
    )


class KeepingSettings(BaseSettings):
    """What is kept, and for how long."""

    refusal_days: int = knob(
        30,
        "How long refused reservations stay listed; they are evidence of lost demand, not of stock.",
        group="retention",
        unit="days",
        ge=1,
        le=3_650,
    )

    sweep_seconds: int = knob(
        10,
        "How often expired holds are written off. They stop counting at once either way; this only tidies the records.",
        group="retention",
        unit="seconds",
        ge=1,
        le=3_600,
    )


class LogSettings(BaseSettings):
    """What is logged."""

    log_level: Literal["debug", "info", "warning", "error"] = knob(
        "info", "Least important event to log.", group="logs"
    )
    log_format: Literal["auto", "json", "console"] = knob(
        "auto", "`auto` writes JSON unless standard error is a terminal.", group="logs"
    )
