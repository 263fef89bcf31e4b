"""Bars that come after their close: what they move and fill, and what may be said of them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from stratvector.trading.account import PortfolioAccount
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillKind, FillsReport
from stratvector.trading.meaning.fills import check_report, check_report_of
from stratvector.trading.meaning.orders import check_decision, check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import ApprovedOrder, Cut
from stratvector.trading.simulated_broker import SimulatedBroker
from stratvector.trading.unfit import Absurd
from stratvector.trading.used_bars import ABSENT, UsedBars
from tests.sessions.scripted_sessions import HOUR, START, Script, scripted_session

SESSION = scripted_session(
    Script(
        closes={"A": [1.0] * 4, "B": [1.0] * 4},
        weights={"model": {"A": [0.5] * 4}},
        slow=("B",),
    )
)
PORTFOLIO = SESSION.portfolio
PAPER = replace(PORTFOLIO, run="paper.1")
FAST, SLOW = (universe.name for universe in PORTFOLIO.universes)


def bars(hour: int, price: float, universe: str = FAST, hours: int = 1) -> ClosedBars:
    v, close = np.array([price]), START + hour * HOUR
    symbols = PORTFOLIO.universe(universe).symbols
    timeframe = PORTFOLIO.universe(universe).timeframe
    times = {"open_time": close - hours * HOUR, "next_close": close + hours * HOUR}
    return ClosedBars(universe, timeframe, close, symbols, v, v, v, v, 1e6 * v, **times)  # type: ignore[arg-type]


def order(hour: int) -> ApprovedOrder:
    decided = START + hour * HOUR
    return ApprovedOrder(f"o{hour}", "A", 3, (3,), Decimal(1), decided, decided + HOUR)


@pytest.mark.parametrize(("decided", "fills_at"), [(0, 10.0), (1, 11.0), (2, 12.0), (3, 13.0)])
def test_a_late_bar_fills_what_was_decided_by_its_opening(decided: int, fills_at: float) -> None:
    """Bars of hours 1 to 3 come late, at the close of hour 4."""
    broker = SimulatedBroker(PORTFOLIO)
    broker.accept(order(decided))
    late = [bars(hour, 9.0 + hour) for hour in (1, 2, 3)]
    (event,) = broker.match(START + 4 * HOUR, [bars(4, 13.0)], late)
    assert event.kind is FillKind.FILLED
    assert float(event.price) == pytest.approx(fills_at, rel=0.01)
    assert event.known_time == START + 4 * HOUR
    assert event.fill_time == START + (3 if decided == 3 else decided) * HOUR
    assert broker.working == ()


def test_a_late_bar_whose_opening_is_unknown_fills_nothing() -> None:
    broker = SimulatedBroker(PORTFOLIO)
    broker.accept(order(0))
    assert broker.match(START + 2 * HOUR, [], [replace(bars(1, 9.0), open_time=0)]) == ()


def test_late_bars_move_marks_and_the_next_close_and_plan_nothing() -> None:
    account, close = PortfolioAccount(PAPER), START + 2 * HOUR
    account.observe(close, [], {}, [bars(1, 7.0), bars(2, 8.0), bars(2, 3.0, SLOW, 2)])
    assert account.marks == {"A": 8.0, "B": 3.0}
    assert account.decide(close, Cut()).symbols == ()


def named(what: str, **told: Any) -> None:
    """Check a report or a decision that says this of its bars."""
    portfolio = told.pop("portfolio", PAPER)
    own, close = Own.of(portfolio), START + HOUR
    if what == "report":
        report = FillsReport(
            portfolio.name, portfolio.account_names[0], 0, (), told.pop("closed", close), **told
        )
        check_report(report)
        check_report_of(report, own, report.account)
        return
    account = PortfolioAccount(portfolio)
    account.observe(close, [bars(1, 1.0)], {})
    decision = account.decide(close, Cut(**told))
    check_decision(decision)
    check_decision_of(decision, own)


@pytest.mark.parametrize("what", ["report", "decision"])
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"bars": {"z": "b1"}}, "no universe 'z'"),
        ({"bars": {FAST: "b1", SLOW: "b1"}}, "'b1' comes twice"),
        ({"bars": {FAST: "b1"}, "late": (UsedBars(SLOW, "b1"),)}, "'b1' comes twice"),
        ({"bars": {FAST: "b1"}, "late": (UsedBars(SLOW, ABSENT),)}, "a message must be named"),
        ({"bars": {FAST: ABSENT, SLOW: ABSENT}}, "no other one closes"),
        ({"bars": {FAST: "b1", SLOW: ABSENT}, "portfolio": PORTFOLIO}, "in a replay"),
        ({"bars": {FAST: "b1"}, "late": (UsedBars(SLOW, "b2"),), "portfolio": PORTFOLIO}, "replay"),
    ],
)
def test_what_no_honest_owner_says_of_bars_is_refused(
    what: str, told: dict[str, Any], why: str
) -> None:
    with pytest.raises(Absurd, match=why):
        named(what, **told)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"bars": {FAST: "b1"}, "closed": None}, "names bars, but it closes nothing"),
        ({}, "names no bars"),
        ({"bars": {FAST: "b1"}, "portfolio": PORTFOLIO}, "which a replay does not"),
    ],
)
def test_only_a_report_that_closes_in_a_run_with_deadlines_names_bars(
    told: dict[str, Any], why: str
) -> None:
    with pytest.raises(Absurd, match=why):
        named("report", **told)


def test_an_honest_word_on_bars_is_taken() -> None:
    honest = {"bars": {FAST: "b1", SLOW: ABSENT}, "late": (UsedBars(SLOW, "b2"),)}
    named("report", **honest)
    named("decision", **honest)
    named("report", portfolio=PORTFOLIO)
    named("decision", portfolio=PORTFOLIO, bars={FAST: "b1"})
