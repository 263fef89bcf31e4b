"""What a run did, as tables: orders, fills, equity and round trips.

Times are UTC datetimes of whole nanoseconds. Lots are signed whole numbers, positive buys;
`lots_<model>` says whose they are and adds up to `lots`. Money is base currency.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from stratvector.backtest.metrics import RoundTrip
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.portfolio import Portfolio

if TYPE_CHECKING:
    import pandas

TIME = pl.Datetime("ns", "UTC")
FILLED, EXPIRED, CANCELLED, WORKING = "filled", "expired", "cancelled", "working"

Row = tuple[object, ...]
Columns = dict[str, pl.DataType | type[pl.DataType]]


def orders_frame(entries: Iterable[LedgerEntry], portfolio: Portfolio) -> pl.DataFrame:
    """One row per approved order, in the order of decisions.

    status : filled, expired (with or without a partial fill), cancelled, or working at the end.
    """
    entries = tuple(entries)
    filled, status = _endings(entries)
    sizes = {i.symbol: i for i in portfolio.instruments}
    rows: list[Row] = [
        (
            order.order_id,
            order.decided_at,
            order.symbol,
            _side(order.lots),
            order.lots,
            float(sizes[order.symbol].quantity(order.lots)),
            float(order.reference_price),
            order.expires_at or None,
            _status(order, filled, status),
            filled.get(order.order_id, 0),
            *order.parts,
        )
        for entry in entries
        for order in entry.decision.orders
    ]
    columns: Columns = {
        "order_id": pl.String,
        "decided_at": TIME,
        "symbol": pl.String,
        "side": pl.String,
        "lots": pl.Int64,
        "quantity": pl.Float64,
        "reference_price": pl.Float64,
        "expires_at": TIME,
        "status": pl.String,
        "filled_lots": pl.Int64,
    }
    return _frame(rows, columns | _by_model("lots", portfolio, pl.Int64))


def fills_frame(entries: Iterable[LedgerEntry], portfolio: Portfolio) -> pl.DataFrame:
    """One row per execution, in the order in which they became known.

    slippage : money lost against the open, already in the price.
    """
    sizes = {i.symbol: i for i in portfolio.instruments}
    rows: list[Row] = [
        (
            event.execution_id,
            event.order_id,
            event.fill_time,
            event.known_time,
            event.symbol,
            _side(event.lots),
            event.lots,
            float(sizes[event.symbol].quantity(event.lots)),
            float(event.price),
            float(event.commission),
            float(event.slippage),
            *parts,
        )
        for entry in entries
        for event, parts in executions(entry)
    ]
    columns: Columns = {
        "execution_id": pl.String,
        "order_id": pl.String,
        "fill_time": TIME,
        "known_time": TIME,
        "symbol": pl.String,
        "side": pl.String,
        "lots": pl.Int64,
        "quantity": pl.Float64,
        "price": pl.Float64,
        "commission": pl.Float64,
        "slippage": pl.Float64,
    }
    return _frame(rows, columns | _by_model("lots", portfolio, pl.Int64))


def equity_frame(entries: Iterable[LedgerEntry], portfolio: Portfolio) -> pl.DataFrame:
    """One row per close, after its fills and marks.

    gross_exposure : sum of absolute positions / equity. profit_<model> : since the start, net of
    commission; the models add up to equity - initial cash.
    """
    rows: list[Row] = [
        (
            entry.close_time,
            entry.decision.equity,
            float(entry.cash),
            _gross_fraction(entry),
            entry.decision.drawdown_factor,
            entry.decision.halted,
            entry.decision.reduce_only,
            *(float(model.equity) for model in entry.models),
        )
        for entry in entries
    ]
    columns: Columns = {
        "close_time": TIME,
        "equity": pl.Float64,
        "cash": pl.Float64,
        "gross_exposure": pl.Float64,
        "drawdown_factor": pl.Float64,
        "halted": pl.Boolean,
        "reduce_only": pl.Boolean,
    }
    return _frame(rows, columns | _by_model("profit", portfolio, pl.Float64))


def trades_frame(trips: Sequence[RoundTrip]) -> pl.DataFrame:
    """One row per round trip, from flat to flat at average cost, in the order of exits."""
    names = [f.name for f in fields_of(RoundTrip)]
    columns: Columns = {
        name: TIME if name.endswith("_time") else pl.String if name == "symbol" else pl.Float64
        for name in names
    }
    return _frame([tuple(getattr(trip, name) for name in names) for trip in trips], columns)


class PandasFrames(NamedTuple):
    """A result's tables as pandas frames; see `orders_frame` and the others for their columns."""

    equity: "pandas.DataFrame"
    orders: "pandas.DataFrame"
    fills: "pandas.DataFrame"
    trades: "pandas.DataFrame"


def as_pandas(frame: pl.DataFrame) -> "pandas.DataFrame":
    """The same table for pandas, with which polars would ask for pyarrow."""
    import pandas

    columns = {}
    for name in frame.columns:
        values = pandas.Series(frame[name].to_numpy())
        columns[name] = values.dt.tz_localize("UTC") if frame.schema[name] == TIME else values
    return pandas.DataFrame(columns)


def executions(entry: LedgerEntry) -> list[tuple[FillEvent, tuple[int, ...]]]:
    """The executions of an entry with their lots per model."""
    parts = dict(entry.attributed)
    return [(e, parts[e.execution_id]) for e in entry.events if e.kind is FillKind.FILLED]


def _endings(entries: tuple[LedgerEntry, ...]) -> tuple[dict[str, int], dict[str, str]]:
    """Per order id: lots filled, and how it ended where it did not fill."""
    filled: dict[str, int] = {}
    ended: dict[str, str] = {}
    for entry in entries:
        for event in entry.events:
            if event.kind is FillKind.FILLED:
                filled[event.order_id] = filled.get(event.order_id, 0) + event.lots
            elif event.kind is FillKind.EXPIRED:
                ended[event.order_id] = EXPIRED
        for cancel in entry.decision.cancels:
            ended[cancel.order_id] = CANCELLED
    return filled, ended


def _status(order: ApprovedOrder, filled: dict[str, int], ended: dict[str, str]) -> str:
    if filled.get(order.order_id) == order.lots:
        return FILLED
    return ended.get(order.order_id, WORKING)


def _side(lots: int) -> str:
    return "buy" if lots > 0 else "sell"


def _gross_fraction(entry: LedgerEntry) -> float:
    """Gross exposure / equity; NaN after ruin."""
    equity = entry.decision.equity
    return entry.decision.gross_exposure / equity if equity > 0.0 else math.nan


def _by_model(prefix: str, portfolio: Portfolio, kind: pl.DataType | type[pl.DataType]) -> Columns:
    return {f"{prefix}_{name}": kind for name in portfolio.model_names}


def _frame(rows: list[Row], columns: Columns) -> pl.DataFrame:
    plain = {name: pl.Int64 if kind == TIME else kind for name, kind in columns.items()}
    frame = pl.DataFrame(rows, schema=plain, orient="row")
    return frame.with_columns(
        pl.from_epoch(name, time_unit="ns").dt.replace_time_zone("UTC")
        for name, kind in columns.items()
        if kind == TIME
    )
