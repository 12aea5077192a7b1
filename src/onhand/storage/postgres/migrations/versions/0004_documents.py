"""Labels and due times of documents; holds of orders."""

from onhand.storage.postgres.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run 0004_documents.sql."""
    run_sql(__file__)
