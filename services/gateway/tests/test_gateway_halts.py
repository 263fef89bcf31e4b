"""A halt is told as decisions and holdings have it, in each place that shows it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from stratvector.services.gateway.account import after_fill
from stratvector.services.gateway.clients.drift import Score
from stratvector.services.gateway.clients.risk import RiskState, ValueAtRisk
from stratvector.services.gateway.console.banner import banner
from stratvector.services.gateway.console.flow import flow
from stratvector.services.gateway.console.positions import positions
from stratvector.services.gateway.console.tiles import tiles
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.live import LiveSession
from stratvector.services.gateway.words import minute
from stratvector.trading.halts import halts_of
from stratvector.trading.lanes import fills_lane, orders_lane
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, utc_text
from stratvector.trading.used_bars import ABSENT
from tests.sessions.scripted_sessions import HOUR, START, Script, scripted_session
from tests.sessions.simulated_flow import Flow, run_flow

Fill = Callable[[LiveSession, Flow], None]
MINUS = "\N{MINUS SIGN}"
# All in at 10, a peak at 12, a fall to 9 at hour 3; flat after the fills of hour 4.
FALL = [10.0, 10.0, 12.0, 9.0, 9.0, 9.0, 12.0, 12.0]
# Each day's fifth hour falls by a tenth of what is left.
SLIDES = [10.0] * 4 + [9.0] * 44 + [8.0] * 4


def at(hour: int) -> int:
    return START + hour * HOUR


def flow_of(closes: list[float], **limits: float) -> Flow:
    script = Script(
        {"A": closes},
        {"model": {"A": [1.0] * len(closes)}},
        limits=RiskLimits(gross=1.0, **limits),  # type: ignore[arg-type]
    )
    return run_flow(scripted_session(script))


@pytest.fixture(scope="module")
def halted() -> Flow:
    return flow_of(FALL, drawdown_halt=0.2)


@pytest.fixture(scope="module")
def daily() -> Flow:
    return flow_of(SLIDES, daily_loss=0.05)


def live_of(flow: Flow) -> LiveSession:
    return LiveSession(flow.session.portfolio, len(flow.session.schedule), Hub())


def context_of(live: LiveSession, risk: RiskState | None = None) -> Any:
    cached = SimpleNamespace(
        models=[], scores={}, risk=risk, troubles={}, version=0, worst_drift=None
    )
    return SimpleNamespace(live=live, cached=cached)


@pytest.mark.parametrize("fills_first", [True, False])
@pytest.mark.parametrize("page", [1, 3, 1_000])
def test_halts_are_the_ledgers_however_the_two_lanes_are_read(
    halted: Flow, daily: Flow, fills_first: bool, page: int
) -> None:
    for one in (halted, daily):
        live, portfolio, bus = live_of(one), one.session.portfolio, one.world.bus
        lanes = [
            (bus.contents(fills_lane(portfolio, portfolio.account_names[0])), live.take_fills),
            (bus.contents(orders_lane(portfolio)), live.take_decisions),
        ]
        for stored, take in lanes if fills_first else lanes[::-1]:
            for start in range(0, len(stored), page):
                take(stored[start : start + page])
        expected = halts_of(one.entries, portfolio)
        assert live.account.halts == expected.halts
        assert live.account.halted_since == expected.halted_since
        assert live.account.lasting == tuple(h for h in expected.halts if h.until is None) != ()
        told = [happening for happening in live.happenings if happening.noun == "halts"]
        ended = sum(halt.until is not None for halt in expected.halts)
        assert len(told) == len(expected.halts) + ended


def test_a_drawdown_halt_is_an_alert_with_time_rule_value_limit_and_flat_since(
    halted: Flow, fill_live: Fill
) -> None:
    live = live_of(halted)
    assert banner(context_of(live)) == ""
    fill_live(live, halted)
    html = banner(context_of(live))
    words = re.sub("<[^>]+>", "", html)
    assert html.count('role="alert"') == 1
    assert "banner-halted" in html
    assert (
        f"since {minute(at(3))} UTC: drawdown {MINUS}25.00 % reached the limit {MINUS}20.00 %; "
        f"flat since {minute(at(4))} UTC. 5 closes so far."
    ) in words


def test_a_universe_that_the_newest_decision_went_without_is_an_alert(
    halted: Flow, fill_live: Fill
) -> None:
    live = live_of(halted)
    fill_live(live, halted)
    assert live.decision is not None
    assert "banner-absent" not in banner(context_of(live))
    cut = replace(live.decision.cut, bars={"<b>hours": ABSENT, "minutes": "b1"})
    live.decision = replace(live.decision, cut=cut)
    html = banner(context_of(live))
    assert html.count("banner banner-absent") == 1
    assert "&lt;b&gt;hours: no bars of it come" in re.sub("<wbr>", "", html)


def test_a_daily_loss_is_an_alert_of_its_own_and_an_event_at_its_end(
    daily: Flow, fill_live: Fill
) -> None:
    live = live_of(daily)
    fill_live(live, daily)
    html = banner(context_of(live))
    assert "banner-reduce-only" in html
    words = re.sub("<[^>]+>", "", html)
    assert f"Reduce only since {minute(at(48))} UTC: daily loss {MINUS}11.1" in words
    told = [h for h in live.happenings if h.noun == "halts"]
    assert [(h.close_time, h.text.partition(":")[0]) for h in told] == [
        (at(4), "reduce only"),
        (at(24), "reduce only ended after 20 closes"),
        (at(48), "reduce only"),
    ]
    assert "chip-halts" in flow(context_of(live))


def test_sockets_are_told_of_a_halt_as_an_event_and_with_the_account(
    halted: Flow, fill_live: Fill
) -> None:
    hub = Hub()
    live = LiveSession(halted.session.portfolio, 8, hub)
    with hub.subscribed(queue_max=10_000) as client:
        fill_live(live, halted)
        told = [json.loads(event.text) for event in client._queue]
    (began,) = [one for one in told if one["type"] == "halts"]
    assert (began["event"], began["rule"], began["limit"]) == ("began", "drawdown_halt", 0.2)
    assert began["close_time"] == began["since"] == utc_text(at(3))
    newest = [one for one in told if one["type"] == "equity"][-1]
    assert newest["halted_since"] == utc_text(at(3))
    assert [one["flat_since"] for one in newest["halts"]] == [utc_text(at(4))]


def test_an_account_that_sold_everything_is_flat_since_then_and_not_without_positions_yet(
    halted: Flow, fill_live: Fill
) -> None:
    live = live_of(halted)
    assert "No position yet." in positions(context_of(live))
    fill_live(live, halted)
    html = positions(context_of(live))
    assert f"Flat since {minute(at(4))} UTC." in html
    assert "No position yet" not in html
    assert 'data-testid="position-cash"' in html


def test_a_value_at_risk_from_before_the_account_was_flat_is_marked_stale(
    halted: Flow, fill_live: Fill
) -> None:
    live = live_of(halted)
    fill_live(live, halted)
    for as_of, stale in ((at(3), True), (at(4), False), (at(7) - 2 * NANOSECONDS_PER_DAY, True)):
        known = ValueAtRisk(as_of, as_of, 1.0, 0.02, 0.03, 1_000)
        risk = RiskState(at(7), 1.0, True, False, known, "")
        html = tiles(context_of(live, risk))
        assert ('data-testid="var-95-stale"' in html) is stale
        assert "VaR 95, Monte Carlo 1 d" in html
    context = context_of(live, RiskState(at(7), 1.0, True, False, known, ""))
    assert "from before the account was flat" in tiles(context)
    context.cached.worst_drift = Score("model", at(7) - 3 * NANOSECONDS_PER_DAY, 0.5, "")
    assert "3 d 0 h behind the newest close" in tiles(context)
    assert "worst, any close:" in tiles(context)


def test_a_figure_whose_service_is_lost_is_marked_stale(halted: Flow, fill_live: Fill) -> None:
    live = live_of(halted)
    fill_live(live, halted)
    known = ValueAtRisk(at(7), at(7), 1.0, 0.02, 0.03, 1_000)
    context = context_of(live, RiskState(at(7), 1.0, True, False, known, ""))
    assert "stale" not in tiles(context)
    context.cached.troubles = {"risk": "risk does not answer"}
    assert "risk does not answer" in tiles(context)
    assert 'data-testid="var-95-stale"' in tiles(context)


def test_entry_prices_are_average_costs_through_adds_cuts_and_turns() -> None:
    holding = None
    for lots, price, expected in (
        (10, "100", (10, "100")),
        (5, "110", (15, "103.3333")),
        (-5, "90", (10, "103.3333")),
        (-30, "95", (-20, "95")),
        (-20, "85", (-40, "90")),
        (10, "50", (-30, "90")),
        (30, "50", None),
    ):
        holding = after_fill(holding, lots, Decimal(price))
        if expected is None:
            assert holding is None
        else:
            assert holding is not None
            assert holding.lots == expected[0]
            assert abs(holding.entry_price - Decimal(expected[1])) < Decimal("0.0001")


def test_each_holdings_entry_price_and_profit_stand_in_the_table(
    recorded_flow: Flow, fill_live: Fill
) -> None:
    live = live_of(recorded_flow)
    fill_live(live, recorded_flow)
    assert live.positions is not None
    assert {s: h.lots for s, h in live.account.holdings.items()} == live.positions.positions != {}
    html = positions(context_of(live))
    for symbol, holding in live.account.holdings.items():
        cells = html.split(f'data-testid="position-{symbol}"')[1].split("</tr>")[0]
        mark, units = live.marks.of(symbol), float(live.instruments[symbol].quantity(holding.lots))
        assert mark is not None
        assert f"{holding.entry_price:,.2f}" in cells
        profit = units * (mark.price - float(holding.entry_price))
        assert f"{profit:+,.2f}".replace("-", MINUS) in cells
