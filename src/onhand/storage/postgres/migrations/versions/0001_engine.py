"""The engine's tables."""

from onhand.storage.postgres.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run 0001_engine.sql."""
    run_sql(__file__)
