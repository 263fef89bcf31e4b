"""Portfolios of several accounts on the simulated bus: equal to the backtest and to one account,
wherever anybody dies; cash belongs to its account.
"""

from dataclasses import replace
from decimal import Decimal

import pytest

from stratvector.contracts.codecs import decode_fills_report
from stratvector.runtime.simulation.fate import CrashPlan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading import replay
from stratvector.trading.lanes import fills_lanes
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape, generated_session, over_accounts
from tests.sessions.silent_flow import (
    Silence,
    absences,
    breaches,
    late_bars,
    paced,
    run,
    universes_of,
)
from tests.sessions.silent_flow import session_of as paper_session_of
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

SHAPE = Shape(universes=3, symbols=2, models=3, closes=12, warmup=2)
SLOW = Faults(delay_seconds_max=0.4)
WAITING = Faults(delay_seconds_max=0.05)
CLOSES = 3


def session_of(seed: int, accounts: int, strict: bool = False) -> Session:
    return over_accounts(generated_session(seed, SHAPE), accounts, strict)


def assert_whole(flow: Flow) -> None:
    """Parity, backtest, ledger; and the accounts' cash adds up to the whole, to the digit."""
    assert breaches_of(flow) == []
    assert flow.entries
    for entry in flow.entries:
        assert list(entry.accounts) == list(flow.session.portfolio.account_names)
        assert sum(entry.accounts.values(), Decimal(0)) == entry.cash


@pytest.mark.parametrize("accounts", [2, 3])
def test_a_storm_over_several_accounts_changes_no_result(accounts: int) -> None:
    for seed in range(6):
        session = session_of(seed, accounts, strict=seed % 2 == 1)
        closes = (CLOSES, 1, 5_000)[seed % 3]
        assert_whole(run_flow(session, seed, Faults.stormy(), (), None, 1 + seed % 2, closes))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("effect", ["publish FILLS", "publish ORDERS", "store commit"])
def test_a_crash_at_the_steps_of_a_close_changes_nothing(effect: str, when: When) -> None:
    session = session_of(1, 2)
    service = {"publish FILLS": "execution", "publish ORDERS": "risk"}.get(effect, "ledger")
    calm = run_flow(session, 0, SLOW, instances=2, closes_per_chapter=CLOSES)
    assert len(calm.openings) > 2
    for occurrence in range(1, calm.world.effects[service, effect], 7):
        plan = CrashPlan(service, effect, occurrence, when)
        assert_whole(run_flow(session, 0, SLOW, [plan], None, 2, CLOSES))


def test_the_leading_account_judges_bars_and_the_other_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In storms, with one chapter after the other."""
    seen = 0
    for seed in range(1, 5):
        session = over_accounts(paper_session_of(seed), 2)
        silent = universes_of(seed)[0]
        paced(monkeypatch, [Silence(silent, 2.0 + seed, 22.0 + seed)])
        stormy = replace(Faults.stormy(), delay_seconds_max=0.05) if seed % 2 else WAITING
        flow = run(session, seed, stormy, instances=1 + seed % 2, closes_per_chapter=1 + seed % 4)
        assert breaches(flow) == []
        assert_named_by_the_leading_account_alone(flow)
        seen += bool(absences(flow)) and bool(late_bars(flow))
    assert seen >= 2


def assert_named_by_the_leading_account_alone(flow: Flow) -> None:
    leading, follower = fills_lanes(flow.session.portfolio).values()
    closes = []
    for lane in (leading, follower):
        contents = flow.world.bus.contents(lane)
        reports = [decode_fills_report(one.message.payload) for one in contents]
        closing = [one for one in reports if one.closed is not None]
        assert all(bool(one.bars) == (lane == leading) for one in closing)
        closes.append([one.closed for one in closing])
    assert closes[0] == closes[1] == [decision.close_time for decision in flow.decisions]


def test_accounts_change_nothing_but_the_ids_of_orders_under_margin() -> None:
    """Orders, fills and the bits of equity, of backtests over thirty sessions."""
    for seed in range(30):
        one = generated_session(seed, SHAPE)
        limits = replace(one.portfolio.limits, cash="margin")
        one = replace(one, portfolio=replace(one.portfolio, limits=limits))
        alone = replay.run(one)
        for accounts in (2, 3):
            several = replay.run(over_accounts(one, accounts))
            assert several.journal.equity.tolist() == alone.journal.equity.tolist()
            assert several.journal.order_lots.tolist() == alone.journal.order_lots.tolist()
            assert several.journal.fill_lots.tolist() == alone.journal.fill_lots.tolist()
            assert not {*ids_of(several)} & {*ids_of(alone)}


def ids_of(outcome: replay.Outcome) -> list[str]:
    return [order.order_id for decision in outcome.decisions for order in decision.orders]
