"""Bodies of configuration, jobs, environments, clients and audits on the native surface."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from onhand.api.native.wire import Answer, Quantity, Request


class ConfigurationRequest(Request, kw_only=True):
    """A configuration document, and the compatibility switches to change with it."""

    document: dict[str, Any]
    switches: dict[str, Any] | None = None
    reason: str = ""


class ConfigurationAnswer(Answer, kw_only=True):
    """One version of a configuration."""

    environment_id: str
    version: int
    document: dict[str, Any]
    switches: dict[str, Any]
    applied_at: datetime
    applied_by: str
    reason: str


class ConfigurationProblem(Answer, kw_only=True):
    """Something wrong with a document; only errors forbid applying it."""

    path: str
    message: str
    severity: str


class Validation(Answer, kw_only=True):
    """Whether a document may be applied."""

    valid: bool
    problems: list[ConfigurationProblem]


class Difference(Answer, kw_only=True):
    """What applying a document would change."""

    changes: list[Any]


class ConfigurationVersion(Answer, kw_only=True):
    """A line of the history."""

    version: int
    applied_at: datetime
    applied_by: str
    reason: str


class History(Answer, kw_only=True):
    """All versions, newest first."""

    items: list[ConfigurationVersion]


class JobRequest(Request, kw_only=True):
    """A long job to start: the clean-up of reservations of some data sources (none named: all)."""

    kind: str = "reservation-resync"
    sources: list[str] = msgspec.field(default_factory=list)


class JobAnswer(Answer, kw_only=True):
    """State of a job."""

    job_id: str
    kind: str
    status: str
    progress: int
    message: str


class EnvironmentRequest(Request, kw_only=True):
    """A new environment, from a profile or from a document."""

    environment_id: str
    profile: str = "standalone"
    document: dict[str, Any] | None = None
    switches: dict[str, Any] | None = None


class EnvironmentAnswer(Answer, kw_only=True):
    """An environment."""

    environment_id: str
    configuration_version: int


class EnvironmentList(Answer, kw_only=True):
    """Environments that the caller may enter."""

    items: list[EnvironmentAnswer]


class ClientRequest(Request, kw_only=True):
    """A new client, or a new secret and new rights for an existing one."""

    client_id: str
    environments: list[str]
    scopes: list[str] = msgspec.field(default_factory=list)


class ClientCreated(Answer, kw_only=True):
    """The secret is shown once."""

    client_id: str
    client_secret: str


class ClientAnswer(Answer, kw_only=True):
    """A client, without its secret."""

    client_id: str
    environments: list[str]
    scopes: list[str]
    disabled: bool


class ClientList(Answer, kw_only=True):
    """All clients."""

    items: list[ClientAnswer]


class DriftAnswer(Answer, kw_only=True):
    """One contradiction that an audit found."""

    invariant: str
    organization_id: str
    product_id: str
    position: dict[str, str]
    measure: str
    expected: Quantity
    found: Quantity
    message: str


class AuditAnswer(Answer, kw_only=True):
    """What an audit found."""

    clean: bool
    products: int
    records: int
    drift_count: int
    drift_units: Quantity
    drifts: list[DriftAnswer]
