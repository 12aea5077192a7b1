"""The HTTP edge: one route table, three surfaces."""
