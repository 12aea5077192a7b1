"""Values of the order workflow: orders, their configuration, and the rules that need neither stock nor clock."""
