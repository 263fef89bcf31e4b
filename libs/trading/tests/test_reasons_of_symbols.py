"""Every planned symbol ends as an order or with one reason; the drivers give the same ones."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.engine.journal import Journal, new_journal
from stratvector.trading.engine.session import indices, run_recorded
from stratvector.trading.engine.state import STAGES, new_book, new_plan
from stratvector.trading.engine_rules import cash_of, groups_of, rules_of
from stratvector.trading.fills import FillKind
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import Outcome
from stratvector.trading.session import Session
from stratvector.trading.signals import Signals
from stratvector.trading.unfit import OtherRows, StrayExecution
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import Script, one_symbol, scripted_session
from tests.sessions.wild_sessions import wild_session


def journal_of(session: Session, restricted: frozenset[str]) -> Journal:
    """What a run with restricted symbols records."""
    rules = rules_of(session.portfolio, restricted)
    closes, models, symbols = session.weights.shape
    book = new_book(symbols, models, *cash_of(session.portfolio))
    plan = new_plan(symbols, models, groups_of(rules), np.zeros((STAGES, symbols)))
    journal, ones = new_journal(closes, symbols, models), np.ones((closes, models))
    axes = (indices(symbols), indices(models))
    run_recorded(
        0, closes, session.market, session.weights, ones, book, rules, plan, journal, *axes
    )
    return journal


def test_a_restricted_symbol_is_not_traded_and_others_are() -> None:
    script = Script({"A": [10.0] * 3, "B": [10.0] * 3}, {"m": {"A": [0.4] * 3, "B": [0.4] * 3}})
    journal = journal_of(scripted_session(script), frozenset("A"))
    assert {Outcome(code) for code in journal.outcome[:, 0].tolist()} == {Outcome.RESTRICTED}
    assert journal.fill_lots.tolist() == [[0, 0], [0, 400], [0, 0]]


def test_a_run_without_restricted_symbols_is_what_replay_gives() -> None:
    session = wild_session(11)
    for name, array in replay.run(session).journal._asdict().items():
        assert (array == getattr(journal_of(session, frozenset()), name)).all(), name


def test_a_symbol_whose_bar_is_missing_is_stale() -> None:
    decisions = replay.run(one_symbol([10.0, None], [0.5, 0.5])).decisions
    assert [d.symbols[0].outcome for d in decisions] == [Outcome.ORDERED, Outcome.STALE]
    assert decisions[1].symbols[0].stages == ()


def test_a_symbol_that_never_had_a_price_has_none_to_flatten_at() -> None:
    script = Script(
        closes={"A": [10.0, 10.0, 1.0, 1.0], "B": [None] * 4},
        weights={"model": {"A": [1.0] * 4, "B": [0.0] * 4}},
        limits=RiskLimits(drawdown_halt=0.5),
    )
    halt = replay.run(scripted_session(script)).decisions[2]
    assert halt.halted
    assert [s.outcome for s in halt.symbols] == [Outcome.ORDERED, Outcome.NO_PRICE]


def test_a_target_that_does_not_fit_in_whole_lots_is_denied() -> None:
    session = one_symbol([0.01] * 2, [1e8] * 2, cash=10**9, lot_size="0.00000001")
    (symbol,) = replay.run(session).decisions[0].symbols
    assert symbol.outcome is Outcome.TOO_LARGE


def test_a_target_that_is_reached_changes_nothing() -> None:
    decisions = replay.run(one_symbol([10.0] * 3, [0.5] * 3)).decisions
    assert [d.symbols[0].outcome for d in decisions[1:]] == [Outcome.NO_CHANGE] * 2


def test_a_symbol_that_does_not_close_has_no_reason() -> None:
    weights = {"model": {"A": [0.5] * 2}}
    script = Script({"A": [10.0] * 2, "S": [10.0] * 2}, weights, slow=("S",))
    decisions = replay.run(scripted_session(script)).decisions
    assert [[s.symbol for s in d.symbols] for d in decisions] == [["A", "S"], ["A"]]


@settings(max_examples=80)
@given(st.integers(0, 10**9), st.booleans())
def test_backtest_and_live_parts_decide_and_fill_alike(seed: int, wild: bool) -> None:
    shape = Shape(universes=3, closes=20)
    session = wild_session(seed) if wild else generated_session(seed, shape)
    outcome, played = replay.run(session), play_live(session)
    assert repr(played.decisions) == repr(outcome.decisions)
    kinds = (FillKind.FILLED, FillKind.EXPIRED)
    assert tuple(e for e in played.events if e.kind in kinds) == outcome.events


@settings(max_examples=60)
@given(st.integers(0, 10**9))
def test_an_order_and_its_reason_go_together(seed: int) -> None:
    for decision in replay.run(wild_session(seed)).decisions:
        said = {s.symbol for s in decision.symbols if s.outcome is Outcome.ORDERED}
        assert said == {order.symbol for order in decision.orders}


def test_the_wild_sessions_meet_every_reason(say: Callable[[str], None]) -> None:
    met = Counter[Outcome]()
    for seed in range(400):
        for decision in replay.run(wild_session(seed)).decisions:
            met.update(symbol.outcome for symbol in decision.symbols)
    say(f"wild sessions: {', '.join(f'{o.name} {n}' for o, n in sorted(met.items()))}")
    from_a_seed = set(Outcome) - {Outcome.NOT_PLANNED, Outcome.RESTRICTED}
    assert from_a_seed - set(met) <= {Outcome.TOO_LARGE, Outcome.NO_ROOM, Outcome.NO_PRICE}


def test_an_execution_of_an_order_that_is_not_working_is_refused() -> None:
    played = play_live(one_symbol([10.0] * 2, [0.5] * 2))
    with pytest.raises(StrayExecution, match=r"belongs to order .*, which is not working"):
        played.account.settle(played.events[0])
    with pytest.raises(StrayExecution, match="of nothing that we trade belongs to order"):
        played.account.settle(replace(played.events[0], symbol="nothing that we trade"))


def test_signals_of_other_symbols_are_refused() -> None:
    session = one_symbol([10.0] * 2, [0.5] * 2)
    account = PortfolioAccount(session.portfolio)
    close_time = int(session.schedule.close_times[0])
    (model,) = session.portfolio.model_names
    other = Signals("scripted", model, "1.0.0", close_time, (), (), "bars-id")
    with pytest.raises(OtherRows, match=f"signals of {model} must have rows of A; they have none"):
        account.observe(close_time, [], {model: other})


def test_what_a_working_order_reserves_is_released_by_its_end() -> None:
    played = play_live(one_symbol([10.0, None], [0.5, 0.5]))
    assert (played.account.working, played.account.reserved_lots) == ({}, {})
    played = play_live(one_symbol([10.0, 10.0, 10.0], [0.5, 0.5, 0.7]))
    assert played.account.reserved_lots == {"A": 200}
    assert played.account.positions == {"A": 500}
    assert list(played.account.working) == ["A"]
