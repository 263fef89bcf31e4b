"""Records go by portfolio and run; what was recorded before has none, see `adopting`."""

import sqlalchemy as sa
from alembic import op

from stratvector.services.ledger.adapters.deriving import forget

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Copy the payloads and make the tables that are derived; nothing is in them yet."""
    op.rename_table("payloads", "payloads_without_run")
    op.create_table(
        "payloads",
        sa.Column("portfolio", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("close_time", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("payload_hash", sa.Text, nullable=False),
        sa.Column("chain_hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("portfolio", "run", "close_time"),
    )
    op.execute(
        "INSERT INTO payloads SELECT portfolio, '', close_time, payload, payload_hash, chain_hash "
        "FROM payloads_without_run"
    )
    op.drop_table("payloads_without_run")
    forget(op.get_bind())
