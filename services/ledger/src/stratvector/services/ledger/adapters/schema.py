"""The ledger's tables. A row belongs to one close of one portfolio: (portfolio_id, close_time).

`payloads` is the record; the other tables are derived from it, to be asked.

place : the row's place within its close, in the order of the message that brought it. model_place :
a model's place in the portfolio's configuration, as `model_accounts` has it for that close.
The schema is made by the migrations; a test holds this file against them.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from stratvector.services.ledger.adapters.exact_types import (
    EnumName,
    EnumNames,
    ExactDecimal,
    ExactFloat,
    ExactFloats,
)
from stratvector.trading.fills import FillKind
from stratvector.trading.reasons import Outcome, SignalReason, WeightReason
from stratvector.trading.signals import Action

metadata = MetaData()
CLOSE = ("portfolio_id", "close_time")


def _needed(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _symbol() -> Column[Any]:
    return Column("symbol_id", Integer, ForeignKey("symbols.symbol_id"), nullable=False)


def _model() -> Column[Any]:
    return Column("model_id", Integer, ForeignKey("models.model_id"), nullable=False)


def _names(table: str, key: str) -> Table:
    columns = (Column(key, Integer, primary_key=True), _needed("name", Text))
    return Table(table, metadata, *columns, UniqueConstraint("name", name=f"{table}_name"))


def _of_close(
    table: str, places: tuple[str, ...], *parts: Any, parent: str = "closes", shared: int = 0
) -> Table:
    """A table of rows that belong to a close.

    places : the rest of the primary key. shared : how many of them lead to the parent's row.
    """
    held = {part.name for part in parts if isinstance(part, Column)}
    key = (*CLOSE, *places)
    columns = [
        _needed(name, BigInteger if name == "close_time" else Integer)
        for name in key
        if name not in held
    ]
    parent_key = (*CLOSE, *places[:shared])
    return Table(
        table,
        metadata,
        *columns,
        *parts,
        PrimaryKeyConstraint(*key),
        ForeignKeyConstraint(parent_key, [f"{parent}.{name}" for name in parent_key]),
        # Rows then lie in the order of closes, and the key is not kept twice.
        sqlite_with_rowid=False,
    )


portfolios = _names("portfolios", "portfolio_id")
models = _names("models", "model_id")
symbols = _names("symbols", "symbol_id")

# payload : the entry's canonical text, deflated. payload_hash : SHA-256 of the payload as it lies
# here. chain_hash : `identity.chained_hash` over the text, from the portfolio's first close on.
payloads = Table(
    "payloads",
    metadata,
    Column("portfolio_id", Integer, ForeignKey("portfolios.portfolio_id"), nullable=False),
    _needed("close_time", BigInteger),
    _needed("payload", LargeBinary),
    _needed("payload_hash", Text),
    _needed("chain_hash", Text),
    PrimaryKeyConstraint(*CLOSE),
)
closes = Table(
    "closes",
    metadata,
    Column("portfolio_id", Integer, ForeignKey("portfolios.portfolio_id"), nullable=False),
    _needed("close_time", BigInteger),
    _needed("account", Text),
    _needed("cash", ExactDecimal),
    _needed("equity", ExactDecimal),
    _needed("engine_equity", ExactFloat),
    _needed("gross_exposure", ExactFloat),
    _needed("drawdown_factor", ExactFloat),
    _needed("halted", Boolean),
    _needed("reduce_only", Boolean),
    _needed("fills_sequence", BigInteger),
    _needed("commands_sequence", BigInteger),
    _needed("multipliers", ExactFloats),
    PrimaryKeyConstraint(*CLOSE),
    sqlite_with_rowid=False,
)
value_at_risk = _of_close(
    "value_at_risk",
    (),
    _needed("as_of", BigInteger),
    _needed("horizon_days", ExactFloat),
    _needed("var_95", ExactFloat),
    _needed("cvar_95", ExactFloat),
    _needed("simulations", BigInteger),
    _needed("seed", BigInteger),
    _needed("factor", ExactFloat),
)
model_accounts = _of_close(
    "model_accounts",
    ("model_place",),
    _model(),
    _needed("cash", ExactDecimal),
    _needed("commission", ExactDecimal),
    _needed("equity", ExactDecimal),
)
position_changes = _of_close(
    "position_changes", ("symbol_id",), _symbol(), _needed("lots", BigInteger)
)
model_position_changes = _of_close(
    "model_position_changes",
    ("model_id", "symbol_id"),
    _model(),
    _symbol(),
    _needed("lots", BigInteger),
)
for changes, key in (
    (position_changes, ("symbol_id",)),
    (model_position_changes, ("model_id", "symbol_id")),
):
    indexed = ("portfolio_id", *key, "close_time")
    Index(f"{changes.name}_symbol", *[changes.c[name] for name in indexed])

signals = _of_close(
    "signals",
    ("place",),
    _model(),
    _needed("version", Text),
    _needed("bars_id", Text),
    _needed("state", ExactFloats),
)
signal_rows = _of_close(
    "signal_rows",
    ("place", "row"),
    _symbol(),
    _needed("weight", ExactFloat),
    _needed("confidence", ExactFloat),
    _needed("action", EnumName(Action)),
    _needed("reason", EnumName(SignalReason)),
    parent="signals",
    shared=1,
)

decision_inputs = _of_close(
    "decision_inputs",
    ("noun", "name"),
    _needed("noun", Text),
    _needed("name", Text),
    _needed("message_id", Text),
)
symbol_decisions = _of_close(
    "symbol_decisions",
    ("place",),
    _symbol(),
    _needed("outcome", EnumName(Outcome)),
    _needed("target_lots", BigInteger),
    _needed("stages", ExactFloats),
    _needed("weight_reasons", EnumNames(WeightReason)),
)
orders = _of_close(
    "orders",
    ("place",),
    _needed("order_id", Text),
    _symbol(),
    _needed("lots", BigInteger),
    _needed("reference_price", ExactDecimal),
    _needed("decided_at", BigInteger),
    _needed("expires_at", BigInteger),
    UniqueConstraint("portfolio_id", "order_id", name="orders_order"),
)
order_parts = _of_close(
    "order_parts",
    ("place", "model_place"),
    _needed("lots", BigInteger),
    parent="orders",
    shared=1,
)
cancels = _of_close("cancels", ("place",), _needed("order_id", Text), _symbol())
crosses = _of_close("crosses", ("place",), _symbol(), _needed("price", ExactDecimal))
cross_parts = _of_close(
    "cross_parts",
    ("place", "model_place"),
    _needed("lots", BigInteger),
    parent="crosses",
    shared=1,
)

order_events = _of_close(
    "order_events",
    ("place",),
    _needed("kind", EnumName(FillKind)),
    _needed("order_id", Text),
    _symbol(),
    _needed("epoch", BigInteger),
    _needed("known_time", BigInteger),
    _needed("text", Text),
)
Index("order_events_order", order_events.c.portfolio_id, order_events.c.order_id)
fills = _of_close(
    "fills",
    ("place",),
    _needed("execution_id", Text),
    _needed("lots", BigInteger),
    _needed("price", ExactDecimal),
    _needed("commission", ExactDecimal),
    _needed("slippage", ExactDecimal),
    _needed("fill_time", BigInteger),
    UniqueConstraint("portfolio_id", "execution_id", name="fills_execution"),
    parent="order_events",
    shared=1,
)
fill_parts = _of_close(
    "fill_parts",
    ("place", "model_place"),
    _needed("lots", BigInteger),
    parent="fills",
    shared=1,
)

NAMES = (portfolios, models, symbols)
DERIVED = tuple(table for table in metadata.sorted_tables if table not in (*NAMES, payloads))
