"""One engine: the compiled backtest and the five services give the same session to the last bit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import run_flow


@given(
    seed=st.integers(0, 2**32 - 1),
    universes=st.integers(2, 3),
    symbols=st.integers(1, 4),
    models=st.integers(1, 4),
)
@settings(max_examples=40)
def test_services_and_backtest_agree_on_generated_portfolios(
    seed: int, universes: int, symbols: int, models: int
) -> None:
    session = generated_session(seed, Shape(universes, symbols, models, closes=25))
    assert_equal_to_backtest(session, run_flow(session))


def test_the_generated_portfolios_meet_every_case() -> None:
    """Ties, gaps, crosses, halts and cancels all occur, or the test above is empty."""
    ties = gaps = crosses = cancels = halts = expiries = 0
    for seed in range(60):
        session = generated_session(seed, Shape(3, 2, 4))
        outcome = replay.run(session)
        ties += int((session.schedule.closes.sum(axis=1) > 1).sum())
        gaps += int((np.isnan(session.market.close) & session.market.closing).sum())
        crosses += sum(len(d.crosses) for d in outcome.decisions)
        cancels += sum(len(d.cancels) for d in outcome.decisions)
        halts += sum(d.halted for d in outcome.decisions)
        expiries += int((outcome.journal.expired != 0).sum())
    assert min(ties, gaps, crosses, cancels, halts, expiries) > 0


def test_a_second_run_writes_the_same_log() -> None:
    session = generated_session(11)
    assert run_flow(session).world.trace_hash() == run_flow(session).world.trace_hash()
