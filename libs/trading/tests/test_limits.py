"""Each limit on both sides of its cap, what the stages record, and what held symbols take away."""

from typing import Any

import pytest

from stratvector.trading import replay
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import Outcome, Stage
from tests.sessions.scripted_sessions import Script, one_symbol, scripted_session


def first_decision(weights: dict[str, float], **script: object) -> Decision:
    """The first decision of one model over symbols at a price of 10, from 10,000 in cash."""
    closes = {s: [10.0] * 3 for s in weights}
    table = {"model": {s: [w] * 3 for s, w in weights.items()}}
    return replay.run(scripted_session(Script(closes, table, **script))).decisions[0]  # type: ignore[arg-type]


def ordered(decision: Decision) -> dict[str, int]:
    return {order.symbol: order.lots for order in decision.orders}


def exposures(decision: Decision, stage: Stage) -> list[float]:
    return [round(symbol.stages[stage], 12) for symbol in decision.symbols]


@pytest.mark.parametrize(("cap", "lots"), [(0.49, 490), (0.5, 500), (0.51, 500)])
@pytest.mark.parametrize("limit", ["position", "symbol", "asset", "invested", "gross"])
def test_a_wish_above_a_cap_is_cut_to_it_and_one_below_is_left_alone(
    limit: str, cap: float, lots: int
) -> None:
    capped: dict[str, Any] = {limit: cap}
    limits = RiskLimits(**capped)
    assert ordered(first_decision({"A": 0.5}, limits=limits)) == {"A": lots}


@pytest.mark.parametrize("limit", ["position", "symbol", "asset", "gross"])
def test_a_cap_binds_a_short_as_it_binds_a_long(limit: str) -> None:
    capped: dict[str, Any] = {limit: 0.3}
    limits = RiskLimits(**capped)
    assert ordered(first_decision({"A": -0.5}, limits=limits)) == {"A": -300}


@pytest.mark.parametrize(("cap", "lots"), [(4_900.0, 490), (5_000.0, 500), (5_100.0, 500)])
def test_the_capital_cap_is_an_amount_of_the_base_currency(cap: float, lots: int) -> None:
    assert ordered(first_decision({"A": 0.5}, limits=RiskLimits(capital=cap))) == {"A": lots}


def test_the_position_cap_binds_each_model_and_the_symbol_cap_all_of_them() -> None:
    weights = {"x": {"A": [0.5] * 2}, "y": {"A": [0.1] * 2}}
    limits = RiskLimits(position=0.3, symbol=0.3605)
    outcome = replay.run(scripted_session(Script({"A": [10.0] * 2}, weights, limits=limits)))
    decision = outcome.decisions[0]
    assert exposures(decision, Stage.NETTED) == [0.4]
    assert exposures(decision, Stage.SYMBOL) == [0.3605]
    assert [o.parts for o in decision.orders] == [(270, 90)]  # a cut is pro rata over the models


def test_the_symbol_cap_binds_the_net_over_the_models() -> None:
    weights = {"x": {"A": [0.8] * 2}, "y": {"A": [-0.5] * 2}}
    limits = RiskLimits(symbol=0.3005)
    outcome = replay.run(scripted_session(Script({"A": [10.0] * 2}, weights, limits=limits)))
    assert ordered(outcome.decisions[0]) == {"A": 300}


def test_the_asset_cap_binds_all_symbols_of_an_asset_together() -> None:
    decision = first_decision(
        {"A": 0.4, "B": -0.2, "C": 0.3},
        assets={"A": "gold", "B": "gold"},
        limits=RiskLimits(asset=0.3005),
    )
    assert ordered(decision) == {"A": 200, "B": -100, "C": 300}


def test_a_class_cap_binds_its_class_and_no_other() -> None:
    decision = first_decision(
        {"A": 0.4, "B": 0.4, "C": 0.9},
        classes={"A": "crypto", "B": "crypto"},
        limits=RiskLimits(class_caps={"crypto": 0.2}),
    )
    assert ordered(decision) == {"A": 100, "B": 100, "C": 900}


def test_the_invested_cap_scales_longs_and_leaves_shorts_alone() -> None:
    decision = first_decision({"A": 0.6, "B": 0.2, "C": -0.5}, limits=RiskLimits(invested=0.4))
    assert ordered(decision) == {"A": 300, "B": 100, "C": -500}


def test_the_gross_cap_scales_longs_and_shorts_alike() -> None:
    decision = first_decision({"A": 0.6, "B": -0.6}, limits=RiskLimits(gross=0.6))
    assert ordered(decision) == {"A": 300, "B": -300}


