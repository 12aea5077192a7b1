"""Joint feasibility by brute force: the marriage theorem over every set of demands (specification 3.10.2)."""

from __future__ import annotations

from itertools import combinations

Cells = list[tuple[str, int, int]]


def named(key: str) -> set[str]:
    return set(key.split("&")) if key else set()


def demands(cells: Cells) -> dict[str, int]:
    wanted = {key: max(0, reserved) + max(0, -net) for key, net, reserved in cells}
    return {key: quantity for key, quantity in wanted.items() if quantity}


def served(cells: Cells, wanted: list[tuple[set[str], int]]) -> int:
    """Maximum flow = minimum over all sets of demands of the supply they touch and the demand outside them."""
    supplies = [(named(key), net) for key, net, _ in cells if net > 0]
    best = None
    for size in range(len(wanted) + 1):
        for inside in combinations(range(len(wanted)), size):
            touched = sum(net for around, net in supplies if any(wanted[row][0] <= around for row in inside))
            total = touched + sum(quantity for row, (_, quantity) in enumerate(wanted) if row not in inside)
            best = total if best is None else min(best, total)
    return best or 0


def afr(cells: Cells, node: str) -> int:
    return sum(net - reserved for key, net, reserved in cells if named(node) <= named(key))


def accepts(cells: Cells, node: str, quantity: int) -> bool:
    wanted = [(named(key), amount) for key, amount in demands(cells).items()]
    more = [*wanted, (named(node), quantity)]
    return quantity <= afr(cells, node) and served(cells, more) == served(cells, wanted) + quantity


def available(cells: Cells, node: str) -> int:
    wanted = [(named(key), amount) for key, amount in demands(cells).items()]
    unlimited = sum(net for _, net, _ in cells if net > 0) + 1
    more = [*wanted, (named(node), unlimited)]
    return min(afr(cells, node), served(cells, more) - served(cells, wanted))


def available_on(cells: Cells, keys: set[str]) -> int:
    """The same for a set of cells: a demand that only they can serve, marked by a value of its own."""
    marked = [(f"{key}&!" if key in keys else key, net, reserved) for key, net, reserved in cells]
    wanted = [(named(key), amount) for key, amount in demands(cells).items()]
    unlimited = sum(net for _, net, _ in cells if net > 0) + 1
    plain = sum(net - reserved for key, net, reserved in cells if key in keys)
    return min(plain, served(marked, [*wanted, ({"!"}, unlimited)]) - served(marked, wanted))
