"""The composition root: the only package that knows all classes.

`house` builds what stands on the database, `serving` puts the lanes, the schedules, the HTTP edge and the signals
around it.
"""

from onhand.runtime.house import House, SystemClock, described, migrated, opened, visited
from onhand.runtime.serving import Started, serve

__all__ = ["House", "Started", "SystemClock", "described", "migrated", "opened", "serve", "visited"]
