"""How orders meet bars: the next open, adverse slippage, volume, expiry; and what a decision may
know."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.portfolio import Costs
from stratvector.trading.session import Session
from tests.sessions.scripted_sessions import HOUR, NAN, START, Script, one_symbol, scripted_session
from tests.sessions.wild_sessions import wild_session


def kinds(events: tuple[FillEvent, ...]) -> list[tuple[FillKind, int]]:
    return [(event.kind, event.lots) for event in events]


def test_an_order_fills_at_the_open_of_the_next_bar() -> None:
    outcome = replay.run(one_symbol([10.0, 12.0], [1.0, 1.0], opens={"A": [10.0, 11.0]}))
    (fill,) = outcome.events
    assert (fill.lots, fill.price) == (1000, Decimal("11.00"))
    assert outcome.journal.equity.tolist() == [10_000.0, 11_000.0]


def test_a_fill_happens_when_its_bar_opens_and_is_known_when_it_closes() -> None:
    (fill,) = replay.run(one_symbol([10.0, 12.0], [1.0, 1.0])).events
    assert (fill.fill_time, fill.known_time) == (START, START + HOUR)


@pytest.mark.parametrize(("weight", "price"), [(1.0, "10.02"), (-1.0, "9.98")])
def test_slippage_is_adverse_and_the_price_is_on_the_instruments_grid(
    weight: float, price: str
) -> None:
    costs = Costs(commission=0.0, slippage=0.0017)
    (fill,) = replay.run(one_symbol([10.0, 10.0], [weight, weight], costs=costs)).events
    assert fill.price == Decimal(price)
    assert fill.slippage == Decimal("0.02") * 1000


def test_commission_is_a_fraction_of_the_notional_in_whole_millionths() -> None:
    costs = Costs(commission=0.0001234567, slippage=0.0)
    outcome = replay.run(one_symbol([10.0, 10.0], [0.333, 0.333], costs=costs))
    (fill,) = outcome.events
    assert fill.commission == Decimal("0.411111")  # 333 x 10 x 0.0001234567 = 0.4111108…
    assert outcome.journal.equity[-1] == 10_000 - 0.411111


def test_a_missing_bar_fills_nothing_and_the_order_expires_with_it() -> None:
    outcome = replay.run(one_symbol([10.0, None, 10.0, 10.0], [0.5, NAN, 0.5, 0.5]))
    assert kinds(outcome.events) == [(FillKind.EXPIRED, 0), (FillKind.FILLED, 500)]
    expired, filled = outcome.events
    assert expired.order_id == outcome.decisions[0].orders[0].order_id
    assert expired.known_time == outcome.decisions[0].orders[0].expires_at == START + HOUR
    assert filled.order_id == outcome.decisions[2].orders[0].order_id
    assert outcome.decisions[1].orders == ()


def test_the_volume_cap_fills_a_part_and_the_rest_expires() -> None:
    costs = Costs(commission=0.0, slippage=0.0, volume_limit=0.1)
    volumes = {"A": [1e6, 4_000.0, 1e6]}
    session = one_symbol([10.0] * 3, [1.0] * 3, volumes=volumes, costs=costs)
    outcome = replay.run(session)
    assert kinds(outcome.events) == [
        (FillKind.FILLED, 400),
        (FillKind.EXPIRED, 0),
        (FillKind.FILLED, 600),
    ]


@pytest.mark.parametrize("volume", [0.0, 1.0, 1e9])
def test_volume_never_sizes_an_order(volume: float) -> None:
    costs = Costs(volume_limit=0.05)
    volumes = {"A": [volume] * 2}
    outcome = replay.run(one_symbol([10.0] * 2, [1.0] * 2, volumes=volumes, costs=costs))
    assert [o.lots for o in outcome.decisions[0].orders] == [1000]


def test_a_bar_without_volume_fills_nothing_under_a_volume_cap() -> None:
    costs = Costs(volume_limit=0.05)
    volumes = {"A": [0.0] * 2}
    outcome = replay.run(one_symbol([10.0] * 2, [1.0] * 2, volumes=volumes, costs=costs))
    assert kinds(outcome.events) == [(FillKind.EXPIRED, 0)]


def test_one_order_takes_a_position_through_zero() -> None:
    outcome = replay.run(one_symbol([10.0] * 4, [0.5, -0.5, -0.5, -0.5]))
    assert kinds(outcome.events) == [(FillKind.FILLED, 500), (FillKind.FILLED, -1000)]
    assert outcome.journal.model_lots[:, 0, 0].tolist() == [0, 500, -500, -500]


@pytest.mark.parametrize(("weight", "lots"), [(1.0, 333), (-1.0, -333), (0.0029, 0)])
def test_a_target_is_rounded_toward_zero_in_lots(weight: float, lots: int) -> None:
    first = replay.run(one_symbol([30.0] * 2, [weight] * 2)).decisions[0]
    assert first.symbols[0].target_lots == lots
    assert [o.lots for o in first.orders] == ([lots] if lots else [])


def changed_after(session: Session, t: int) -> Session:
    """The same session with other prices, volumes and gaps after its first t + 1 closes."""
    last = int(session.schedule.close_times[t])
    random = np.random.default_rng(t)
    histories = {}
    for name, history in session.histories.items():
        bars = history.bars
        future = (bars.close_times > last)[:, np.newaxis]
        factor = np.where(future, np.exp(random.normal(0, 0.5, bars.close.shape)), 1.0)
        factor[future & (random.random(bars.close.shape) < 0.2)] = np.nan
        panel = [bars.open, bars.high, bars.low, bars.close, bars.volume]
        changed = [np.ascontiguousarray(values * factor) for values in panel]
        other = type(bars)(bars.symbols, bars.close_times, *changed)
        histories[name] = replace(history, bars=other)
    return replace(session, histories=histories)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**9), share=st.floats(0, 1, exclude_max=True))
def test_a_decision_uses_only_bars_up_to_its_close(seed: int, share: float) -> None:
    session = wild_session(seed)
    t = int(share * len(session.schedule))
    outcome, changed = replay.run(session), replay.run(changed_after(session, t))
    assert repr(outcome.decisions[: t + 1]) == repr(changed.decisions[: t + 1])
    known = session.schedule.close_times[t]
    assert [e for e in outcome.events if e.known_time <= known] == [
        e for e in changed.events if e.known_time <= known
    ]


def test_bars_before_the_start_warm_up_and_never_trade() -> None:
    session = scripted_session(
        Script({"A": [10.0] * 6}, {"model": {"A": [1.0] * 6}}, warmup=3, needs=2)
    )
    outcome = replay.run(session)
    assert outcome.close_times == tuple(START + h * HOUR for h in (3, 4, 5))
    assert [o.decided_at for d in outcome.decisions for o in d.orders] == [START + 3 * HOUR]
