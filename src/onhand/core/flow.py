"""Maximum flow from demands to stock, in whole scaled units, grown one demand at a time.

Demands are met from classes of cells: all cells that lie in the same demands are one class, and their stock is
one number. Each push finds shortest augmenting paths, so what was served once stays served, only perhaps from
another class. Reservation levels give a few dozen demands and classes; a general solver would cost more to set
up than to run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Network:
    """Flow of demands (rows) out of classes of stock (columns).

    Cost: a push searches O(demands x classes) per augmenting path.
    """

    __slots__ = ("_free", "_served", "_users")

    def __init__(self, supplies: Sequence[int], served: Sequence[Sequence[int]]) -> None:
        """Take the stock of each class, and for each demand the classes that can serve it."""
        self._free = list(supplies)
        self._served = served
        self._users: list[dict[int, int]] = [{} for _ in supplies]

    def copy(self) -> Network:
        """An independent network with the same flow."""
        twin = Network(self._free, self._served)
        twin._users = [users.copy() for users in self._users]
        return twin

    def push(self, demand: int, amount: int) -> int:
        """Serve up to `amount` more of a demand and return how much of it was possible."""
        left = amount
        while left > 0:
            seen, origin, last = self._search(demand)
            if last is None:
                break
            left -= self._augment(demand, left, seen, origin, last)
        return amount - left

    def reachable(self, demand: int) -> set[int]:
        """Demands that compete with this one: reached in the residual network once it cannot be pushed further."""
        _, origin, _ = self._search(demand)
        return {demand, *origin}

    def _search(self, demand: int) -> tuple[dict[int, int], dict[int, int], int | None]:
        """Walk breadth-first to a class with free stock.

        Returns the demand that each class was reached from, the class that each further demand was reached
        from, and the class found.
        """
        seen: dict[int, int] = {}
        origin: dict[int, int] = {}
        queue = deque([demand])
        while queue:
            at = queue.popleft()
            for column in self._served[at]:
                if column in seen:
                    continue
                seen[column] = at
                if self._free[column] > 0:
                    return seen, origin, column
                for user in self._users[column]:
                    if user != demand and user not in origin:
                        origin[user] = column
                        queue.append(user)
        return seen, origin, None

    def _augment(
        self, demand: int, limit: int, seen: dict[int, int], origin: dict[int, int], last: int
    ) -> int:
        """Push along the path that ends at `last`; returns how much."""
        steps: list[tuple[int, int]] = []
        amount = min(limit, self._free[last])
        column, at = last, seen[last]
        while at != demand:
            column = origin[at]
            amount = min(amount, self._users[column][at])
            steps.append((at, column))
            at = seen[column]
        self._free[last] -= amount
        gained = last
        for user, lost in steps:
            self._move(user, gained, amount)
            self._move(user, lost, -amount)
            gained = lost
        self._move(demand, gained, amount)
        return amount

    def _move(self, user: int, column: int, amount: int) -> None:
        users = self._users[column]
        now = users.get(user, 0) + amount
        if now:
            users[user] = now
        else:
            del users[user]
