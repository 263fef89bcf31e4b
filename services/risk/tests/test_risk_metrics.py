"""What Prometheus scrapes of a portfolio is the newest decision."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from stratvector.runtime.host import AnsweredFrom
from stratvector.runtime.served import Served
from stratvector.services.risk.metrics import RiskCollector
from stratvector.services.risk.portfolio_state import Decided, PortfolioState
from stratvector.trading.orders import Decision, ValueAtRisk
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.used_bars import ABSENT
from tests.sessions.scripted_sessions import one_symbol

HOUR_NS = 3_600_000_000_000
PORTFOLIO = one_symbol([10.0] * 4, [0.5] * 4).portfolio
INITIAL = float(PORTFOLIO.initial_cash)
LOT_SIZE = float(PORTFOLIO.instruments[0].lot_size)
DECISION = Decision(
    portfolio=PORTFOLIO.name,
    close_time=50 * HOUR_NS,
    equity=INITIAL - 250.0,
    gross_exposure=0.3,
    drawdown_factor=0.75,
    halted=False,
    reduce_only=False,
    orders=(),
    cancels=(),
    crosses=(),
    symbols=(),
)
STATE = PortfolioState(PORTFOLIO, DECISION, INITIAL, {"A": -3}, {"A": 10.5}, None, 0, "")


class Shown:
    """A registry with one portfolio, whose state may change between two scrapes."""

    def __init__(self, state: PortfolioState | None) -> None:
        self.state = state
        self._registry = CollectorRegistry()
        served = Served[Decided]("risk")
        self.is_owner = True
        served.add(PORTFOLIO, Decided(PORTFOLIO, lambda: self.state, self._answered_from))
        self._registry.register(RiskCollector(served))

    def _answered_from(self) -> AnsweredFrom:
        return AnsweredFrom("orders", self.is_owner)

    def value(self, name: str, **labels: str) -> float | None:
        whose = {"portfolio": PORTFOLIO.name, "run": PORTFOLIO.run}
        return self._registry.get_sample_value(name, whose | labels)


def test_before_the_first_decision_nothing_is_said() -> None:
    assert Shown(None).value("stratvector_portfolio_equity_usd") is None


def test_a_standby_that_adopts_says_nothing() -> None:
    shown = Shown(STATE)
    shown.is_owner = False
    assert shown.value("stratvector_portfolio_equity_usd") is None


def test_gauges_are_the_newest_decisions() -> None:
    shown = Shown(STATE)
    assert shown.value("stratvector_portfolio_equity_usd") == INITIAL - 250.0
    assert shown.value("stratvector_portfolio_pnl_usd") == -250.0
    assert shown.value("stratvector_portfolio_drawdown_factor") == 0.75
    assert shown.value("stratvector_portfolio_drawdown") == (INITIAL - 250.0) / INITIAL - 1.0
    assert shown.value("stratvector_portfolio_halted") == 0.0
    assert shown.value("stratvector_portfolio_drawdown_limit") is None  # the portfolio has none
    assert shown.value("stratvector_position_notional_usd", symbol="A") == -3 * LOT_SIZE * 10.5
    shown.state = replace(STATE, decision=replace(DECISION, equity=INITIAL + 1.0))
    assert shown.value("stratvector_portfolio_pnl_usd") == 1.0


def test_a_value_at_risk_has_an_age_that_grows_while_no_newer_one_comes() -> None:
    shown = Shown(STATE)
    assert shown.value("stratvector_portfolio_var_95") is None
    assert shown.value("stratvector_portfolio_var_age_seconds") is None
    figure = ValueAtRisk(48 * HOUR_NS, 1.0, 0.02, 0.03, 10_000, 7)
    shown.state = replace(STATE, figure=figure, recorded_at=49 * HOUR_NS, trouble="gone")
    assert shown.value("stratvector_portfolio_var_95") == 0.02
    assert shown.value("stratvector_portfolio_var_age_seconds") == 7_200.0
    later = replace(DECISION, close_time=60 * HOUR_NS)
    shown.state = replace(shown.state, decision=later)
    assert shown.value("stratvector_portfolio_var_age_seconds") == 43_200.0


def test_a_halt_and_its_limit_can_be_watched() -> None:
    limits = RiskLimits(drawdown_trigger=0.15, drawdown_halt=0.20)
    halted = replace(DECISION, equity=0.79 * INITIAL, halted=True, drawdown_factor=0.0)
    limited = replace(PORTFOLIO, limits=limits)
    shown = Shown(replace(STATE, decision=halted, portfolio=limited))
    drawdown = shown.value("stratvector_portfolio_drawdown")
    assert drawdown == pytest.approx(-0.21)
    assert shown.value("stratvector_portfolio_drawdown_limit") == -0.20
    assert shown.value("stratvector_portfolio_halted") == 1.0


def test_late_signals_are_counted_by_model_in_runs_that_have_deadlines() -> None:
    live = replace(PORTFOLIO, run="paper.1")
    paper = replace(STATE, portfolio=live)
    shown = Shown(paper)
    labels = {"run": "paper.1", "model": live.model_names[0]}
    assert shown.value("stratvector_signals_late_total", **labels) == 0.0
    shown.state = replace(paper, late={live.model_names[0]: 3})
    assert shown.value("stratvector_signals_late_total", **labels) == 3.0
    labels["run"] = PORTFOLIO.run
    assert Shown(STATE).value("stratvector_signals_late_total", **labels) is None


def test_universes_that_are_absent_are_shown_in_runs_that_have_deadlines() -> None:
    live = replace(PORTFOLIO, run="paper.1")
    universe = live.universes[0].name
    labels = {"run": "paper.1", "universe": universe}
    paper = replace(STATE, portfolio=live)
    shown = Shown(paper)
    assert shown.value("stratvector_universe_absent", **labels) == 0.0
    without = replace(STATE.decision, cut=replace(STATE.decision.cut, bars={universe: ABSENT}))
    shown.state = replace(paper, decision=without)
    assert shown.value("stratvector_universe_absent", **labels) == 1.0
    labels["run"] = PORTFOLIO.run
    assert Shown(STATE).value("stratvector_universe_absent", **labels) is None


def test_what_is_used_of_each_limit_that_the_portfolio_has() -> None:
    limits = RiskLimits(gross=1.2, symbol=0.4, value_at_risk=0.04)
    figure = ValueAtRisk(48 * HOUR_NS, 1.0, 0.02, 0.03, 10_000, 7)
    state = replace(STATE, portfolio=replace(PORTFOLIO, limits=limits), figure=figure)
    shown = Shown(state)

    def used(limit: str) -> float | None:
        return shown.value("stratvector_portfolio_limit_used", limit=limit)

    part = 3 * LOT_SIZE * 10.5 / (INITIAL - 250.0)
    assert used("gross") == pytest.approx(part / 1.2)
    assert used("symbol") == pytest.approx(part / 0.4)
    assert used("value_at_risk") == pytest.approx(0.5)
    assert used("invested") is None  # the portfolio has no such limit
    longs = replace(limits, invested=0.8)
    shown.state = replace(state, portfolio=replace(PORTFOLIO, limits=longs))
    assert used("invested") == 0.0  # all that is held is short
    shown.state = replace(state, lots={"A": 3}, portfolio=replace(PORTFOLIO, limits=longs))
    assert used("invested") == pytest.approx(part / 0.8)


def test_without_equity_no_share_of_a_limit_is_told() -> None:
    portfolio = replace(PORTFOLIO, limits=RiskLimits(gross=1.2))
    shown = Shown(replace(STATE, portfolio=portfolio, decision=replace(DECISION, equity=0.0)))
    assert shown.value("stratvector_portfolio_limit_used", limit="gross") is None
