"""The ERP side over HTTP: bodies, and one handler for each operation."""
