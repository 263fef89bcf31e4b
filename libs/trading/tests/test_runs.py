"""A run's name, and which subjects and ids a portfolio has in it."""

from dataclasses import replace

import pytest

from stratvector.trading import lanes
from stratvector.trading.identity import order_id
from stratvector.trading.runs import bars_run, check_run
from tests.sessions.generated_sessions import generated_session

PORTFOLIO = generated_session(1).portfolio


@pytest.mark.parametrize("run", ["live.1", "paper.2", "shadow.a_b-c", "replay.4f27e6dc"])
def test_two_tokens_that_begin_with_a_mode_are_a_run(run: str) -> None:
    check_run(run)
    assert replace(PORTFOLIO, run=run).run == run


@pytest.mark.parametrize(
    ("run", "rule"),
    [
        ("", "it must begin with live, paper, shadow or replay"),
        ("backtest.1", "it must begin with live, paper, shadow or replay"),
        ("live", "after live. come 1 to 32"),
        ("live.", "after live. come 1 to 32"),
        ("live.1.2", "after live. come 1 to 32"),
        ("live.*", "after live. come 1 to 32"),
        ("live.>", "after live. come 1 to 32"),
        ("live.a b", "after live. come 1 to 32"),
        ("replay." + "f" * 33, "after replay. come 1 to 32"),
    ],
)
def test_anything_else_is_refused_with_the_rule(run: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        replace(PORTFOLIO, run=run)


def test_what_goes_with_a_live_market_reads_one_feed_and_a_replay_its_own() -> None:
    assert {bars_run(f"{mode}.7") for mode in ("live", "paper", "shadow")} == {"live.1"}
    assert bars_run("replay.7") == "replay.7"


def test_two_runs_of_one_portfolio_share_no_lane_but_the_feed_and_no_order_id() -> None:
    paper, live = (replace(PORTFOLIO, run=run) for run in ("paper.1", "live.1"))
    universe, model = PORTFOLIO.universes[0], PORTFOLIO.model_names[0]
    (account,) = PORTFOLIO.account_names
    of = (lanes.chapters_lane, lanes.orders_lane, lanes.positions_lane)
    assert not {lane(paper) for lane in of} & {lane(live) for lane in of}
    assert lanes.fills_lane(paper, account) != lanes.fills_lane(live, account)
    assert lanes.signals_lane(paper, model) != lanes.signals_lane(live, model)
    assert lanes.bars_lane(paper, universe) == lanes.bars_lane(live, universe)
    ids = {order_id(one.run, one.name, account, "A", 1) for one in (paper, live)}
    assert len(ids) == 2
