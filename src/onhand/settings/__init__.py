"""Settings of the service: read once, at the top."""

from onhand.settings.listing import Knob, knobs, shown
from onhand.settings.model import Settings
from onhand.settings.sources import Loaded, SettingsError, load

__all__ = ["Knob", "Loaded", "Settings", "SettingsError", "knobs", "load", "shown"]
