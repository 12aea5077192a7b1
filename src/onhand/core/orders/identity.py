"""Ids of the commands that an order sends to the engine.

An id is a structured key, never a concatenation, so that no two orders can mean the same (A25). Effects that happen once
for ever have no revision; those that may recur carry the revision of the ledger row, read under the lock.
"""

from __future__ import annotations

from typing import Any

import msgspec

from onhand.core.commands import DocumentKey
from onhand.core.keys import shard
from onhand.core.orders.addresses import Address
from onhand.core.orders.moves import LineRef
from onhand.core.orders.transactions import ORDER_COMMAND


class Identity(msgspec.Struct, frozen=True):
    """The order that asks."""

    key: DocumentKey

    @property
    def order_id(self) -> str:
        """Its id."""
        return self.key.id

    def command_id(self, line: LineRef, effect: str, revision: int | None) -> str:
        """Id of an effect on a line."""
        parts = [self.order_id, line.shipment_id, line.line_item_id, effect]
        return ORDER_COMMAND + msgspec.json.encode(parts if revision is None else [*parts, revision]).decode()

    def of(
        self, address: Address, line: LineRef, effect: str, revision: int | None, caller: str
    ) -> dict[str, Any]:
        """What all commands share: id, fingerprint, caller and product."""
        command_id = self.command_id(line, effect, revision)
        return {
            "id": command_id,
            "fingerprint": shard(command_id),
            "caller": caller,
            "product": address.product,
            "organization_shown": address.organization,
            "product_shown": address.item.sku,
        }
