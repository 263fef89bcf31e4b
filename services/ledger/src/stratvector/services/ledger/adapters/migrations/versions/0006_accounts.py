"""Cash of each account; a close is of all accounts of its portfolio."""

from alembic import op

from stratvector.services.ledger.adapters.deriving import forget

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables that are derived; nothing is in them yet."""
    forget(op.get_bind())
