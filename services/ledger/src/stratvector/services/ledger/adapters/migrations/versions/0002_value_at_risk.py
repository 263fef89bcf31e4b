"""The value at risk that a decision recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

CLOSE = ["portfolio_id", "close_time"]
FRACTIONS = ("horizon_days", "var_95", "cvar_95", "factor")


def upgrade() -> None:
    """Make the table; closes of before have no figure."""
    op.create_table(
        "value_at_risk",
        sa.Column("portfolio_id", sa.Integer, nullable=False),
        sa.Column("close_time", sa.BigInteger, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        *(
            sa.Column(n, sa.Text, nullable=False)
            for n in ("horizon_days", "var_95", "cvar_95", "factor")
        ),
        sa.Column("simulations", sa.BigInteger, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*CLOSE),
        sa.ForeignKeyConstraint(CLOSE, [f"closes.{name}" for name in CLOSE]),
        sqlite_with_rowid=False,
    )
