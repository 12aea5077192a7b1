"""Parameters of an environment's ERP side: what is offset when, which figures move, how the synchronisation runs."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from onhand.core.erp.figures import DEFAULT, Owner, Row
from onhand.core.erp.statuses import Status

INTERVAL_MAX_S: Final = 86_400
BATCH_MAX: Final = 1_000
"""Records of one batch (specification 1.8)."""

Modifier = Literal["onOrder", "reserve"]
BlockLevel = Literal["block", "warning", "ignore"]
LineKind = Literal["salesOrder", "adjustmentJournal"]
Trigger = Literal["create", "invoice", "post"]

TRIGGERS: Final[dict[Trigger, Status]] = {
    "create": Status.ON_ORDER,
    "invoice": Status.SOLD,
    "post": Status.SOLD,
}
"""Status whose first reach by a quantity offsets an adjustment."""


class AdjustmentOffset(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What a movement had posted to another source before the ERP posted it too (specification 4.4).

    The named dimensions are kept, the others are left out; product dimensions always count.
    """

    kind: LineKind
    """`salesOrder` or `adjustmentJournal`."""
    trigger: Trigger
    """`create`, or `invoice` (sales order) or `post` (journal)."""
    data_source: str
    """Where the movement was posted before."""
    physical_measure: str
    """The measure that is taken back."""
    site: bool = True
    """SiteId."""
    warehouse: bool = True
    """LocationId."""
    inventory_status: bool = False
    """StatusId."""
    location: bool = False
    """WMSLocationId."""
    license_plate: bool = False
    """LicensePlateId."""
    batch: bool = False
    """BatchId."""
    serial: bool = False
    """SerialId."""


class Parameters(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The parameters of one environment; each has a default."""

    offset_enabled: bool | None = None
    """Whether reservations are offset. None: when the environment has soft reservation switched on."""
    offset_modifier: Modifier = "reserve"
    """`onOrder`: a reservation is offset when its line is created. `reserve`: when the ERP first reserves, or at the
    nearest later status if that is skipped."""
    figures: Literal["derived", "supplied"] = "derived"
    """`derived`: the measures of `fno` follow from the statuses by `deltas`. `supplied`: the connector sends them."""
    deltas: dict[Status, Row] = msgspec.field(
        default_factory=lambda: {one: dict(DEFAULT[one]) for one in DEFAULT}
    )
    """Status -> measure of `fno` -> 1 or -1 for each unit that stands in it."""
    physical_owner: Owner = "workflow"
    """Who moves the physical quantity of a warehouse that neither says so itself nor is named by `warehouseOwners`."""
    warehouse_owners: dict[str, Owner] = {}
    """Warehouse (LocationId) -> who moves its physical quantity, if no warehouse of the order workflow there says so itself."""
    sync_enabled: bool = True
    """Switched off, changes wait and none is lost."""
    mode: Literal["periodic", "direct"] = "periodic"
    """`direct`: a change takes effect with the message that brings it."""
    interval_seconds: int = 60
    """Seconds from a change to the synchronisation that posts it."""
    batch_size: int = 512
    """Lines of one batch, 1 to 1,000."""
    reserved_measure: str | None = None
    """`source.measure` that automatic offsets and reservations of lines use; None: the only one that can be reserved."""
    release_on_cancel: bool = False
    """Whether a quantity that is cancelled before its offset gives its reservation back."""
    soft_reservation: bool = False
    """Whether lines are soft-reserved from the ERP."""
    block_level: BlockLevel = "warning"
    """What a line without a soft reservation may do when `softReservation` is on: `block` refuses to reserve it hard or to
    go further, `warning` says so, `ignore` says nothing."""
    adjustment_offsets: tuple[AdjustmentOffset, ...] = ()
    """What lines take back that was posted to another source before."""

    def owner(self, warehouse: str) -> Owner:
        """Who moves the physical quantity of a warehouse; names are compared without regard to case."""
        wanted = warehouse.casefold()
        known = self.warehouse_owners.get(wanted)
        if known is not None:
            return known
        for name, owner in self.warehouse_owners.items():
            if name.casefold() == wanted:
                return owner
        return self.physical_owner

    @property
    def trigger(self) -> Status:
        """The first status that offsets."""
        return Status.ON_ORDER if self.offset_modifier == "onOrder" else Status.RESERVED_ORDERED

    def offsets(self, *, reservations_enabled: bool) -> bool:
        """Whether reservations are offset."""
        return reservations_enabled if self.offset_enabled is None else self.offset_enabled
