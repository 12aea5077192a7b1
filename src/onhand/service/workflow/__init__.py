"""Orders and their workflow: the imperative shell."""
