"""The gather and the commit of batches that only reserve."""

from onhand.storage.postgres.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run 0006_reserving.sql."""
    run_sql(__file__)
