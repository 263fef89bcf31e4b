"""The record: closes, accounts, signals, decisions, orders and what became of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

CLOSE = ["portfolio_id", "close_time"]
KEYS = {
    "portfolio_id": "portfolios.portfolio_id",
    "model_id": "models.model_id",
    "symbol_id": "symbols.symbol_id",
}


def upgrade() -> None:
    """Make every table."""
    for table in ("portfolios", "models", "symbols"):
        _names(table)
    _closes_and_accounts()
    _signals()
    _decisions()
    _orders()
    _executions()


def _closes_and_accounts() -> None:
    op.create_table(
        "closes",
        *_numbers("portfolio_id"),
        *_long("close_time"),
        *_text("account", "cash", "equity", "engine_equity", "gross_exposure", "drawdown_factor"),
        sa.Column("halted", sa.Boolean, nullable=False),
        sa.Column("reduce_only", sa.Boolean, nullable=False),
        *_long("fills_sequence", "commands_sequence"),
        *_text("multipliers"),
        sa.PrimaryKeyConstraint(*CLOSE),
        sa.ForeignKeyConstraint(["portfolio_id"], [KEYS["portfolio_id"]]),
        sqlite_with_rowid=False,
    )
    account = (*_numbers("model_place", "model_id"), *_text("cash", "commission", "equity"))
    _of_close("model_accounts", ["model_place"], *account)
    whole = (*_numbers("symbol_id"), *_long("lots"))
    _of_close("position_changes", ["symbol_id"], *whole)
    model = (*_numbers("model_id", "symbol_id"), *_long("lots"))
    _of_close("model_position_changes", ["model_id", "symbol_id"], *model)
    for table, *key in (
        ("position_changes", "symbol_id"),
        ("model_position_changes", "model_id", "symbol_id"),
    ):
        op.create_index(f"{table}_symbol", table, ["portfolio_id", *key, "close_time"])


def _signals() -> None:
    head = (*_numbers("place", "model_id"), *_text("version", "bars_id", "state"))
    _of_close("signals", ["place"], *head)
    row = (
        *_numbers("place", "row", "symbol_id"),
        *_text("weight", "confidence", "action", "reason"),
    )
    _of_close("signal_rows", ["place", "row"], *row, parent="signals")


def _decisions() -> None:
    _of_close("decision_inputs", ["noun", "name"], *_text("noun", "name", "message_id"))
    symbol = (
        *_numbers("place", "symbol_id"),
        *_text("outcome"),
        *_long("target_lots"),
        *_text("stages", "weight_reasons"),
    )
    _of_close("symbol_decisions", ["place"], *symbol)
    _of_close("crosses", ["place"], *_numbers("place", "symbol_id"), *_text("price"))
    _parts("cross_parts", "crosses")


def _orders() -> None:
    order = (
        *_numbers("place"),
        *_text("order_id"),
        *_numbers("symbol_id"),
        *_long("lots"),
        *_text("reference_price"),
        *_long("decided_at", "expires_at"),
        sa.UniqueConstraint("portfolio_id", "order_id", name="orders_order"),
    )
    _of_close("orders", ["place"], *order)
    _parts("order_parts", "orders")
    _of_close("cancels", ["place"], *_numbers("place", "symbol_id"), *_text("order_id"))


def _executions() -> None:
    event = (
        *_numbers("place"),
        *_text("kind", "order_id"),
        *_numbers("symbol_id"),
        *_long("epoch", "known_time"),
        *_text("text"),
    )
    _of_close("order_events", ["place"], *event)
    op.create_index("order_events_order", "order_events", ["portfolio_id", "order_id"])
    fill = (
        *_numbers("place"),
        *_text("execution_id"),
        *_long("lots"),
        *_text("price", "commission", "slippage"),
        *_long("fill_time"),
        sa.UniqueConstraint("portfolio_id", "execution_id", name="fills_execution"),
    )
    _of_close("fills", ["place"], *fill, parent="order_events")
    _parts("fill_parts", "fills")


def _names(table: str) -> None:
    key = f"{table.removesuffix('s')}_id"
    op.create_table(
        table,
        sa.Column(key, sa.Integer, primary_key=True),
        *_text("name"),
        sa.UniqueConstraint("name", name=f"{table}_name"),
    )


def _parts(table: str, parent: str) -> None:
    columns = (*_numbers("place", "model_place"), *_long("lots"))
    _of_close(table, ["place", "model_place"], *columns, parent=parent)


def _of_close(table: str, places: list[str], *parts: Any, parent: str = "closes") -> None:
    """Rows of a close, below the close itself or below a row of it at the same place."""
    parent_key = CLOSE if parent == "closes" else [*CLOSE, "place"]
    named = [part.name for part in parts if isinstance(part, sa.Column)]
    op.create_table(
        table,
        *_numbers("portfolio_id"),
        *_long("close_time"),
        *parts,
        sa.PrimaryKeyConstraint(*CLOSE, *places),
        sa.ForeignKeyConstraint(parent_key, [f"{parent}.{name}" for name in parent_key]),
        *[sa.ForeignKeyConstraint([name], [KEYS[name]]) for name in named if name in KEYS],
        sqlite_with_rowid=False,
    )


def _text(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _long(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]
