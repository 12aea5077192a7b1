"""One argument for each table."""

from onhand.storage.postgres.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run 0005_tables.sql."""
    run_sql(__file__)
