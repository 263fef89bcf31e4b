"""No approved order raises an exposure above its cap, at decision prices, with all working orders
filled."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import Outcome
from tests.sessions.cap_breaches import cap_breaches
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.scripted_sessions import Script, one_symbol, scripted_session
from tests.sessions.wild_sessions import wild_session


@settings(max_examples=150)
@given(st.integers(0, 10**9))
def test_no_order_of_a_wild_session_raises_an_exposure_above_its_cap(seed: int) -> None:
    outcome = replay.run(wild_session(seed))
    assert cap_breaches(outcome.session, outcome.decisions, outcome.events) == []


@settings(max_examples=50)
@given(st.integers(0, 10**9), st.integers(1, 3), st.integers(1, 4))
def test_no_order_of_a_generated_session_raises_an_exposure_above_its_cap(
    seed: int, universes: int, symbols: int
) -> None:
    outcome = replay.run(generated_session(seed, Shape(universes=universes, symbols=symbols)))
    assert cap_breaches(outcome.session, outcome.decisions, outcome.events) == []


@pytest.mark.parametrize(
    "limits",
    [
        RiskLimits(symbol=0.4),
        RiskLimits(asset=0.4),
        RiskLimits(class_caps={"equity": 0.4}),
        RiskLimits(invested=0.4),
        RiskLimits(gross=0.4),
        RiskLimits(capital=4000),
    ],
    ids=lambda limits: next(
        name for name in vars(limits) if getattr(limits, name) not in (None, {}, 0.0)
    ),
)
def test_a_planted_order_above_a_cap_is_found(limits: RiskLimits) -> None:
    outcome = replay.run(one_symbol([10.0, 10.0], [1.0, 1.0], limits=limits))
    first, last = outcome.decisions
    (order,) = first.orders
    assert order.lots == 400
    assert cap_breaches(outcome.session, outcome.decisions, ()) == []
    planted = replace(first, orders=(replace(order, lots=401, parts=(401,)),))
    (breach,) = cap_breaches(outcome.session, (planted, last), ())
    assert "0.401000 > 0.400000, and A goes 0.0 -> 0.401" in breach


def test_a_planted_order_against_a_breaker_is_found() -> None:
    outcome = replay.run(one_symbol([10.0, 10.0], [1.0, 1.0]))
    first, last = outcome.decisions
    for planted in (replace(first, halted=True), replace(first, reduce_only=True)):
        assert len(cap_breaches(outcome.session, (planted, last), ())) == 1


def test_a_flip_from_short_to_long_leaves_room_for_a_long_that_the_band_held_back() -> None:
    session = scripted_session(
        Script(
            closes={"A": [10.0] * 4, "B": [10.0] * 4},
            weights={"model": {"A": [0.8, 0.8, 0.75, 0.75], "B": [-0.5, -0.5, 0.05, 0.05]}},
            limits=RiskLimits(invested=0.8, rebalance_band=0.1),
        )
    )
    outcome = replay.run(session)
    assert cap_breaches(session, outcome.decisions, outcome.events) == []
    flip = outcome.decisions[2]
    assert [s.outcome for s in flip.symbols] == [Outcome.BELOW_BAND, Outcome.ORDERED]
    assert [(o.symbol, o.lots) for o in flip.orders] == [("B", 500)]


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")  # Python warns of inf - inf, numba does not
@pytest.mark.parametrize("wish", [float("inf"), float("-inf"), 1e300, -1e308])
def test_an_absurd_weight_frees_no_other_symbol_from_its_caps(wish: float) -> None:
    session = scripted_session(
        Script(
            closes={"A": [10.0] * 3, "B": [10.0] * 3, "C": [10.0] * 3},
            weights={"model": {"A": [wish] * 3, "B": [0.4] * 3, "C": [0.4] * 3}},
            assets={"A": "gold", "B": "gold", "C": "gold"},
            limits=RiskLimits(symbol=0.5, asset=0.6),
        )
    )
    outcome = replay.run(session)
    assert cap_breaches(session, outcome.decisions, outcome.events) == []
