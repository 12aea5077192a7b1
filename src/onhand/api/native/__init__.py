"""The native surface under /v1."""
