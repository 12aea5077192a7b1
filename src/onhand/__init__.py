"""onhand: the single source of truth for sellable stock."""

__version__ = "0.1.0"
