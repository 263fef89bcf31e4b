"""Account-wide breakers: drawdown de-risks, halts and flattens once; a daily loss lets nothing
grow."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.fills import FillKind
from stratvector.trading.portfolio import Costs, RiskLimits
from stratvector.trading.reasons import Outcome, Stage
from stratvector.trading.replay import Outcome as Run
from tests.sessions.live_play import SlowToCancel, play_live
from tests.sessions.scripted_sessions import Script, one_symbol, scripted_session
from tests.sessions.wild_sessions import wild_session

DAY = 24


def lots_of(run: Run) -> list[list[tuple[str, int]]]:
    return [[(o.symbol, o.lots) for o in d.orders] for d in run.decisions]


def outcomes(run: Run) -> list[Outcome]:
    return [d.symbols[0].outcome for d in run.decisions]


@pytest.mark.parametrize(("close", "factor"), [(9.01, 1.0), (9.0, 0.5), (8.01, 0.5), (8.0, 0.0)])
def test_a_drawdown_at_its_trigger_derisks_and_at_its_halt_flattens(
    close: float, factor: float
) -> None:
    limits = RiskLimits(drawdown_trigger=0.1, drawdown_halt=0.2, derisking_factor=0.5)
    run = replay.run(one_symbol([10.0, 10.0, close], [1.0] * 3, limits=limits))
    last = run.decisions[-1]
    assert last.drawdown_factor == factor
    assert last.halted == (factor == 0.0)
    assert last.symbols[0].stages[Stage.DRAWDOWN] == factor * last.symbols[0].stages[Stage.CAPITAL]


def test_derisking_ends_when_the_drawdown_does() -> None:
    limits = RiskLimits(drawdown_trigger=0.1)
    run = replay.run(one_symbol([10.0, 10.0, 9.0, 9.0, 12.0, 12.0], [1.0] * 6, limits=limits))
    assert [d.drawdown_factor for d in run.decisions] == [1.0, 1.0, 0.5, 0.5, 1.0, 1.0]


def test_the_drawdown_counts_from_the_highest_equity() -> None:
    limits = RiskLimits(drawdown_trigger=0.1)
    run = replay.run(one_symbol([10.0, 10.0, 20.0, 18.1, 17.9], [1.0] * 5, limits=limits))
    assert [d.drawdown_factor for d in run.decisions][2:] == [1.0, 1.0, 0.5]


def test_a_halt_flattens_once_and_stays_latched_when_prices_recover() -> None:
    limits = RiskLimits(drawdown_halt=0.2)
    run = replay.run(one_symbol([10.0, 10.0, 7.0, 12.0, 15.0, 20.0], [1.0] * 6, limits=limits))
    assert lots_of(run) == [[("A", 1000)], [], [("A", -1000)], [], [], []]
    assert [d.halted for d in run.decisions] == [False, False, True, True, True, True]
    assert outcomes(run)[2:] == [Outcome.ORDERED] + [Outcome.HALTED] * 3


def test_a_halted_book_flattens_shorts_too() -> None:
    limits = RiskLimits(drawdown_halt=0.2)
    run = replay.run(one_symbol([10.0, 10.0, 14.0, 14.0], [-1.0] * 4, limits=limits))
    assert lots_of(run)[2:] == [[("A", 1000)], []]


def halting_script(slow_weights: list[float]) -> Script:
    """A falls to 1 and halts the book at hour 3, while S, which closes every second hour, does not
    close."""
    return Script(
        closes={"A": [10.0, 10.0, 10.0, 1.0, 1.0, 1.0, 1.0, 1.0], "S": [10.0] * 8},
        weights={"x": {"A": [0.5] * 8}, "y": {"S": slow_weights}},
        limits=RiskLimits(drawdown_halt=0.3),
        slow=("S",),
    )


def test_a_halt_cancels_a_working_order_and_flattens_once_it_is_gone() -> None:
    run = replay.run(scripted_session(halting_script([0.2, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4])))
    assert run.decisions[2].orders[-1].symbol == "S"
    halt = run.decisions[3]
    assert [c.order_id for c in halt.cancels] == [run.decisions[2].orders[-1].order_id]
    assert [(o.symbol, o.lots) for o in halt.orders] == [("A", -500)]
    assert [(o.symbol, o.lots) for o in run.decisions[4].orders] == [("S", -200)]
    assert all(d.cancels == () for d in run.decisions[4:])
    assert all(d.orders == () for d in run.decisions[5:])
    filled = [(e.symbol, e.lots) for e in run.events if e.kind is FillKind.FILLED]
    assert filled == [("A", 500), ("S", 200), ("A", -500), ("S", -200)]


def test_an_order_that_fills_before_its_cancel_arrives_is_counted_and_then_flattened() -> None:
    script = halting_script([0.2, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4])
    played = play_live(scripted_session(script), SlowToCancel)
    opening, halt = played.decisions[2].orders[-1], played.decisions[3]
    assert [c.order_id for c in halt.cancels] == [opening.order_id]
    assert [(o.symbol, o.lots) for o in halt.orders] == [("A", -500)]
    filled = [(e.symbol, e.lots) for e in played.events if e.kind is FillKind.FILLED]
    assert ("S", opening.lots) in filled
    assert played.account.positions == {}
    assert played.account.reserved_lots == {}
    assert played.entries[-1].positions == {}


def test_a_halt_cancels_an_opening_order_of_a_symbol_that_holds_nothing() -> None:
    run = replay.run(scripted_session(halting_script([0.0, 0.0, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4])))
    assert [c.symbol for c in run.decisions[3].cancels] == ["S"]
    assert [o.symbol for o in run.decisions[3].orders] == ["A"]
    assert not any(e.symbol == "S" and e.kind is FillKind.FILLED for e in run.events)


def test_while_a_flattening_order_waits_the_symbol_is_left_alone() -> None:
    run = replay.run(scripted_session(halting_script([0.2] * 8)))
    waiting = [s for s in run.decisions[4].symbols if s.symbol == "S"]
    assert [(o.symbol, o.lots) for o in run.decisions[3].orders][-1] == ("S", -200)
    assert run.decisions[4].orders == ()
    assert waiting[0].outcome is Outcome.HALTED  # filled at hour 4, when S closes


def test_a_flattening_order_that_finds_no_bar_is_given_again() -> None:
    limits = RiskLimits(drawdown_halt=0.2)
    run = replay.run(one_symbol([10.0, 10.0, 7.0, None, 7.0, 7.0], [1.0] * 6, limits=limits))
    assert lots_of(run)[2:] == [[("A", -1000)], [("A", -1000)], [], []]


def test_a_halt_is_stopped_by_no_band() -> None:
    limits = RiskLimits(drawdown_halt=0.2, rebalance_band=0.9, minimum_order_notional=9_000)
    run = replay.run(one_symbol([10.0, 10.0, 7.0, 7.0], [1.0] * 4, limits=limits))
    assert lots_of(run)[2:] == [[("A", -1000)], []]


def test_models_that_offset_each_other_are_flattened_by_a_cross() -> None:
    script = Script(
        closes={"A": [10.0, 10.0, 10.0, 10.0], "B": [10.0, 10.0, 1.0, 1.0]},
        weights={"x": {"A": [0.5] * 4, "B": [0.5] * 4}, "y": {"A": [-0.5] * 4}},
        limits=RiskLimits(drawdown_halt=0.2),
    )
    run = replay.run(scripted_session(script))
    assert [c.parts for c in run.decisions[2].crosses] == [(-500, 500)]
    assert run.journal.model_lots[-1].tolist() == [[0, 0], [0, 0]]


@settings(max_examples=80)
@given(st.integers(0, 10**9))
def test_a_halted_book_only_flattens_and_never_churns(seed: int) -> None:
    played = play_live(wild_session(seed))
    flattening = set[str]()
    for entry in played.entries:
        for event in entry.events:
            if event.kind is not FillKind.CANCELLED:
                flattening.discard(event.symbol)
        if entry.decision.halted:
            for order in entry.decision.orders:
                assert order.symbol not in flattening
                assert order.lots == -entry.positions[order.symbol]
                flattening.add(order.symbol)


def test_a_daily_loss_lets_orders_reduce_and_nothing_grow() -> None:
    limits = RiskLimits(daily_loss=0.05)
    script = Script(
        closes={"A": [10.0, 10.0, 9.0, 9.0], "B": [10.0] * 4, "C": [10.0] * 4},
        weights={
            "model": {
                "A": [0.6, 0.6, 0.3, 0.3],
                "B": [0.0, 0.0, 0.3, 0.3],
                "C": [0.2, 0.2, -0.2, -0.2],
            }
        },
        limits=limits,
    )
    run = replay.run(scripted_session(script))
    decision = run.decisions[2]
    assert decision.reduce_only
    assert [s.outcome for s in decision.symbols] == [
        Outcome.ORDERED,
        Outcome.REDUCE_ONLY,
        Outcome.ORDERED,
    ]
    assert lots_of(run)[2] == [("A", -287), ("C", -200)]  # C stops at zero


@pytest.mark.parametrize(("close", "reduce_only"), [(9.51, False), (9.5, True)])
def test_the_daily_loss_bites_at_its_limit(close: float, reduce_only: bool) -> None:
    limits = RiskLimits(daily_loss=0.05)
    run = replay.run(one_symbol([10.0, 10.0, close], [1.0] * 3, limits=limits))
    assert run.decisions[-1].reduce_only == reduce_only


def test_a_daily_loss_that_is_won_back_still_ends_the_days_risk() -> None:
    limits = RiskLimits(daily_loss=0.05)
    closes = [10.0, 10.0, 9.0, 10.0, 10.0]
    run = replay.run(one_symbol(closes, [1.0] * 5, limits=limits))
    assert [d.reduce_only for d in run.decisions] == [False, False, True, True, True]


def test_a_daily_loss_ends_with_the_utc_date() -> None:
    closes = [10.0] * 20 + [9.0] * 8
    limits = RiskLimits(daily_loss=0.05)
    run = replay.run(one_symbol(closes, [1.0] * 28, limits=limits))
    assert [d.reduce_only for d in run.decisions] == [False] * 20 + [True] * 4 + [False] * 4


def test_a_daily_loss_that_is_not_configured_never_bites() -> None:
    closes = [10.0, 10.0, 30.0] + [30.0] * DAY + [11.0, 11.0]
    weights = [-1.0] * len(closes)
    run = replay.run(one_symbol(closes, weights, costs=Costs(0.0, 0.0)))
    assert min(d.equity for d in run.decisions) < 0
    assert not any(d.reduce_only for d in run.decisions)


def test_a_book_without_equity_orders_nothing_and_says_so() -> None:
    run = replay.run(one_symbol([10.0, 10.0, 30.0, 30.0], [-1.0] * 4))
    assert run.decisions[2].equity < 0
    assert run.decisions[2].orders == ()
    assert outcomes(run)[2] is Outcome.NO_EQUITY
