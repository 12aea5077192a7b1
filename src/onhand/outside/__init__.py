"""Adapter: what the service calls of other systems."""

from onhand.outside.calls import HttpOutside

__all__ = ["HttpOutside"]
