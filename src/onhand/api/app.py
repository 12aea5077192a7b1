"""The ASGI application. `create_app` is what a server runs."""

from __future__ import annotations

from starlette.types import ASGIApp

from onhand.api.services import Services


def create_app(services: Services) -> ASGIApp:
    """The application over running services; it starts and stops nothing itself."""
    raise NotImplementedError(services)
