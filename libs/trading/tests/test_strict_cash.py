"""`cash: strict`: cash never goes below zero, whatever prices do after a decision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.portfolio import Costs, RiskLimits
from stratvector.trading.reasons import Outcome
from stratvector.trading.session import Session
from tests.sessions.cap_breaches import cap_breaches
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import Script, one_symbol, scripted_session

COSTS = Costs(commission=0.001, slippage=0.0005)
STRICT = RiskLimits(cash="strict", cash_collar=0.05)


def cash_of(session: Session) -> list[float]:
    """After every close, by the backtest; the risk service's account repeats its decisions."""
    outcome = replay.run(session)
    assert [d.orders for d in play_live(session).decisions] == [d.orders for d in outcome.decisions]
    assert cap_breaches(session, outcome.decisions, outcome.events) == []
    return [float(cash) for cash in outcome.journal.cash]


def ordered(session: Session) -> list[int]:
    return [sum(o.lots for o in d.orders) for d in replay.run(session).decisions]


def gap(to: float, limits: RiskLimits) -> Session:
    """All in at 10.00; the next bar opens at `to`."""
    opens = {"A": [10.0, to, to, to]}
    return one_symbol([10.0, to, to, to], [1.0] * 4, opens=opens, limits=limits, costs=COSTS)


def test_a_gap_borrows_on_margin_and_not_under_strict() -> None:
    assert min(cash_of(gap(15.0, RiskLimits(gross=1.0)))) < -4_000
    assert min(cash_of(gap(15.0, STRICT))) >= 0


def test_a_buy_is_ordered_as_far_as_cash_pays_for_its_collar() -> None:
    session = one_symbol([10.0] * 4, [1.0] * 4, limits=STRICT, costs=COSTS)
    lots = ordered(session)
    assert lots[0] == int(10_000 / (10.0 * 1.05 * 1.001))
    assert sum(lots) * 10 < 10_000 < (sum(lots) + 10) * 10  # the rest follows, close by close
    assert min(cash_of(session)) >= 0


def test_a_buy_above_its_collar_expires_and_is_planned_anew() -> None:
    session = gap(10.6, STRICT)
    outcome = replay.run(session)
    assert outcome.journal.expired[1, 0] == outcome.decisions[0].orders[0].lots
    assert outcome.journal.fill_lots[1, 0] == 0
    assert outcome.journal.fill_lots[2, 0] == outcome.decisions[1].orders[0].lots > 0
    within = replay.run(gap(10.49, STRICT))
    assert within.journal.fill_lots[1, 0] == within.decisions[0].orders[0].lots


def test_a_sale_has_no_collar() -> None:
    outcome = replay.run(one_symbol([10.0, 10.0, 10.0, 5.0], [1.0, 1.0, 0.0, 0.0], limits=STRICT))
    assert outcome.journal.fill_lots[3, 0] < 0


def test_proceeds_of_a_sale_are_spent_once_it_is_filled() -> None:
    script = Script(
        closes={"A": [10.0] * 5, "B": [10.0] * 5},
        weights={"model": {"A": [1.0, 1.0, 0.0, 0.0, 0.0], "B": [0.0, 0.0, 1.0, 1.0, 1.0]}},
        limits=STRICT,
        costs=COSTS,
    )
    session = scripted_session(script)
    decisions = replay.run(session).decisions
    switch, after = decisions[2], decisions[3]
    assert {o.symbol: o.lots > 0 for o in switch.orders} in ({"A": False}, {"A": False, "B": True})
    bought = sum(o.lots for o in switch.orders if o.symbol == "B")
    assert bought < 60  # of what was left, not of what A will bring
    assert {o.symbol for o in after.orders} == {"B"}
    assert sum(o.lots for o in after.orders) > 800
    assert min(cash_of(session)) >= 0


def test_buys_are_cut_alike() -> None:
    script = Script(
        closes={name: [10.0] * 2 for name in "ABCD"},
        weights={"model": {name: [0.25] * 2 for name in "ABCD"}},
        limits=STRICT,
        costs=COSTS,
    )
    first = replay.run(scripted_session(script)).decisions[0]
    assert {o.lots for o in first.orders} == {int(250 / 1.05 / 1.001)}


def test_what_no_cash_is_left_for_is_denied_with_a_reason() -> None:
    script = Script(
        closes={"A": [10.0] * 3, "B": [9_000.0] * 3},
        weights={"model": {"A": [0.5] * 3, "B": [0.0, 0.9, 0.9]}},
        limits=STRICT,
    )
    rows = replay.run(scripted_session(script)).decisions[1].symbols
    assert [row.outcome for row in rows][1] is Outcome.NO_CASH


def test_proceeds_of_a_short_are_not_spent() -> None:
    script = Script(
        closes={"A": [10.0] * 5, "B": [10.0] * 5},
        weights={"model": {"A": [-1.0] * 5, "B": [0.0, 0.0, 1.0, 1.0, 1.0]}},
        limits=STRICT,
    )
    session = scripted_session(script)
    assert ordered(session)[2] == 904  # 20,000 are there, 10,500 would buy A back
    assert min(cash_of(session)) >= 0


def test_a_halted_short_is_bought_back_as_far_as_cash_lasts() -> None:
    limits = RiskLimits(cash="strict", cash_collar=0.05, drawdown_halt=0.2)
    closes = [10.0, 10.0, 35.0, 35.0, 35.0]
    session = one_symbol(closes, [-1.0] * 5, limits=limits, costs=COSTS)
    cash = cash_of(session)
    assert min(cash) >= 0
    assert cash[-1] < cash[1]


@pytest.mark.parametrize(("key", "value"), [("cash", "strct"), ("cash_collar", 0.0)])
def test_another_rule_for_cash_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"risk limit {key} is "):
        RiskLimits(**{key: value})  # type: ignore[arg-type]


wish = st.sampled_from([-1.0, -0.3, 0.0, 0.4, 1.0, 2.0])
weights = st.lists(st.lists(wish, min_size=8, max_size=8), min_size=3, max_size=3)


@settings(max_examples=60)
@given(
    weights,
    st.integers(0, 2**31),
    st.sampled_from([0.01, 0.05, 0.3]),
    st.sampled_from(["1", "0.001", "7"]),
    st.sampled_from([0.002, 0.05, 0.4]),
)
def test_cash_is_never_below_zero(
    wishes: list[list[float]], seed: int, collar: float, lot: str, jump: float
) -> None:
    random = np.random.default_rng(seed)
    walk = np.exp(np.cumsum(random.normal(0, jump, (8, 3)), axis=0))
    closes = np.maximum(0.01, (20.0 * walk).round(2))
    opens = np.maximum(0.01, (closes * np.exp(random.normal(0, jump, (8, 3)))).round(2))
    names = ("A", "B", "C")
    slow = ("C",) if seed % 2 else ()
    tables = {"model": {n: wishes[i] for i, n in enumerate(names) if n not in slow}}
    if slow:
        tables["other"] = {"C": wishes[2]}
    script = Script(
        closes={n: closes[:, i].tolist() for i, n in enumerate(names)},
        opens={n: opens[:, i].tolist() for i, n in enumerate(names)},
        weights=tables,
        limits=RiskLimits(cash="strict", cash_collar=collar, drawdown_halt=0.5),
        costs=COSTS,
        lot_size=lot,
        slow=slow,
    )
    session = scripted_session(script)
    assert min(cash_of(session)) >= 0
    assert min(entry.cash for entry in play_live(session).entries) >= 0
