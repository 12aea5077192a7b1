"""The functions of the hot path."""

from onhand.storage.postgres.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run 0002_unit.sql."""
    run_sql(__file__)
