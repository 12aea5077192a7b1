"""The stories of orders as tables."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import zip_longest

from rich.console import Console

from onhand.cli.demo import orders
from onhand.cli.demo.orders import Story
from onhand.cli.demo.stage import Stage
from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.output import Column, table

ANSWER_WIDTH = 21
"""Characters of an answer beside three items, on 80 columns."""


async def act(out: Console, scene: Stage) -> tuple[list[Story], list[tuple[str, str]]]:
    """The channels' orders, a table per story; the stories, and what left the stock for them."""
    out.print("\n[bold]6  Orders[/] of the channels, on ready-made workflows\n")
    async with AsyncExitStack() as open_clients:
        cast = orders.Cast(
            *[
                await open_clients.enter_async_context(scene.client(name))
                for name in ("web", "pos", "marketplace", "warehouse", "office")
            ]
        )
        stories = await orders.play(cast)
        reduced = await orders.reductions(cast.office)
    columns = (
        Column("step", whole=True),
        Column("result", whole=True),
        Column("items"),
        Column("inventory", number=True),
        Column("reserved", number=True),
    )
    for story in stories:
        out.print(f"{story.title}\n")
        out.print(table(columns, _told(story)))
        out.print()
    wrong = [story.title for story in stories if story.left != story.wanted]
    if wrong:
        raise CommandFailed(Exit.VIOLATION, f"The orders went wrong: {', '.join(wrong)}.")
    return stories, reduced


def _told(story: Story) -> Iterator[Sequence[object]]:
    """A line per group of items; what was done is said on the first."""
    for row in story.rows:
        said = textwrap.wrap(row.answer, ANSWER_WIDTH, break_long_words=False)
        for says, answer, effect in zip_longest([row.says], said, row.effects):
            if effect is None:
                yield says, answer, "", "", ""
            else:
                (had, held), (has, holds) = effect.before, effect.after
                yield says, answer, effect.items, _moved(had, has), _moved(held, holds)


def _moved(before: int, after: int) -> str:
    return str(after) if before == after else f"{before} → {after}"
