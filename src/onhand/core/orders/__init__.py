"""Orders and their workflow: values and pure decisions."""
