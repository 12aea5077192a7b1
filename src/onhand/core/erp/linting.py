"""Parameters against a configuration: what is wrong, and what a planner should know (decisions 20, 25).

"What is available for reservation does not jump" is true where the step that offsets also moves a measure which the
formula subtracts. Where it is not, the lint says by how much a unit jumps and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from onhand.core.configuration_document import Problem
from onhand.core.erp.figures import ERP_SOURCE, Row, row
from onhand.core.erp.parameters import BATCH_MAX, INTERVAL_MAX_S, Parameters
from onhand.core.erp.statuses import RANK, Status
from onhand.core.erp.targets import reserved_measure
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.owners import contradictions, owned
from onhand.core.outcomes import Rejected
from onhand.core.rules import Rules

_PATHS: Final = (
    Status.RESERVED_ORDERED,
    Status.RESERVED_PHYSICAL,
    Status.PICKED,
    Status.DEDUCTED,
    Status.SOLD,
)

WAREHOUSES_MAX: Final = 10_000


def problems(parameters: Parameters, rules: Rules, workflows: Workflows) -> list[Problem]:
    """Errors forbid saving; warnings are told with each answer."""
    return [
        *_errors(parameters, rules),
        *contradictions(parameters, workflows),
        *_warnings(owned(parameters, workflows), rules),
    ]


def _errors(parameters: Parameters, rules: Rules) -> Iterator[Problem]:
    if not 1 <= parameters.batch_size <= BATCH_MAX:
        yield Problem("batchSize", f"It must be from 1 to {BATCH_MAX}.")
    if not 1 <= parameters.interval_seconds <= INTERVAL_MAX_S:
        yield Problem("intervalSeconds", f"It must be from 1 to {INTERVAL_MAX_S}.")
    if len(parameters.warehouse_owners) > WAREHOUSES_MAX:
        yield Problem("warehouseOwners", f"At most {WAREHOUSES_MAX} warehouses may be named.")
    yield from _delta_errors(parameters)
    if parameters.reserved_measure is not None:
        found = reserved_measure(rules, parameters.reserved_measure)
        if isinstance(found, Rejected):
            yield Problem("reservedMeasure", found.message)
    yield from _adjustment_errors(parameters, rules)


def _delta_errors(parameters: Parameters) -> Iterator[Problem]:
    for status, figures in parameters.deltas.items():
        for measure, sign in figures.items():
            if sign not in (-1, 1):
                yield Problem(
                    f"deltas.{status}.{measure}", "A unit counts 1 or -1; leave the measure out otherwise."
                )
            if measure != measure.lower():
                yield Problem(f"deltas.{status}.{measure}", "Write measures in lower case.")


def _adjustment_errors(parameters: Parameters, rules: Rules) -> Iterator[Problem]:
    for place, one in enumerate(parameters.adjustment_offsets):
        path = f"adjustmentOffsets[{place}]"
        allowed = ("create", "invoice") if one.kind == "salesOrder" else ("create", "post")
        if one.trigger not in allowed:
            yield Problem(f"{path}.trigger", f"A {one.kind} has the triggers {' and '.join(allowed)}.")
        if one.data_source.lower() == ERP_SOURCE:
            yield Problem(f"{path}.dataSource", "The ERP's own measures follow from the statuses.")
        elif (one.data_source.lower(), one.physical_measure.lower()) not in rules.measures:
            yield Problem(
                f"{path}.physicalMeasure",
                f"{one.data_source}.{one.physical_measure} is not a physical measure of this environment.",
            )


def _warnings(parameters: Parameters, rules: Rules) -> Iterator[Problem]:
    if parameters.offsets(reservations_enabled=rules.reservations_enabled) and not rules.reservations_enabled:
        yield Problem(
            "offsetEnabled", "Soft reservation is switched off, so there is nothing to offset.", "warning"
        )
    missing = sorted(
        {
            measure
            for figures in parameters.deltas.values()
            for measure in figures
            if (ERP_SOURCE, measure) not in rules.measures
        }
    )
    if missing and parameters.figures == "derived":
        yield Problem(
            "deltas",
            f"The environment has no measure {', '.join(f'{ERP_SOURCE}.{one}' for one in missing)}: nothing is posted to "
            "it. Add it to the configuration or take it out of the table.",
            "warning",
        )
    if parameters.physical_owner == "workflow":
        named = sorted(name for name, owner in parameters.warehouse_owners.items() if owner == "erp")
        yield Problem(
            "physicalOwner",
            "The order workflow moves the physical quantity"
            + (f" of every warehouse but {', '.join(named)[:200]}" if named else "")
            + ": an ERP line that is picked, shipped or invoiced changes none. Set 'erp' where the ERP ships.",
            "warning",
        )
    yield from _jumps(parameters, rules)


def _jumps(parameters: Parameters, rules: Rules) -> Iterator[Problem]:
    """Steps that offset and make what is available jump."""
    if parameters.figures == "supplied" or not parameters.offsets(
        reservations_enabled=rules.reservations_enabled
    ):
        return
    before = Status.ON_ORDER if parameters.trigger is Status.RESERVED_ORDERED else None
    paths = _PATHS if before else (Status.ON_ORDER,)
    owners = sorted({parameters.physical_owner, *parameters.warehouse_owners.values()})
    for measure, availability in sorted(rules.mapped.items()):
        for owner in owners:
            for status in paths:
                old = row(parameters.deltas, before, owner) if before else {}
                new = row(parameters.deltas, status, owner)
                jump = (
                    1
                    + _effect(rules, availability.formula.signs, new)
                    - _effect(rules, availability.formula.signs, old)
                )
                if jump:
                    yield _jump(rules, availability.formula.name, measure, status, owner, jump)


def _effect(rules: Rules, signs: dict[int, int], figures: Row) -> int:
    return sum(
        sign * signs.get(rules.measures.get((ERP_SOURCE, measure), -1), 0)
        for measure, sign in figures.items()
    )


def _jump(  # noqa: PLR0913 - what the sentence is made of
    rules: Rules, formula: tuple[str, str], measure: int, status: Status, owner: str, jump: int
) -> Problem:
    return Problem(
        "deltas" if RANK[status] else "offsetModifier",
        f"Where the {owner} owns the physical quantity, an offset at {status.value!r} makes {'.'.join(formula)} "
        f"{'rise' if jump > 0 else 'fall'} by {abs(jump)} for each unit: {'.'.join(rules.names[measure])} falls by 1, "
        f"and what that status posts to {ERP_SOURCE} changes the formula by {jump - 1:+d}.",
        "warning",
    )
