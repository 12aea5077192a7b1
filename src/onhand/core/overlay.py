"""The working state of a batch: what the snapshot says, and on top of it what the batch changed so far.

The snapshot is never written to. Each product has a `Book`, which copies a level or a hold when it first changes
it, so that at the end everything that was copied is written once, with its final value.

While a group is decided, every change also notes how to take it back (`Batch.undo`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from onhand.core.book import Book
from onhand.core.commands import Document, DocumentKey
from onhand.core.concluding import Totals
from onhand.core.keys import ProductKey
from onhand.core.outcomes import Accepted
from onhand.core.rules import Rules
from onhand.core.snapshot import CommandId, Decision, NewId, ProductState, Seen, Snapshot


class Batch:
    """State of a batch while it is decided."""

    __slots__ = ("_ids", "_snapshot", "books", "decision", "documents", "now", "rules", "undo")

    def __init__(self, snapshot: Snapshot, rules: Mapping[int, Rules], now: int) -> None:
        self._snapshot = snapshot
        self._ids: dict[CommandId, NewId] = {}
        self.rules = rules
        self.now = now
        self.books: dict[ProductKey, Book] = {}
        self.documents: dict[DocumentKey, Document] = {}
        self.decision = Decision(now)
        self.undo: list[Callable[[], object]] | None = None

    def book(self, product: ProductKey) -> Book:
        """The product's working state."""
        book = self.books.get(product)
        if book is None:
            state = self._snapshot.products.get(product) or ProductState(0, 0, 1, 1)
            book = self.books[product] = Book(self, product, state)
        return book

    def seen(self, command_id: CommandId) -> NewId | Seen | None:
        """What was accepted under the id, earlier in the batch or before it."""
        return self._ids.get(command_id) or self._snapshot.ids.get(command_id)

    def remember(self, command_id: CommandId, fingerprint: int, accepted: Accepted) -> None:
        """Store an accepted id."""
        environment, kind, text = command_id
        self._ids[command_id] = NewId(environment, kind, text, fingerprint, accepted)
        if self.undo is not None:
            self.undo.append(partial(self._ids.pop, command_id))

    def forget(self, command_ids: set[CommandId]) -> None:
        """Drop ids that were accepted earlier in the batch (a wipe)."""
        for command_id in [known for known in self._ids if known in command_ids]:
            del self._ids[command_id]

    def document(self, key: DocumentKey) -> Document:
        """The document as the batch has it; version 0 when absent."""
        return self.documents.get(key) or self._snapshot.documents.get(key) or Document(key, 0, b"")

    def totals(self, places: Iterable[tuple[ProductKey, str]]) -> Totals:
        """(product, place) -> measure -> its total there, as it is now."""
        return {(product, place): self.book(product).totals(place) for product, place in places}

    def close(self) -> Decision:
        """Collect what is to be written: each level, hold and product once, with its final value."""
        decision = self.decision
        decision.ids = list(self._ids.values())
        for book in self.books.values():
            book.close(decision)
        # Books and batch know each other: left so, each batch would wait for the cycle collector.
        self.books.clear()
        return decision
