"""The band: a change must be worth a part of what the models want or hold, and a minimum order."""

from dataclasses import replace

import pytest

from stratvector.trading import replay
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import Outcome
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import Script, one_symbol, scripted_session


def decisions(script: Script) -> list[Decision]:
    """Of the backtest, which the risk service's account repeats."""
    session = scripted_session(script)
    made = list(replay.run(session).decisions)
    assert [d.orders for d in play_live(session).decisions] == [d.orders for d in made]
    return made


def lots(script: Script) -> list[list[int]]:
    return [[order.lots for order in d.orders] for d in decisions(script)]


def one(weights: list[float], limits: RiskLimits, closes: list[float] | None = None) -> Script:
    prices = closes or [10.0] * len(weights)
    return Script(closes={"A": prices}, weights={"model": {"A": weights}}, limits=limits)


def test_a_small_position_is_traded_and_a_large_one_is_not_for_the_same_change() -> None:
    limits = RiskLimits(rebalance_band=0.1)
    assert lots(one([0.02, 0.03, 0.03], limits)) == [[20], [10], []]
    assert lots(one([0.50, 0.51, 0.51], limits)) == [[500], [], []]


def test_the_band_is_a_part_of_the_larger_of_targets_and_holdings() -> None:
    limits = RiskLimits(rebalance_band=0.1)
    assert lots(one([0.50, 0.45, 0.45], limits)) == [[500], [-50], []]  # a tenth of 500, not less
    assert lots(one([0.50, 0.451, 0.451], limits)) == [[500], [], []]


def test_a_change_below_the_minimum_order_is_not_traded() -> None:
    limits = RiskLimits(minimum_order_notional=100.0)
    assert lots(one([0.009, 0.010, 0.019, 0.019], limits)) == [[], [10], [], []]


def test_an_exit_passes_the_band_and_the_minimum_order() -> None:
    limits = RiskLimits(rebalance_band=0.5, minimum_order_notional=100.0)
    closes = [10.0, 10.0, 1.0, 1.0]
    assert lots(one([0.01, 0.01, 0.0, 0.0], limits, closes)) == [[10], [], [-10], []]


def test_a_models_exit_passes_while_another_holds_more() -> None:
    script = Script(
        closes={"A": [10.0] * 4},
        weights={"small": {"A": [0.02, 0.0, 0.0, 0.0]}, "large": {"A": [0.5] * 4}},
        limits=RiskLimits(rebalance_band=0.2),
    )
    parts = [[order.parts for order in d.orders] for d in decisions(script)]
    assert parts == [[(20, 500)], [(-20, 0)], [], []]


@pytest.mark.parametrize("limits", [RiskLimits(symbol=0.5), RiskLimits(position=0.5)])
def test_a_cap_that_prices_alone_have_passed_may_stay_passed_by_less_than_the_band(
    limits: RiskLimits,
) -> None:
    # 500 lots at 10.4 of 10,200 are 51 %: ten lots are above the cap, a fiftieth of what is held
    prices = [10.0, 10.0, 10.4, 10.4]
    assert lots(one([0.8] * 4, replace(limits, rebalance_band=0.1), prices)) == [[500], [], [], []]
    assert lots(one([0.8] * 4, replace(limits, rebalance_band=0.01), prices))[2] == [-10]


def test_a_reduction_that_a_breaker_forces_passes_the_band_and_the_minimum_order() -> None:
    breaker = RiskLimits(drawdown_trigger=0.1, drawdown_halt=0.5, derisking_factor=0.95)
    limits = replace(breaker, rebalance_band=0.2, minimum_order_notional=1_000.0)
    # 1,000 lots at 8.5 are 8,500, 15 % below the peak: 95 % of them are wanted
    assert lots(one([1.0] * 4, limits, [10.0, 10.0, 8.5, 8.5])) == [[1_000], [], [-50], []]


def test_a_drift_that_no_cap_cuts_is_held_back() -> None:
    limits = RiskLimits(symbol=0.6, rebalance_band=0.1)
    assert lots(one([0.5] * 4, limits, [10.0, 10.0, 10.4, 10.4])) == [[500], [], [], []]


def test_models_cross_a_change_that_is_large_while_their_net_is_small() -> None:
    script = Script(
        closes={"A": [10.0] * 3},
        weights={"up": {"A": [0.3, 0.2, 0.2]}, "down": {"A": [0.2, 0.301, 0.301]}},
        limits=RiskLimits(rebalance_band=0.05),
    )
    second = decisions(script)[1]
    assert second.orders == ()
    assert [cross.parts for cross in second.crosses] == [(-100, 100)]
    assert [s.outcome for s in second.symbols] == [Outcome.BELOW_BAND]


def test_models_do_not_cross_a_change_that_is_small() -> None:
    script = Script(
        closes={"A": [10.0] * 3},
        weights={"up": {"A": [0.3, 0.295, 0.295]}, "down": {"A": [0.2, 0.205, 0.205]}},
        limits=RiskLimits(rebalance_band=0.05),
    )
    second = decisions(script)[1]
    assert (second.orders, second.crosses) == ((), ())
    assert [s.outcome for s in second.symbols] == [Outcome.NO_CHANGE]


def test_an_order_that_caps_cut_below_the_minimum_is_denied() -> None:
    script = Script(
        closes={"A": [10.0] * 3, "B": [10.0] * 3},
        weights={"model": {"A": [0.5, 0.47, 0.47], "B": [0.0, 0.03, 0.03]}},
        limits=RiskLimits(gross=0.503, rebalance_band=0.5, minimum_order_notional=50.0),
    )
    second = decisions(script)[1]
    assert second.orders == ()
    assert [s.outcome for s in second.symbols][1] is Outcome.NO_ROOM


def test_every_symbol_of_a_wide_universe_is_traded() -> None:
    names = [f"S{n}" for n in range(524)]
    script = Script(
        closes={name: [20.0, 20.0] for name in names},
        weights={"model": {name: [1 / 524, 1 / 524] for name in names}},
        limits=RiskLimits(gross=1.0, rebalance_band=0.02, minimum_order_notional=10.0),
        cash=100_000,
    )
    first = replay.run(scripted_session(script)).decisions[0]
    assert {order.lots for order in first.orders} == {9}
    assert len(first.orders) == 524


def test_the_former_band_is_refused_with_both_names_that_take_its_place() -> None:
    with pytest.raises(ValueError, match=r"no_trade_band .* rebalance_band .*minimum_order_no"):
        RiskLimits(no_trade_band=0.005)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rebalance_band", -0.1),
        ("rebalance_band", 1.0),
        ("rebalance_band", float("nan")),
        ("minimum_order_notional", -1.0),
        ("minimum_order_notional", float("inf")),
    ],
)
def test_a_band_that_could_not_be_meant_is_refused(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"risk limit {key} is "):
        RiskLimits(**{key: value})  # type: ignore[arg-type]


def test_without_a_band_every_lot_is_traded() -> None:
    outcome = replay.run(one_symbol([10.0] * 3, [0.5, 0.5001, 0.501]))
    assert [len(d.orders) for d in outcome.decisions] == [1, 0, 1]
