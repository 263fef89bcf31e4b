"""Payloads under the name of their portfolio; all other tables are derived from them."""

import sqlalchemy as sa
from alembic import op

from stratvector.services.ledger.adapters.deriving import forget

revision = "0004"
down_revision = "0003"

# Children before the tables that they point to.
RETIRED = (
    "fill_parts", "fills", "order_events", "cross_parts", "crosses", "cancels", "order_parts",
    "orders", "symbol_decisions", "decision_inputs", "signal_rows", "signals",
    "model_position_changes", "position_changes", "model_accounts", "value_at_risk", "closes",
    "payloads_by_number", "symbols", "models", "portfolios",
)  # fmt: skip


def upgrade() -> None:
    """Copy the payloads and make the tables that are derived; nothing is in them yet."""
    op.rename_table("payloads", "payloads_by_number")
    op.create_table(
        "payloads",
        sa.Column("portfolio", sa.Text, nullable=False),
        sa.Column("close_time", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("payload_hash", sa.Text, nullable=False),
        sa.Column("chain_hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("portfolio", "close_time"),
    )
    op.execute(
        "INSERT INTO payloads SELECT name, close_time, payload, payload_hash, chain_hash "
        "FROM payloads_by_number LEFT JOIN portfolios USING (portfolio_id)"
    )
    for table in RETIRED:
        op.drop_table(table)
    forget(op.get_bind())
