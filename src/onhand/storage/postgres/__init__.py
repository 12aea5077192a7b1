"""Storage on PostgreSQL: the only package that knows a database driver."""
