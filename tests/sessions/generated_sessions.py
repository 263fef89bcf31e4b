"""Generated sessions: portfolios over universes with different calendars, gaps and ties of close
times.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import decide_jit
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


@decide_jit
def follow_until_reversed(state, row, parameters, weights, confidence):  # type: ignore[no-untyped-def]
    """Takes the sign of the drift when it is strong, and holds it until it is strong the other
    way.
    """
    for s in range(row.shape[0]):
        drift = row[s, 0]
        if drift != drift:
            weights[s] = drift
            continue
        if drift > parameters[1]:
            state[s] = 1.0
        elif drift < -parameters[1]:
            state[s] = -0.5
        weights[s] = state[s] / row.shape[0]
        confidence[s] = min(1.0, abs(drift))


@dataclass(frozen=True)
class DriftStrategy(Strategy):
    """Mean of close / open - 1 over a few closes, missing ones skipped."""

    window: int = 3
    threshold: float = 0.002

    name = "drift"
    decide = staticmethod(follow_until_reversed)

    @property
    def history(self) -> int:
        """Closes in the mean."""
        return self.window

    def initial_state(self, symbols: int) -> NDArray[np.float64]:
        """The side held, per symbol."""
        return np.zeros(symbols)

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """Rows of one feature: the mean drift."""
        closes, symbols = bars.close.shape
        rows = np.full((closes, symbols, 1), np.nan)
        drift = bars.close / bars.open - 1.0
        for t in range(self.window - 1, closes):
            for s in range(symbols):
                if not np.isnan(bars.close[t, s]):
                    total, count = 0.0, 0
                    for value in drift[t - self.window + 1 : t + 1, s].tolist():
                        if value == value:
                            total += value
                            count += 1
                    rows[t, s, 0] = total / count
        return rows


@dataclass(frozen=True)
class Shape:
    """How large a generated session is. accounts : at most one for each universe."""

    universes: int = 2
    symbols: int = 2
    models: int = 3
    closes: int = 30
    warmup: int = 4
    accounts: int = 1


def generated_session(seed: int, shape: Shape | None = None) -> Session:
    """A session that is a function of its seed."""
    shape = shape or Shape()
    random = np.random.default_rng(seed)
    periods = [int(p) for p in random.choice([1, 2, 3, 4, 6], shape.universes, replace=False)]
    universes = tuple(_universe(random, n, shape.symbols) for n in range(shape.universes))
    span = shape.closes * min(periods) * HOUR
    histories = {
        u.name: _history(random, u, period * HOUR, span, shape.warmup)
        for u, period in zip(universes, periods, strict=True)
    }
    models = tuple(
        ModelAllocation(
            f"model_{m}",
            universes[int(random.integers(shape.universes))].name,
            float(np.round(random.uniform(0.2, 1.0), 3)),
        )
        for m in range(shape.models)
    )
    strategies = {
        m.name: DriftStrategy(
            window=int(random.integers(1, shape.warmup + 2)),
            threshold=float(random.choice([0.0, 0.001, 0.004])),
        )
        for m in models
    }
    portfolio = Portfolio(
        "generated",
        (Account("paper", Decimal(int(random.integers(5_000, 200_000)))),),
        universes,
        models,
        _limits(random, {i.asset_class for u in universes for i in u.instruments}),
        _costs(random),
    )
    session = Session(portfolio, START, histories, strategies)
    return session if shape.accounts == 1 else over_accounts(session, shape.accounts)


def over_accounts(session: Session, count: int, strict: bool = False) -> Session:
    """The same with its cash in so many accounts, whole cents in each. strict : `cash: strict`, and
    all accounts but the last have little.
    """
    portfolio, cents = session.portfolio, int(session.portfolio.initial_cash * 100)
    share = cents // (20 if strict else count)
    cash = [*[share] * (count - 1), cents - share * (count - 1)]
    accounts = tuple(Account(f"account_{n}", Decimal(one) / 100) for n, one in enumerate(cash))
    universes = tuple(
        replace(universe, account=accounts[n * count // len(portfolio.universes)].name)
        for n, universe in enumerate(portfolio.universes)
    )
    limits = replace(portfolio.limits, cash="strict") if strict else portfolio.limits
    changed = replace(portfolio, accounts=accounts, universes=universes, limits=limits)
    return replace(session, portfolio=changed)


def _universe(random: np.random.Generator, number: int, symbols: int) -> Universe:
    group = ("equity", "crypto", "future")[number]
    lot = random.choice(["1", "0.01", "0.0001"])
    instruments = tuple(
        Instrument(
            f"{group.upper()}{n}",
            f"{group}-{n // 2}",
            group,
            price_precision=int(random.integers(2, 5)),
            lot_size=Decimal(str(lot)),
        )
        for n in range(symbols)
    )
    return Universe(group, "generated", "24/7", instruments)


def _history(
    random: np.random.Generator, universe: Universe, period: int, span: int, warmup: int
) -> History:
    closes = np.arange(START - warmup * period, START + span, period, dtype=np.int64)
    shape = (len(closes), len(universe.instruments))
    volatility = float(random.choice([0.003, 0.02, 0.08]))
    close = random.uniform(5, 500, shape[1]) * np.exp(
        np.cumsum(random.normal(0, volatility, shape), axis=0)
    )
    opened = close * np.exp(random.normal(0, volatility / 2, shape))
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    volume = random.uniform(0, 5_000, shape).round()
    missing = random.random(shape) < float(random.choice([0.0, 0.1]))
    panel = [np.where(missing, np.nan, column) for column in (opened, high, low, close, volume)]
    return History(Bars(universe.symbols, closes, *panel), closes - period)


def _limits(random: np.random.Generator, classes: set[str]) -> RiskLimits:
    def maybe(value: float) -> float | None:
        return value if random.random() < 0.6 else None

    tight = random.random() < 0.3
    return RiskLimits(
        position=maybe(0.25),
        symbol=maybe(0.3),
        asset=maybe(0.4),
        class_caps={"crypto": 0.2} if random.random() < 0.6 and "crypto" in classes else {},
        invested=maybe(0.8),
        gross=maybe(1.2),
        daily_loss=maybe(0.01 if tight else 0.05),
        drawdown_trigger=maybe(0.005 if tight else 0.10),
        drawdown_halt=maybe(0.015 if tight else 0.20),
        rebalance_band=float(random.choice([0.0, 0.02, 0.1])),
        minimum_order_notional=float(random.choice([0.0, 10.0])),
        cash=str(random.choice(["margin", "margin", "strict"])),
    )


def _costs(random: np.random.Generator) -> Costs:
    limited = random.random() < 0.3
    return Costs(0.001, 0.0005, volume_limit=0.05 if limited else None)
