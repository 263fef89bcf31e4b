"""The price grid: what rounding means, what the bars decide, and what is refused."""

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.trading import replay
from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.engine.arithmetic import round_to_grid
from stratvector.trading.instruments import Instrument
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.price_grids import BadPriceGrid, price_grids
from stratvector.trading.session import Session
from tests.sessions.live_play import play_live
from tests.sessions.scripted_sessions import NAN, START, one_symbol


def bars_of(*closes: float) -> Bars:
    column = np.array([closes], dtype=np.float64).T
    times = START + np.arange(1, len(closes) + 1, dtype=np.int64) * 10**9
    return Bars(("A",), times, column, column, column, column, np.where(column > 0, 1e6, np.nan))


def derived(*closes: float) -> int | None:
    ((instrument,), _) = price_grids((Instrument("A", "A", "any"),), bars_of(*closes))
    return instrument.price_precision


def caveats_of(precision: int | None, *closes: float) -> tuple[Caveat, ...]:
    return price_grids((Instrument("A", "A", "any", precision),), bars_of(*closes))[1]


def test_a_product_that_is_a_half_as_a_decimal_rounds_to_even() -> None:
    assert 31.5 * 1.0005 < 31.51575
    assert round_to_grid(31.5 * 1.0005, 1e4) == 31.5158
    assert round_to_grid(-31.5 * 1.0005, 1e4) == -31.5158
    assert [round_to_grid(v, 1.0) for v in (0.5, 1.5, 2.5)] == [0.0, 2.0, 2.0]


@given(st.integers(1, 10**8), st.integers(0, 4), st.integers(0, 10**4), st.integers(0, 6))
def test_a_price_with_slippage_is_rounded_as_decimals_are(
    coefficient: int, scale: int, slippage: int, precision: int
) -> None:
    price, factor = Decimal(coefficient).scaleb(-scale), 1 + Decimal(slippage).scaleb(-6)
    exact = (price * factor).quantize(Decimal(1).scaleb(-precision), ROUND_HALF_EVEN)
    assert round_to_grid(float(price) * float(factor), 10.0**precision) == float(exact)


@given(st.integers(0, 10**15 - 1), st.integers(0, 12))
def test_a_price_of_fifteen_digits_stays_where_it_is(ticks: int, precision: int) -> None:
    price = float(Decimal(ticks).scaleb(-precision))
    assert round_to_grid(price, 10.0**precision) == price


@pytest.mark.parametrize(
    ("closes", "precision"),
    [
        ((101.0, 99.0), 0),
        ((101.25, 99.5, NAN), 2),
        ((1.4e-8, 1.5e-8), 9),
        ((0.0085, 0.00851), 5),
        ((100.0 / 3.0, 50.0), 12),
        ((1e8 / 3.0, 2e8), 6),  # nine digits before the point leave six
        ((1.25e-4 * 1e-6, 1e-6), 12),
    ],
)
def test_the_grid_is_the_largest_that_holds_every_price(
    closes: tuple[float, ...], precision: int
) -> None:
    assert derived(*closes) == precision


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=80), st.integers(0, 12))
def test_every_price_stands_on_its_derived_grid(ticks: list[int], precision: int) -> None:
    prices = [float(Decimal(n).scaleb(-precision)) for n in ticks]
    found = derived(*prices)
    assert found is not None
    assert found <= precision
    assert [float(round_to_grid(p, 10.0**found)) for p in prices] == prices
    if found:
        coarser = [float(round_to_grid(p, 10.0 ** (found - 1))) for p in prices]
        assert coarser != prices


def test_a_grid_that_moves_a_price_too_far_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        BadPriceGrid,
        match=r"^A: with 2 decimals \(price_precision\) the price 0.0085 becomes 0.01, but a price "
        r"may be moved by at most 0.0001 of itself; give 4, or leave price_precision out$",
    ):
        caveats_of(2, 100.0, 0.0085)
    with pytest.raises(BadPriceGrid, match="give its prices in a larger unit"):
        caveats_of(None, 1.23456e-10)
    with pytest.raises(BadPriceGrid, match="more than 15 significant digits; give at most 8"):
        caveats_of(12, 1_234_567.0)


def test_rounding_within_a_ten_thousandth_is_allowed() -> None:
    assert caveats_of(2, 333.333) == ()


def test_a_coarse_tick_that_the_data_obey_is_a_caveat() -> None:
    (caveat,) = caveats_of(None, 20.01, 0.05, 0.06)
    assert (caveat.code, caveat.subject, caveat.count) == ("coarse_price_grid", "A", 2)
    assert (caveat.first, caveat.last) == (START + 2 * 10**9, START + 3 * 10**9)
    assert "a tick of 0.01 is above a thousandth of the price at 2 of 3 closes" in str(caveat)


def test_positions_are_marked_on_the_grid_that_fills_are_on_by_every_driver() -> None:
    session = one_symbol([10.004, 10.004, 10.006], [1.0] * 3)
    outcome = replay.run(session)
    # 999 lots bought at 10.00: marked there too, nothing is earned until a cent is passed
    assert [d.equity for d in outcome.decisions] == [10_000.0, 10_000.0, 10_010.0]
    assert outcome.journal.fill_price[1, 0] == 10.0
    assert [d.equity for d in play_live(session).decisions] == [10_000.0, 10_000.0, 10_010.0]
    assert [entry_equity(session, outcome)] == [Decimal(10_010)]


def entry_equity(session: Session, outcome: replay.Outcome) -> Decimal:
    fold, (universe,) = LedgerFold(session.portfolio), session.portfolio.universes
    for decision in outcome.decisions:
        bars = session.histories[universe.name].bars
        section = bars.closed(bars.at(decision.close_time), universe.name, universe.timeframe)
        events = [e for e in outcome.events if e.known_time == decision.close_time]
        entry = fold.fold(events, [section], (), decision)
    return entry.equity


def test_a_session_without_a_price_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="A: price_precision must be given or derived"):
        one_symbol([10.0], [1.0], precision=None)
