"""What a run did, as tables: orders, fills, equity and round trips.

Times are UTC datetimes of whole nanoseconds. Lots are signed whole numbers, positive buys;
`lots_<model>` says whose they are and adds up to `lots`. Money is base currency.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from stratvector.backtest.metrics import RoundTrips
from stratvector.backtest.metrics.arrays import Floats, Times
from stratvector.backtest.record import STATUSES, Record
from stratvector.trading.engine.state import Integers
from stratvector.trading.portfolio import Portfolio

if TYPE_CHECKING:
    import pandas

TIME = pl.Datetime("ns", "UTC")


def orders_frame(record: Record, portfolio: Portfolio) -> pl.DataFrame:
    """One row per approved order, in the order of decisions.

    order : the row's number, which its executions name. status : filled, expired (with or without a
    partial fill), cancelled, or working at the end.
    """
    orders = record.orders
    expires = _times(orders.expires_at)
    return pl.DataFrame(
        {
            "order": np.arange(len(orders.lots)),
            "decided_at": _times(orders.decided_at),
            "symbol": _named(portfolio.symbols, orders.symbol),
            "side": _sides(orders.lots),
            "lots": orders.lots,
            "quantity": orders.quantity,
            "reference_price": orders.reference_price,
            "expires_at": expires.set(pl.Series(orders.expires_at == 0), None),
            "status": _named(STATUSES, orders.status),
            "filled_lots": orders.filled_lots,
            **_by_model("lots", portfolio, orders.parts),
        }
    )


def fills_frame(record: Record, portfolio: Portfolio) -> pl.DataFrame:
    """One row per execution, in the order in which they became known.

    order : the row of its order. slippage : money lost against the open, already in the price.
    """
    fills = record.fills
    return pl.DataFrame(
        {
            "order": fills.order,
            "fill_time": _times(fills.fill_time),
            "known_time": _times(fills.known_time),
            "symbol": _named(portfolio.symbols, fills.symbol),
            "side": _sides(fills.lots),
            "lots": fills.lots,
            "quantity": fills.quantity,
            "price": fills.price,
            "commission": fills.commission,
            "slippage": fills.slippage,
            **_by_model("lots", portfolio, fills.parts),
        }
    )


def with_order_ids(orders: pl.DataFrame, record: Record) -> pl.DataFrame:
    """The orders' table with their ids in place of row numbers: what a broker would know them by.

    An id costs a microsecond, so only files have them.
    """
    ids = pl.Series("order_id", record.order_ids, dtype=pl.String)
    return orders.drop("order").insert_column(0, ids)


def with_execution_ids(fills: pl.DataFrame, record: Record) -> pl.DataFrame:
    """The fills' table with the ids of executions and orders in place of row numbers."""
    executions = pl.Series("execution_id", record.execution_ids, dtype=pl.String)
    orders = pl.Series("order_id", record.order_ids, dtype=pl.String).gather(fills["order"])
    return fills.drop("order").insert_column(0, executions).insert_column(1, orders)


def equity_frame(record: Record, portfolio: Portfolio) -> pl.DataFrame:
    """One row per close, after its fills and marks.

    gross_exposure : sum of absolute positions / equity, NaN after ruin. profit_<model> : since the
    start, net of commission; the models add up to equity - initial cash.
    """
    return pl.DataFrame(
        {
            "close_time": _times(record.close_times),
            "equity": record.equity,
            "cash": record.cash,
            "gross_exposure": gross_exposure(record),
            "drawdown_factor": record.drawdown_factor,
            "halted": record.halted,
            "reduce_only": record.reduce_only,
            **_by_model("profit", portfolio, record.profits),
        }
    )


def gross_exposure(record: Record) -> Floats:
    """Gross exposure / equity, float64[T]; NaN after ruin."""
    return np.asarray(record.gross / np.where(record.equity > 0.0, record.equity, np.nan))


def trades_frame(trips: RoundTrips, symbols: Sequence[str]) -> pl.DataFrame:
    """One row per round trip, from flat to flat at average cost, in the order of exits."""
    return pl.DataFrame(
        {
            "symbol": _named(symbols, trips.symbol),
            "entry_time": _times(trips.entry_time),
            "exit_time": _times(trips.exit_time),
            "quantity": trips.quantity,
            "entry_price": trips.entry_price,
            "exit_price": trips.exit_price,
            "commission": trips.commission,
            "slippage_cost": trips.slippage_cost,
            "profit": trips.profit,
            "return_fraction": trips.return_fraction,
        }
    )


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


def _times(stamps: Times) -> pl.Series:
    return pl.Series(stamps, dtype=pl.Int64).cast(TIME)


def _named(names: Sequence[str], numbers: Integers) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(pl.Series(numbers, dtype=pl.UInt32))


def _sides(lots: Integers) -> pl.Series:
    return _named(("buy", "sell"), (lots < 0).astype(np.uint32))


def _by_model(
    prefix: str, portfolio: Portfolio, values: Integers | Floats
) -> dict[str, Integers | Floats]:
    names = portfolio.model_names
    return {f"{prefix}_{name}": values[:, m] for m, name in enumerate(names)}
