"""Programs for those who work on onhand."""
