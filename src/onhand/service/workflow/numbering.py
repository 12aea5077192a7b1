"""Order numbers: a sequence for each environment, handed out in blocks so that no two processes wait for each other.

Numbers grow with time within a process and are never given twice; those of a block that a stopped process had left
are skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.keys import shard
from onhand.core.rules import Rules
from onhand.service.batcher import Batcher

KIND: Final = "sequence"
"""Kind of the document."""
ORDER_NUMBERS: Final = "order-number"
FIRST: Final = 100_001
BLOCK: Final = 20
"""Numbers that a process takes at once."""


class Numbering:
    """Hands out numbers."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._left: dict[int, list[int]] = {}
        self._taking: dict[int, asyncio.Lock] = {}

    async def next_order_number(self, rules: Rules) -> str:
        """A number that no order of this sequence has."""
        environment = rules.environment
        async with self._taking.setdefault(environment, asyncio.Lock()):
            left = self._left.get(environment)
            if not left:
                left = self._left[environment] = await self._block(rules)
            return str(left.pop(0))

    async def _block(self, rules: Rules) -> list[int]:
        key = DocumentKey(
            shard(str(rules.environment), KIND, ORDER_NUMBERS), rules.environment, KIND, ORDER_NUMBERS
        )
        taken: list[int] = []

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            document = concluded.documents[0]
            first = msgspec.json.decode(document.body, type=int) if document.version else FIRST
            taken[:] = range(first, first + BLOCK)  # the last call is the one that was committed
            return [DocumentWrite(key, document.version, msgspec.json.encode(first + BLOCK))]

        def build(_rules: Rules) -> Group:
            return Group(commands=(), documents=(key,), finish=finish)

        await self._batcher.submit(rules, build)
        return taken
