"""What Prometheus scrapes of the portfolio: read off the newest decision when it asks."""

import math
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stratvector.services.risk.portfolio_state import PortfolioState
from stratvector.trading.portfolio import Portfolio

NANOSECONDS_PER_SECOND = 1_000_000_000

Look = Callable[[], PortfolioState | None]


class RiskCollector(Collector):
    """Gauges of one portfolio, base currency taken as USD; none before the first decision."""

    def __init__(self, portfolio: Portfolio, look: Look) -> None:
        self._name, self._look = portfolio.name, look
        self._initial = float(portfolio.initial_cash)
        self._drawdown_limit = portfolio.limits.drawdown_halt
        self._lot_sizes = {i.symbol: float(i.lot_size) for i in portfolio.instruments}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Equity, profit, drawdown's factor, positions and value at risk with its age."""
        state = self._look()
        if state is None:
            return
        decision = state.decision
        text = "Cash and positions at the newest decision's close, in USD."
        yield self._gauge("equity_usd", text, decision.equity)
        text = "Equity less the initial cash, in USD."
        yield self._gauge("pnl_usd", text, decision.equity - self._initial)
        yield from self._drawdown(state)
        if state.figure is not None:
            text = "The one-day loss exceeded with a probability of 5 %, as a fraction of equity."
            yield self._gauge("var_95", text, state.figure.var_95)
            text = "The event time since the close whose portfolio the value at risk describes."
            age_ns = decision.close_time - state.figure.as_of
            yield self._gauge("var_age_seconds", text, age_ns / NANOSECONDS_PER_SECOND)
        yield self._notionals(state)

    def _drawdown(self, state: PortfolioState) -> Iterator[GaugeMetricFamily]:
        """How far below the peak, where trading stops, and whether it has."""
        equity, peak = state.decision.equity, state.peak
        text = "The fall of equity from its peak, as a fraction of the peak, 0 or below."
        yield self._gauge("drawdown", text, equity / peak - 1.0 if peak > 0.0 else math.nan)
        if self._drawdown_limit is not None:
            text = "The drawdown at which the portfolio is flattened and halted, below 0."
            yield self._gauge("drawdown_limit", text, -self._drawdown_limit)
        text = "The factor on all targets that the drawdown asks for."
        yield self._gauge("drawdown_factor", text, state.decision.drawdown_factor)
        text = "Whether the portfolio is halted by its drawdown: 1 if it is, else 0."
        yield self._gauge("halted", text, float(state.decision.halted))

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"stratvector_portfolio_{name}", text, labels=["portfolio"])
        family.add_metric([self._name], value)
        return family

    def _notionals(self, state: PortfolioState) -> GaugeMetricFamily:
        name, text = (
            "stratvector_position_notional_usd",
            "The signed value of a position at its mark.",
        )
        family = GaugeMetricFamily(name, text, labels=["portfolio", "symbol"])
        for symbol, lots in state.lots.items():
            notional = lots * self._lot_sizes[symbol] * state.marks[symbol]
            family.add_metric([self._name, symbol], notional)
        return family
