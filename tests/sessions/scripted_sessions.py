"""Scripted sessions: prices and weights written by hand, one close per hour, free of cost unless
asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bars import Bars
from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import (
    Account,
    Costs,
    ModelAllocation,
    Portfolio,
    RiskLimits,
    Universe,
)
from stratvector.trading.session import History, Session
from stratvector.trading.strategy import Strategy

HOUR = 3_600 * 10**9
START = 19_000 * 24 * HOUR
FREE = Costs(commission=0.0, slippage=0.0)
NAN = float("nan")
Row = Sequence[float | None]


@dataclass(frozen=True)
class ScriptedStrategy(Strategy):
    """Weights by hour and symbol, from a table; the first `needs` - 1 closes warm up."""

    table: tuple[tuple[float, ...], ...] = ()
    needs: int = 1

    name = "scripted"

    @property
    def history(self) -> int:
        """As many closes as the script says."""
        return self.needs

    def parameters(self) -> NDArray[np.float64]:
        """None: the table is not for `decide`."""
        return np.zeros(0)

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """The table's rows at the bars' closes, hours counted from START."""
        hours = (bars.close_times - START) // HOUR
        rows = np.array([self.table[hour] for hour in hours.tolist()], dtype=np.float64)
        rows[: self.needs - 1] = np.nan
        return rows[:, :, np.newaxis]


@dataclass(frozen=True)
class Script:
    """What happens, hour by hour, per symbol; None is a missing bar.

    closes : the symbols and their closes. opens : where they differ from the closes. volumes : 1e6
    unless given.
    weights : per model and symbol, NaN = unknown; a symbol that is left out has weight 0.
    slow : symbols of a universe that closes at hours 0, 2, 4 … only. warmup : hours before the
    first decision.
    """

    closes: Mapping[str, Row]
    weights: Mapping[str, Mapping[str, Sequence[float]]]
    opens: Mapping[str, Row] = field(default_factory=dict)
    volumes: Mapping[str, Row] = field(default_factory=dict)
    budgets: Mapping[str, float] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    limits: RiskLimits = field(default_factory=RiskLimits)
    costs: Costs = FREE
    cash: int = 10_000
    lot_size: str = "1"
    precision: int = 2
    slow: tuple[str, ...] = ()
    warmup: int = 0
    needs: int = 1


def scripted_session(script: Script) -> Session:
    """The session that plays a script."""
    groups = {
        "fast": tuple(s for s in script.closes if s not in script.slow),
        "slow": script.slow,
    }
    groups = {name: symbols for name, symbols in groups.items() if symbols}
    models = tuple(
        ModelAllocation(name, _universe_of(table, groups), script.budgets.get(name, 1.0))
        for name, table in script.weights.items()
    )
    portfolio = Portfolio(
        "scripted",
        (Account("paper", Decimal(script.cash)),),
        tuple(_universe(script, name, symbols) for name, symbols in groups.items()),
        models,
        script.limits,
        script.costs,
    )
    strategies = {
        model.name: ScriptedStrategy(
            table=_table(script.weights[model.name], groups[model.universe]), needs=script.needs
        )
        for model in models
    }
    histories = {name: _history(script, name, symbols) for name, symbols in groups.items()}
    return Session(portfolio, START + script.warmup * HOUR, histories, strategies)


def one_symbol(closes: Row, weights: Sequence[float], **script: object) -> Session:
    """A session of one model in symbol A."""
    return scripted_session(
        Script(closes={"A": closes}, weights={"model": {"A": weights}}, **script)  # type: ignore[arg-type]
    )


def _universe_of(
    table: Mapping[str, Sequence[float]], groups: Mapping[str, tuple[str, ...]]
) -> str:
    return next(name for name, symbols in groups.items() if set(table) <= set(symbols))


def _universe(script: Script, name: str, symbols: tuple[str, ...]) -> Universe:
    instruments = tuple(
        Instrument(
            s,
            script.assets.get(s, s),
            script.classes.get(s, "equity"),
            script.precision,
            Decimal(script.lot_size),
        )
        for s in symbols
    )
    return Universe(name, "1H" if name == "fast" else "2H", "24/7", instruments)


def _table(
    weights: Mapping[str, Sequence[float]], symbols: tuple[str, ...]
) -> tuple[tuple[float, ...], ...]:
    hours = max(len(row) for row in weights.values())
    nothing = [0.0] * hours
    return tuple(zip(*(weights.get(s, nothing) for s in symbols), strict=True))


def _history(script: Script, name: str, symbols: tuple[str, ...]) -> History:
    step = 1 if name == "fast" else 2
    close = _panel(script.closes, symbols, step)
    opened = _panel({**script.closes, **script.opens}, symbols, step)
    plenty = {s: [None if c is None else 1e6 for c in row] for s, row in script.closes.items()}
    volume = _panel({**plenty, **script.volumes}, symbols, step)
    close_times = START + HOUR * step * np.arange(len(close), dtype=np.int64)
    high, low = np.fmax(opened, close), np.fmin(opened, close)
    bars = Bars(symbols, close_times, opened, high, low, close, volume)
    return History(bars, close_times - step * HOUR)


def _panel(rows: Mapping[str, Row], symbols: tuple[str, ...], step: int) -> NDArray[np.float64]:
    columns = np.array([rows[s] for s in symbols], dtype=np.float64)
    return np.ascontiguousarray(columns[:, ::step].T)
