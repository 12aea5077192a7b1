"""Settings of the service: read once, at the top."""

from onhand.settings.model import Knob, Settings, knobs, shown
from onhand.settings.sources import Loaded, SettingsError, load

__all__ = ["Knob", "Loaded", "Settings", "SettingsError", "knobs", "load", "shown"]
