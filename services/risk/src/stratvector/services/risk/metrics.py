"""What Prometheus scrapes of the portfolio: read off the newest decision when it asks."""

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
        self._lot_sizes = {i.symbol: float(i.lot_size) for i in portfolio.instruments}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Equity, profit, drawdown's factor, positions and value at risk with its age."""
        state = self._look()
        if state is None:
            return
        decision = state.decision
        yield self._gauge("portfolio_equity_usd", "Cash and positions.", decision.equity)
        profit = decision.equity - self._initial
        yield self._gauge("portfolio_pnl_usd", "Equity less the initial cash.", profit)
        factor = decision.drawdown_factor
        yield self._gauge("portfolio_drawdown_factor", "Factor on all targets.", factor)
        if state.figure is not None:
            text = "One-day loss exceeded with probability 5 %, fraction of equity."
            yield self._gauge("portfolio_var_95", text, state.figure.var_95)
            text = "Event time since the close whose portfolio the value at risk is of."
            age_ns = decision.close_time - state.figure.as_of
            yield self._gauge("portfolio_var_age_seconds", text, age_ns / NANOSECONDS_PER_SECOND)
        yield self._notionals(state)

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=["portfolio"])
        family.add_metric([self._name], value)
        return family

    def _notionals(self, state: PortfolioState) -> GaugeMetricFamily:
        text = "Signed value of a position at its mark."
        family = GaugeMetricFamily("position_notional_usd", text, labels=["portfolio", "symbol"])
        for symbol, lots in state.lots.items():
            notional = lots * self._lot_sizes[symbol] * state.marks[symbol]
            family.add_metric([self._name, symbol], notional)
        return family
