"""Orders at work: their documents, the engine that runs their workflows, and what surrounds it."""
