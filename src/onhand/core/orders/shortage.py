"""What a line lacks: the part of it that nobody has reserved in its warehouse."""

from __future__ import annotations

from decimal import Decimal

from onhand.core.orders.model import OrderLine
from onhand.core.orders.moves import ZERO
from onhand.core.orders.record import LedgerRow


def lacking(line: OrderLine, row: LedgerRow | None) -> Decimal:
    """How much of a line could still be reserved in its warehouse; zero for what is never reserved there.

    Lines of packages and bundles, virtual products, lines that wait for a purchase order, that were shipped, that are
    marked as reserved by force, or that show a reservation which has no ledger row yet (imported ones) lack nothing.
    """
    if line.is_virtual_product or line.is_awaiting_purchase_order or line.forced_reservation:
        return ZERO
    if line.is_parent or line.is_package_product or line.is_package or line.is_bundle or not line.code:
        return ZERO
    if row is None:
        return ZERO if line.reserved_inventory_quantity > ZERO else line.effective
    if row.reduction is not None:
        return ZERO
    return max(ZERO, line.effective - row.shown)
