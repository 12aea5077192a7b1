"""A simulated ERP: a seeded model with books of its own, an unreliable line to the service, and the comparison at the end."""
