"""The imperative shell: asynchronous, bounded, without SQL and without HTTP."""
