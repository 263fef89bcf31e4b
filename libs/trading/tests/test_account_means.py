"""The bounds that execution and ledger hold a decision against refuse no honest one."""

from dataclasses import replace

import pytest

from stratvector.trading import replay
from stratvector.trading.meaning.means import AccountMeans
from stratvector.trading.meaning.orders import check_decision, check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.session import Session
from stratvector.trading.unfit import Absurd
from tests.sessions.generated_sessions import generated_session


def orders_of(session: Session, lots_times: int = 1) -> int:
    """Walk a session's decisions with the fills and bars that lead to them; orders that passed."""
    portfolio, outcome = session.portfolio, replay.run(session)
    means, own, passed = AccountMeans(portfolio), Own.of(portfolio), 0
    for index, decision in enumerate(outcome.decisions):
        for event in [e for e in outcome.events if e.known_time == decision.close_time and e.lots]:
            means.settle(event)
        for universe in session.schedule.universes_at(index):
            history = session.histories[universe]
            row = history.bars.at(decision.close_time)
            timeframe = portfolio.universe(universe).timeframe
            means.observe(history.bars.closed(row, universe=universe, timeframe=timeframe))
        check_decision(decision)
        check_decision_of(decision, own)
        raised = [replace(o, lots=o.lots * lots_times) for o in decision.orders]
        means.check(decision, raised)
        passed += len(raised)
    return passed


@pytest.mark.parametrize("seed", range(30))
def test_no_decision_of_the_engine_is_beyond_means(seed: int) -> None:
    orders_of(generated_session(seed))


def test_thousandfold_lots_are() -> None:
    assert orders_of(generated_session(0)) > 0
    with pytest.raises(Absurd, match="the account's means allow"):
        orders_of(generated_session(0), lots_times=1_000)
