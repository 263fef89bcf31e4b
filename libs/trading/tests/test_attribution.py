"""Each lot, fee and unit of cash belongs to one model; the parts add up to the whole, exactly."""

from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.fills import FillKind
from stratvector.trading.portfolio import Costs
from stratvector.trading.reasons import Outcome
from tests.sessions.generated_sessions import generated_session
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import Script, scripted_session
from tests.sessions.wild_sessions import wild_session

seeds = st.tuples(st.integers(0, 10**9), st.booleans())


@settings(max_examples=80)
@given(seeds)
def test_the_models_lots_sum_to_the_position_at_every_close(seed: tuple[int, bool]) -> None:
    session = wild_session(seed[0]) if seed[1] else generated_session(seed[0])
    journal = replay.run(session).journal
    positions = np.cumsum(journal.fill_lots, axis=0)
    assert (journal.model_lots.sum(axis=1) == positions).all()


@settings(max_examples=80)
@given(seeds)
def test_the_parts_of_an_order_sum_to_it_and_have_its_sign(seed: tuple[int, bool]) -> None:
    session = wild_session(seed[0]) if seed[1] else generated_session(seed[0])
    for decision in replay.run(session).decisions:
        for order in decision.orders:
            assert sum(order.parts) == order.lots
            assert all(part * order.lots >= 0 for part in order.parts)


@settings(max_examples=80)
@given(seeds)
def test_crosses_sum_to_zero(seed: tuple[int, bool]) -> None:
    session = wild_session(seed[0]) if seed[1] else generated_session(seed[0])
    for decision in replay.run(session).decisions:
        for cross in decision.crosses:
            assert sum(cross.parts) == 0
            assert any(cross.parts)


@settings(max_examples=60)
@given(seeds)
def test_the_ledgers_parts_add_up_to_the_whole_to_the_last_digit(seed: tuple[int, bool]) -> None:
    session = wild_session(seed[0]) if seed[1] else generated_session(seed[0])
    cash, commission = session.portfolio.initial_cash, Decimal(0)
    for entry in play_live(session).entries:
        fills = [e for e in entry.events if e.kind is FillKind.FILLED]
        commission += sum(e.commission for e in fills)
        assert sum(m.cash for m in entry.models) == entry.cash - cash
        assert sum(m.equity for m in entry.models) == entry.equity - cash
        assert sum(m.commission for m in entry.models) == commission
        assert [sum(parts) for _, parts in entry.attributed] == [e.lots for e in fills]
        for symbol in session.portfolio.symbols:
            held = [m.positions.get(symbol, 0) for m in entry.models]
            assert sum(held) == entry.positions.get(symbol, 0)


@settings(max_examples=60)
@given(seeds)
def test_the_engine_and_the_ledger_attribute_alike(seed: tuple[int, bool]) -> None:
    session = wild_session(seed[0]) if seed[1] else generated_session(seed[0])
    journal = replay.run(session).journal
    for t, entry in enumerate(play_live(session).entries):
        for m, model in enumerate(entry.models):
            lots = [model.positions.get(symbol, 0) for symbol in session.portfolio.symbols]
            assert journal.model_lots[t, m].tolist() == lots
            assert abs(float(model.cash) - journal.model_cash[t, m]) < 1e-6


def test_models_that_want_the_opposite_cross_at_the_mark_free_of_cost() -> None:
    closes = [10.0, 10.0, 12.0, 12.0]
    weights = {"x": {"A": [0.5, 0.5, 0.0, 0.0]}, "y": {"A": [0.0, 0.0, 0.6, 0.6]}}
    outcome = replay.run(scripted_session(Script({"A": closes}, weights)))
    decision = outcome.decisions[2]
    assert decision.equity == 11_000
    (cross,) = decision.crosses
    assert (cross.parts, cross.price) == ((-500, 500), Decimal("12.00"))
    (order,) = decision.orders
    assert (order.lots, order.parts) == (50, (0, 50))
    assert outcome.journal.model_cash[2].tolist() == [1000.0, -6000.0]


def test_models_that_want_exact_opposites_trade_nothing() -> None:
    weights = {"x": {"A": [0.5] * 3}, "y": {"A": [-0.5] * 3}}
    outcome = replay.run(scripted_session(Script({"A": [10.0] * 3}, weights)))
    first = outcome.decisions[0]
    assert first.orders == ()
    assert outcome.events == ()
    assert [c.parts for c in first.crosses] == [(500, -500)]
    assert [s.outcome for s in first.symbols] == [Outcome.NO_CHANGE]
    assert outcome.journal.model_lots[-1, :, 0].tolist() == [500, -500]


def test_opposite_targets_beyond_any_lots_are_refused_though_they_net_to_nothing() -> None:
    """In so many lots a part is no whole number any more, and does not fit in 64 bits."""
    weights = {"x": {"A": [1e8] * 3}, "y": {"A": [-1e8] * 3}}
    script = Script({"A": [1.0] * 3}, weights, lot_size="0.0000000001")
    for decision in replay.run(scripted_session(script)).decisions:
        assert [s.outcome for s in decision.symbols] == [Outcome.TOO_LARGE]
        assert (decision.orders, decision.crosses) == ((), ())


def test_a_mark_half_way_between_two_prices_crosses_at_one_price_in_engine_and_ledger() -> None:
    weights = {"x": {"A": [0.5] * 2}, "y": {"A": [-0.5] * 2}}
    session = scripted_session(Script({"A": [1.015] * 2}, weights))
    journal, entries = replay.run(session).journal, play_live(session).entries
    for t, entry in enumerate(entries):
        assert [float(m.cash) for m in entry.models] == journal.model_cash[t].tolist()


def test_a_partial_fill_and_its_fee_are_split_by_largest_remainder() -> None:
    session = scripted_session(
        Script(
            closes={"A": [10.0] * 2},
            volumes={"A": [0.0, 10_000.0]},
            weights={"x": {"A": [0.6] * 2}, "y": {"A": [0.3] * 2}},
            costs=Costs(commission=0.001, slippage=0.0, volume_limit=0.05),
        )
    )
    entry = play_live(session).entries[1]
    assert [o.parts for o in entry.decision.orders] == [(266, 133)]
    assert [parts for _, parts in entry.attributed] == [(333, 167)]
    assert [m.commission for m in entry.models] == [Decimal("3.33"), Decimal("1.67")]
