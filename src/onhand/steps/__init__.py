"""Workflow steps: one pure plan each, and what people need to know of it."""
