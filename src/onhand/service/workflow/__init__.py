"""The order side: items, their transactions and costs, purchasing. Everything it changes is a group of the engine."""
