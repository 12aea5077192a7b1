"""What goods cost: value providers, exchange rates, costs of order lines. Exact decimals, no clock, no I/O."""