def test_budgets_scale_the_models_wishes() -> None:
    decision = first_decision({"A": 0.8}, budgets={"model": 0.25})
    assert exposures(decision, Stage.NETTED) == [0.2]
    assert ordered(decision) == {"A": 200}


def test_every_stage_records_the_exposure_that_it_leaves() -> None:
    limits = RiskLimits(
        position=0.9,
        symbol=0.9,
        asset=0.95,
        class_caps={"crypto": 0.8},
        invested=0.7,
        gross=0.6,
        capital=5_000,
    )
    (symbol,) = first_decision({"A": 1.0}, classes={"A": "crypto"}, limits=limits).symbols
    assert symbol.stages == pytest.approx((0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.5, 0.5), abs=1e-12)
    assert len(symbol.stages) == len(Stage)
    assert symbol.target_lots == 500


def test_a_held_symbol_takes_room_from_the_others_at_its_last_mark() -> None:
    script = Script(
        closes={"A": [10.0, 15.0, 10.0, 10.0], "S": [10.0, 10.0, 20.0, 20.0]},
        weights={"x": {"A": [0.0, 0.0, 0.0, 1.0]}, "y": {"S": [0.4] * 4}},
        opens={"S": [10.0, 10.0, 10.0, 20.0]},
        limits=RiskLimits(gross=0.9),
        slow=("S",),
    )
    decision = replay.run(scripted_session(script)).decisions[3]
    # S fell out of the plan: 400 lots at 20 and an order of -120 of 14,000 that is not filled yet
    held = (400 - 120) * 20 / 14_000
    assert ordered(decision) == {"A": int((0.9 - held) * 14_000 / 10)}
    assert [(s.symbol, s.outcome) for s in decision.symbols] == [("A", Outcome.ORDERED)]


def test_a_symbol_without_a_bar_keeps_what_it_holds_and_takes_room() -> None:
    script = Script(
        closes={"A": [10.0, 10.0, None], "B": [10.0, 10.0, 10.0]},
        weights={"model": {"A": [0.5, 0.5, 0.0], "B": [0.0, 0.0, 1.0]}},
        limits=RiskLimits(gross=0.8),
    )
    decision = replay.run(scripted_session(script)).decisions[2]
    assert [s.outcome for s in decision.symbols] == [Outcome.STALE, Outcome.ORDERED]
    assert ordered(decision) == {"B": 300}


def test_a_passive_breach_may_only_shrink() -> None:
    limits = RiskLimits(symbol=0.5)
    session = one_symbol([10.0, 10.0, 40.0, 40.0], [0.5] * 4, limits=limits)
    lots = [order.lots for d in replay.run(session).decisions for order in d.orders]
    assert lots == [500, -188]  # 500 x 40 of 25,000 is 0.8; back to 312 x 40 = 0.4992


@pytest.mark.parametrize(("wish", "outcome"), [(0.526, "BELOW_BAND"), (0.527, "ORDERED")])
def test_a_change_inside_the_rebalance_band_is_not_traded(wish: float, outcome: str) -> None:
    limits = RiskLimits(rebalance_band=0.05)  # 26 of 526 lots are less, 27 of 527 are more
    session = one_symbol([10.0] * 3, [0.5, wish, wish], limits=limits)
    decision = replay.run(session).decisions[1]
    assert [s.outcome for s in decision.symbols] == [Outcome[outcome]]
    assert bool(decision.orders) == (outcome == "ORDERED")


def test_what_the_band_holds_back_takes_room_from_the_others() -> None:
    script = Script(
        closes={"A": [10.0] * 3, "B": [10.0] * 3},
        weights={"model": {"A": [0.5, 0.47, 0.47], "B": [0.0, 0.5, 0.5]}},
        limits=RiskLimits(gross=0.97, rebalance_band=0.1),
    )
    assert ordered(replay.run(scripted_session(script)).decisions[1]) == {"B": 470}


def test_an_order_for_which_no_room_is_left_is_denied_with_a_reason() -> None:
    script = Script(
        closes={"A": [10.0] * 3, "B": [10.0] * 3, "C": [10.0] * 3},
        weights={
            "model": {"A": [0.25, 0.21, 0.21], "B": [0.25, 0.21, 0.21], "C": [0.0, 0.07, 0.07]}
        },
        limits=RiskLimits(gross=0.5, rebalance_band=0.2),
    )
    decision = replay.run(scripted_session(script)).decisions[1]
    outcomes = [s.outcome for s in decision.symbols]
    assert outcomes == [Outcome.BELOW_BAND, Outcome.BELOW_BAND, Outcome.NO_ROOM]
    assert decision.orders == ()
