"""Work that nobody waits for: steps after the save."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final

TASKS_MAX: Final = 64
"""Runs that are executed in the background at the same time in one process."""


class Background:
    """Tasks of this process. What is not done here is due in the database and taken up later."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin; what is too much now is left to `overdue`."""
        if len(self._tasks) >= TASKS_MAX:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until nothing runs."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Give up what runs; another process, or the next start, goes on with it."""
        for task in self._tasks:
            task.cancel()
        await self.drain()
