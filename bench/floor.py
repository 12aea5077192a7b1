"""The HTTP floor of onhand: the same server, the same checks and decoding, and then a constant.

`python -m bench.floor serve` is `onhand serve` with one handler exchanged: reserve decodes its body and answers
a constant, so that neither the engine nor the database has a part in it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from bench.constant import BODY
from bench.onhand_system import Onhand
from bench.processes import Server
from bench.systems import Books, System
from onhand.api import app
from onhand.api.compat import events
from onhand.api.exchange import Call, Reply
from onhand.api.route import Give
from onhand.api.services import Services
from onhand.cli.main import main


class Floor(System):
    """Serves beside onhand, on its database, which it does not touch."""

    COMMAND: ClassVar[list[str]] = [sys.executable, "-m", "bench.floor", "serve"]
    name = "floor"
    title = "onhand answering a constant"
    durability = "none: nothing is stored"

    def __init__(self, onhand: Onhand, folder: Path) -> None:
        super().__init__()
        self._onhand = onhand
        self._log = folder / "floor.log"
        self._server: Server | None = None
        self.path = onhand.path

    async def start(self, skus: int) -> None:
        """Serve; nothing is to be filled."""
        del skus
        settings = self._onhand.environment | {"ONHAND_PORT": str(self.port)}
        self._server = Server(self.name, self.COMMAND, self.port, self._log, settings)
        self._server.start()

    def stop(self) -> None:
        """End it."""
        if self._server:
            self._server.stop()

    async def books(self) -> Books:
        """There are none."""
        return Books(accepted=0, holds=0, faults={})


async def constant(call: Call, services: Services) -> Reply:
    """Decode as reserve does, and answer always the same."""
    del services
    events.RESERVE.one(call.body)
    return Reply(body=BODY)


def start_constant(call: Call, services: Services, give: Give) -> bool:
    """The same without a task, which is how reserve is answered."""
    del services
    events.RESERVE.one(call.body)
    give(lambda: Reply(body=BODY))
    return True


def exchange_handler() -> None:
    """Put the constant in the place of reserve."""
    app.ROUTES = tuple(
        replace(route, handler=constant, starter=start_constant) if route.handler is events.reserve else route
        for route in app.ROUTES
    )


if __name__ == "__main__":
    exchange_handler()
    main()
