"""What Prometheus scrapes of portfolios: read off their newest decisions when it asks."""

import math
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stratvector.runtime.served import Served
from stratvector.services.risk.portfolio_state import Decided, PortfolioState
from stratvector.trading.runs import has_deadlines

NANOSECONDS_PER_SECOND = 1_000_000_000
LABELS = ("portfolio", "run")
LIMIT_USED = ("stratvector_portfolio_limit_used", "What is used of a limit; 1 is all of it.")
NOTIONAL = (
    "stratvector_position_notional_usd",
    "The signed value of a position at its mark.",
)


def _gauge(name: str, text: str) -> tuple[str, str]:
    """Name without its beginning, and what it tells."""
    return name, text


GAUGES = (
    _gauge("equity_usd", "Cash and positions at the newest decision's close, in USD."),
    _gauge("pnl_usd", "Equity less the initial cash, in USD."),
    _gauge("drawdown", "The fall of equity from its peak, as a fraction of the peak, 0 or below."),
    _gauge(
        "drawdown_limit", "The drawdown at which the portfolio is flattened and halted, below 0."
    ),
    _gauge("drawdown_factor", "The factor on all targets that the drawdown asks for."),
    _gauge("halted", "Whether the portfolio is halted by its drawdown: 1 if it is, else 0."),
    _gauge(
        "var_95", "The one-day loss exceeded with a probability of 5 %, as a fraction of equity."
    ),
    _gauge(
        "var_age_seconds",
        "The event time since the close whose portfolio the value at risk describes.",
    ),
)


class RiskCollector(Collector):
    """Gauges of each portfolio, base currency taken as USD; none before its first decision."""

    def __init__(self, served: Served[Decided]) -> None:
        self._served = served

    def collect(self) -> Iterator[Metric]:
        """Equity, profit, drawdown's factor, positions, value at risk with its age, how often
        signals were late, and which universes are absent.
        """
        # Of replicas only the owner knows the newest; the same series twice would be added up.
        here = [one for one in self._served.values() if one.answered_from().is_current]
        known = [state for one in here if (state := one.look())]
        for name, text in GAUGES:
            family = GaugeMetricFamily(f"stratvector_portfolio_{name}", text, labels=LABELS)
            for state in known:
                if (value := _figures(state).get(name)) is not None:
                    family.add_metric([state.portfolio.name, state.portfolio.run], value)
            if family.samples:
                yield family
        if known:
            yield _by("limit", LIMIT_USED, known, _used)
            yield _by("symbol", NOTIONAL, known, _notional_of)
            yield _late(known)
            yield _absent(known)


def _figures(state: PortfolioState) -> dict[str, float]:
    """By name; what is not known or not configured is left out."""
    portfolio, decision, peak = state.portfolio, state.decision, state.peak
    limit = portfolio.limits.drawdown_halt
    figures = {
        "equity_usd": decision.equity,
        "pnl_usd": decision.equity - float(portfolio.initial_cash),
        "drawdown": decision.equity / peak - 1.0 if peak > 0.0 else math.nan,
        "drawdown_factor": decision.drawdown_factor,
        "halted": float(decision.halted),
    }
    if limit is not None:
        figures["drawdown_limit"] = -limit
    if state.figure is not None:
        age_ns = decision.close_time - state.figure.as_of
        figures["var_95"] = state.figure.var_95
        figures["var_age_seconds"] = age_ns / NANOSECONDS_PER_SECOND
    return figures


def _by(
    label: str,
    told: tuple[str, str],
    known: list[PortfolioState],
    values_of: Callable[[PortfolioState], dict[str, float]],
) -> GaugeMetricFamily:
    """A gauge with one label more. told : its name and its text."""
    family = GaugeMetricFamily(*told, labels=(*LABELS, label))
    for state in known:
        for value_of, value in values_of(state).items():
            family.add_metric([state.portfolio.name, state.portfolio.run, value_of], value)
    return family


def _notional_of(state: PortfolioState) -> dict[str, float]:
    """Signed, by symbol, in the base currency."""
    lot_sizes = {one.symbol: float(one.lot_size) for one in state.portfolio.instruments}
    return {
        symbol: lots * lot_sizes[symbol] * state.marks[symbol]
        for symbol, lots in state.lots.items()
    }


def _used(state: PortfolioState) -> dict[str, float]:
    """Fractions of equity over the caps that the portfolio has, by the caps' names."""
    equity, limits = state.decision.equity, state.portfolio.limits
    if not equity > 0.0:
        return {}
    notionals = _notional_of(state).values()
    fractions = {
        "gross": (sum(map(abs, notionals)) / equity, limits.gross),
        "invested": (sum(one for one in notionals if one > 0.0) / equity, limits.invested),
        "symbol": (max(map(abs, notionals), default=0.0) / equity, limits.symbol),
    }
    if state.figure is not None:
        fractions["value_at_risk"] = (state.figure.var_95, limits.value_at_risk)
    return {name: used / cap for name, (used, cap) in fractions.items() if cap}


def _late(known: list[PortfolioState]) -> CounterMetricFamily:
    name, text = "stratvector_signals_late", "Decisions that went without a model's signals."
    family = CounterMetricFamily(name, text, labels=(*LABELS, "model"))
    for state in known:
        portfolio = state.portfolio
        if has_deadlines(portfolio.run):
            for model in portfolio.active:
                names = [portfolio.name, portfolio.run, model.name]
                family.add_metric(names, state.late.get(model.name, 0))
    return family


def _absent(known: list[PortfolioState]) -> GaugeMetricFamily:
    name, text = "stratvector_universe_absent", "Whether the newest decision went without its bars."
    family = GaugeMetricFamily(name, text, labels=(*LABELS, "universe"))
    for state in known:
        portfolio = state.portfolio
        if has_deadlines(portfolio.run):
            for universe in portfolio.universes:
                names = [portfolio.name, portfolio.run, universe.name]
                family.add_metric(names, float(universe.name in state.decision.cut.absent))
    return family
