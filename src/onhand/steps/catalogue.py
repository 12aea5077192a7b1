"""The catalogue entry of a step as clients see it (order specification 8.3)."""

from __future__ import annotations

import msgspec

from onhand.steps.contract import Case, Effects, Property, StepSpec, Tier
from onhand.steps.registry import CATALOGUE, find


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is known about a step."""

    key: str
    title: str
    group: str
    hidden: bool
    applicable_statuses: tuple[str, ...]
    """Where the editor offers it; empty: everywhere."""
    properties: tuple[Property, ...]
    effects: Effects
    error_table: tuple[Case, ...]
    related_steps: tuple[str, ...]
    tier: Tier
    implemented: bool
    behaviour: str
    """In Markdown."""


def entry(spec: StepSpec) -> Entry:
    """The entry of a step."""
    return Entry(
        key=spec.key,
        title=spec.title,
        group=spec.group,
        hidden=spec.hidden,
        applicable_statuses=spec.applicable_statuses,
        properties=spec.properties,
        effects=spec.effects,
        error_table=spec.error_table,
        related_steps=spec.related,
        tier=spec.tier,
        implemented=spec.implemented,
        behaviour=spec.behaviour,
    )


def entries() -> tuple[Entry, ...]:
    """All entries, in the order of the catalogue."""
    return tuple(entry(spec) for spec in CATALOGUE)


def entry_of(key: str) -> Entry | None:
    """The entry of the step of this key; None for an unknown one."""
    spec = find(key)
    return None if spec is None else entry(spec)
