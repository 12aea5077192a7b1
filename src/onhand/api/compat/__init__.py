"""The Inventory Visibility compatible surface."""
