"""When the work by the clock is due."""

from onhand.storage.postgres.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run 0003_schedule.sql."""
    run_sql(__file__)
