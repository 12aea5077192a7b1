"""How a batch that was decided without locks is refused."""

from onhand.storage.postgres.migrate import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run 0007_unchanged.sql."""
    run_sql(__file__)
