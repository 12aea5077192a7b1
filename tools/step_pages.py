"""Reference pages of the workflow steps: one for each, made from the registry that the engine itself looks them up in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from onhand.steps.contract import Property, StepSpec
from onhand.steps.registry import CATALOGUE, find
from tools.markdown import code, listed, table


def overview() -> Iterator[str]:
    """Every step."""
    yield "# Workflow steps"
    yield (
        "A step is one configured call of an action in the workflow of an order status; its key is the step's `name`, compared "
        "without case. `GET …/workflow-steps` lists the same facts as JSON. How to add one: "
        "[Write a step](../../guides/write-a-step.md)."
    )
    yield "## Steps that are built"
    yield table(
        ("key", "tier", "group", "statuses that it is meant for", "inventory", "reserved", "line", "cost"),
        [_row(spec) for spec in CATALOGUE if spec.implemented],
    )
    yield (
        "The statuses are a hint for the editor, never a gate. *Inventory* and *reserved* are the counters of the item, *line* is "
        "what the line shows as reserved, *cost* the line's cost: `+` raises, `-` lowers, `=` sets."
    )
    yield "## Steps that are known by name"
    yield (
        "A configuration that uses them can be saved (with a warning); such a step does nothing and ends as a warning "
        "*not implemented*."
    )
    yield table(
        ("key", "tier", "group"),
        [(code(spec.key), str(spec.tier), spec.group) for spec in CATALOGUE if not spec.implemented],
    )


def _row(spec: StepSpec) -> tuple[str, ...]:
    effects = spec.effects
    return (
        f"[`{spec.key}`]({spec.key}.md){' (hidden)' if spec.hidden else ''}",
        str(spec.tier),
        spec.group,
        ", ".join(map(code, spec.applicable_statuses)) or "all",
        code(effects.inventory),
        code(effects.reserved_inventory),
        code(effects.line_flag),
        "yes" if effects.cost else "",
    )


def page(spec: StepSpec) -> Iterator[str]:
    """One step."""
    yield f"# {spec.title}"
    facts = [
        code(spec.key),
        f"group {spec.group}",
        f"tier {spec.tier}",
        f"meant for {', '.join(map(code, spec.applicable_statuses)) or 'all statuses'}",
    ]
    yield " · ".join([*facts, "not offered to ordinary administrators"] if spec.hidden else facts)
    yield spec.behaviour
    if spec.prerequisites:
        yield "## Before it"
        yield listed(spec.prerequisites)
    if spec.side_effects:
        yield "## What it leaves behind"
        yield listed(spec.side_effects)
    yield "## Properties"
    yield (
        table(
            ("property", "type", "required", "default", "meaning"),
            [_property(one) for one in spec.properties],
        )
        if spec.properties
        else "None."
    )
    yield "## Results"
    yield table(
        ("condition", "result", "the run goes on"),
        [(case.condition, case.result, case.continues) for case in spec.error_table],
    )
    if spec.related:
        yield "## Related steps"
        yield listed(_link(key) for key in spec.related)


def _property(one: Property) -> tuple[str, ...]:
    return (code(one.name), one.type, "yes" if one.required else "", code(one.default), one.meaning)


def _link(key: str) -> str:
    spec = find(key)
    return f"[`{key}`]({key}.md)" if spec is not None and spec.implemented else f"`{key}`"


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "steps/README.md": overview,
    **{f"steps/{spec.key}.md": partial(page, spec) for spec in CATALOGUE if spec.implemented},
}
