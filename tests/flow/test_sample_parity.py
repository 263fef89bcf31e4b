"""The sample portfolio: two years of real bars through both drivers, equal to the last bit."""

from pathlib import Path

from stratvector.config import load_session
from stratvector.trading.engine.state import MICRO
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.simulated_flow import breaches_of, run_flow

CONFIG = Path(__file__).parents[2] / "config" / "system.yaml"
TIE_OUT = 1 / MICRO


def test_the_sample_session_is_equal_in_the_backtest_and_in_the_services() -> None:
    session = load_session(CONFIG)
    flow = run_flow(session)
    assert_equal_to_backtest(session, flow)
    assert breaches_of(flow) == []
    for entry in flow.entries:
        assert abs(float(entry.equity) - entry.decision.equity) <= TIE_OUT
        assert sum(model.equity for model in entry.models) == (
            entry.equity - session.portfolio.initial_cash
        )
