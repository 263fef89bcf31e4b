"""Each close's payload with its hash, chained: what the other tables are derived from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

CLOSE = ["portfolio_id", "close_time"]


def upgrade() -> None:
    """Make the table. Closes of before have no payload; who prepares the database refuses them."""
    op.create_table(
        "payloads",
        sa.Column("portfolio_id", sa.Integer, nullable=False),
        sa.Column("close_time", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("payload_hash", sa.Text, nullable=False),
        sa.Column("chain_hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint(*CLOSE),
        sa.ForeignKeyConstraint(["portfolio_id"], ["portfolios.portfolio_id"]),
    )
