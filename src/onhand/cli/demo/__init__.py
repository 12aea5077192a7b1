"""The demo: a retailer, three channels, an audit."""
