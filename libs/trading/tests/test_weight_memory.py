"""Weights that are missing, late or too early: what is kept, for how long, and with which
reason."""

import pytest

from stratvector.trading import replay
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.reasons import Outcome, WeightReason
from stratvector.trading.session import Session
from tests.sessions.scripted_sessions import NAN, START, Script, one_symbol, scripted_session

FRESH, KEPT, EXPIRED = WeightReason.FRESH, WeightReason.KEPT, WeightReason.EXPIRED


def targets(session: Session) -> list[int]:
    return [d.symbols[0].target_lots for d in replay.run(session).decisions]


def reasons(session: Session) -> list[WeightReason]:
    return [d.symbols[0].weight_reasons[0] for d in replay.run(session).decisions]


def test_an_unknown_weight_keeps_the_target_for_three_closes_and_then_it_is_zero() -> None:
    session = one_symbol([10.0] * 7, [0.5, NAN, NAN, NAN, NAN, NAN, 0.5])
    assert targets(session) == [500, 500, 500, 500, 0, 0, 500]
    assert reasons(session) == [FRESH, KEPT, KEPT, KEPT, EXPIRED, EXPIRED, FRESH]


def test_a_good_weight_starts_the_three_closes_anew() -> None:
    session = one_symbol([10.0] * 7, [0.5, NAN, NAN, 0.4, NAN, NAN, NAN])
    assert targets(session) == [500, 500, 500, 400, 400, 400, 400]


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")  # Python warns of inf - inf, numba does not
@pytest.mark.parametrize("weight", [float("inf"), float("-inf"), 1e12])
def test_an_absurd_weight_counts_as_unknown(weight: float) -> None:
    session = one_symbol([10.0] * 3, [0.5, weight, 0.5])
    assert targets(session) == [500, 500, 500]
    assert reasons(session) == [FRESH, KEPT, FRESH]


def test_a_model_that_warms_up_wants_nothing() -> None:
    session = scripted_session(Script({"A": [10.0] * 4}, {"model": {"A": [0.5] * 4}}, needs=3))
    assert targets(session) == [0, 0, 500, 500]
    assert session.scans["model"].weights[:, 0].tolist() == [0.0, 0.0, 0.5, 0.5]


def test_only_closes_of_the_models_universe_count_toward_the_three() -> None:
    weights = {"model": {"S": [0.5, 0.0] + [NAN] * 8}}
    script = Script({"A": [10.0] * 10, "S": [10.0] * 10}, weights, slow=("S",))
    decisions = replay.run(scripted_session(script)).decisions
    slow = [d.symbols[-1].target_lots for d in decisions[::2]]
    assert slow == [500, 500, 500, 500, 0]


def decided_late(closes: int) -> list[Decision]:
    """Decisions of a live account to which no signals come."""
    session = one_symbol([10.0] * closes, [0.5] * closes)
    account = PortfolioAccount(session.portfolio)
    bars, decisions = session.histories["fast"].bars, []
    (model,) = session.portfolio.model_names
    for row, close_time in enumerate(session.schedule.close_times.tolist()):
        closed = [bars.closed(row, "fast", "1H")]
        account.observe(close_time, closed, {model: None})
        decisions.append(account.decide(close_time, Cut()))
        account.place(decisions[-1])
    return decisions


def test_late_signals_count_as_unknown_weights() -> None:
    decisions = decided_late(5)
    assert decisions[0].close_time == START
    assert [d.symbols[0].weight_reasons[0] for d in decisions] == [
        KEPT,
        KEPT,
        KEPT,
        EXPIRED,
        EXPIRED,
    ]
    assert {d.symbols[0].outcome for d in decisions} == {Outcome.NO_CHANGE}
