"""Everything of the ERP side in one place, for the composition root and the edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onhand.core.erp.asking import Said
from onhand.core.erp.intake import Asked, Taken
from onhand.core.rules import Rules
from onhand.ports import Clock, Documents, Probe, Reader
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp.consistency import Consistency
from onhand.service.erp.holds import Holds
from onhand.service.erp.lines import ErpLines
from onhand.service.erp.parameters import ErpParameters
from onhand.service.erp.snapshots import Snapshots
from onhand.service.erp.soft import SoftReservations
from onhand.service.erp.sync import ErpSync
from onhand.service.workflow.configurations import Configurations


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpSide:
    """Services of the ERP side."""

    parameters: ErpParameters
    lines: ErpLines
    sync: ErpSync
    holds: Holds
    soft: SoftReservations
    snapshots: Snapshots
    consistency: Consistency

    async def tell(self, rules: Rules, messages: Sequence[Asked], source: str = "") -> Taken:
        """Take messages; in direct mode what they change is posted before the answer.

        Raises:
            Fault: it is not known whether they were taken; the same messages may be sent again.
        """
        taken = await self.lines.tell(rules, messages, source)
        parameters = await self.parameters.of(rules)
        if parameters.mode == "direct" and parameters.sync_enabled:
            changed = [one.line.line_id for one in taken.answers if isinstance(one, Said) and one.event]
            await self.sync.post_lines(rules, list(dict.fromkeys(changed)))
        return taken


def erp_side(  # noqa: PLR0913 - its collaborators
    documents: Documents,
    reader: Reader,
    batcher: Batcher,
    environments: Environments,
    clock: Clock,
    *,
    probe: Probe,
    refresh_seconds: float = 1.0,
) -> ErpSide:
    """The services over these parts. Parameters are at most `refresh_seconds` old."""
    parameters = ErpParameters(
        documents, batcher, Configurations(documents, batcher), refresh_seconds=refresh_seconds
    )
    lines = ErpLines(documents, batcher, parameters)
    holds = Holds(reader, clock)
    soft = SoftReservations(documents, batcher, parameters=parameters, lines=lines, holds=holds)
    sync = ErpSync(
        documents,
        batcher,
        environments,
        clock,
        probe=probe,
        parameters=parameters,
        lines=lines,
        holds=holds,
        soft=soft,
    )
    snapshots = Snapshots(documents, reader, batcher, clock, parameters=parameters, holds=holds)
    return ErpSide(
        parameters=parameters,
        lines=lines,
        sync=sync,
        holds=holds,
        soft=soft,
        snapshots=snapshots,
        consistency=Consistency(documents, reader, batcher, environments, clock),
    )
