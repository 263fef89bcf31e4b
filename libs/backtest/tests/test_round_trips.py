import math
import pickle
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.backtest.metrics import (
    FillSeries,
    FillsOutOfOrder,
    FillWithoutQuantity,
    OpenPosition,
    RoundTrip,
    SignedFill,
)
from stratvector.backtest.metrics import open_positions as open_positions_of
from stratvector.backtest.metrics import round_trips as round_trips_of

LOT = 0.1


def round_trips(fills: list[SignedFill]) -> list[RoundTrip]:
    return list(round_trips_of(FillSeries.of(fills)))


def open_positions(fills: list[SignedFill]) -> list[OpenPosition]:
    return open_positions_of(FillSeries.of(fills))


MARKS = {"AAPL": 123.0, "BTC": 45_678.9}

lots = st.integers(min_value=-50, max_value=50).filter(bool)
prices = st.floats(min_value=1.0, max_value=1e5)
sequences = st.lists(
    st.tuples(st.sampled_from(sorted(MARKS)), lots, prices, st.floats(0, 10), st.floats(0, 10)),
    max_size=40,
).map(
    lambda rows: [
        SignedFill(time, symbol, count * LOT, price, commission, slippage)
        for time, (symbol, count, price, commission, slippage) in enumerate(rows)
    ]
)


def fill(time: int, quantity: float, price: float, commission: float = 0.0) -> SignedFill:
    return SignedFill(time, "AAPL", quantity, price, commission, slippage_cost=commission / 2)


def test_a_purchase_and_its_sale_are_one_round_trip() -> None:
    (trip,) = round_trips([fill(1, 10, 100.0, 1.0), fill(5, -10, 110.0, 2.0)])
    assert (trip.symbol, trip.entry_time, trip.exit_time, trip.quantity) == ("AAPL", 1, 5, 10)
    assert (trip.entry_price, trip.exit_price) == (100.0, 110.0)
    assert (trip.commission, trip.slippage_cost, trip.profit) == (3.0, 1.5, 97.0)
    assert trip.return_fraction == pytest.approx(0.097)


def test_a_short_round_trip_gains_when_the_price_falls() -> None:
    (trip,) = round_trips([fill(1, -10, 100.0), fill(2, 10, 90.0)])
    assert (trip.quantity, trip.entry_price, trip.exit_price) == (-10, 100.0, 90.0)
    assert trip.profit == 100.0
    assert trip.return_fraction == pytest.approx(0.1)


def test_adding_and_closing_in_parts_belong_to_one_round_trip() -> None:
    fills = [fill(1, 10, 100.0), fill(2, -5, 120.0), fill(3, 5, 110.0), fill(4, -10, 130.0)]
    (trip,) = round_trips(fills)
    assert trip.quantity == 15
    assert trip.entry_price == pytest.approx(1550 / 15)
    assert trip.exit_price == pytest.approx(1900 / 15)
    assert trip.profit == 350.0


def test_a_fill_through_zero_closes_one_and_opens_another() -> None:
    fills = [fill(1, 10, 100.0), fill(2, -30, 110.0, 3.0), fill(3, 20, 105.0)]
    first, second = round_trips(fills)
    assert (first.quantity, first.exit_time, first.commission, first.profit) == (10, 2, 1.0, 99.0)
    assert (second.quantity, second.entry_time, second.commission) == (-20, 2, 2.0)
    assert second.profit == 98.0
    assert first.slippage_cost + second.slippage_cost == 1.5


def test_an_open_position_is_no_round_trip_and_keeps_its_average_cost() -> None:
    fills = [fill(1, 10, 100.0, 1.0), fill(2, 10, 110.0, 1.0), fill(3, -5, 120.0, 1.0)]
    assert round_trips(fills) == []
    (position,) = open_positions(fills)
    assert (position.quantity, position.entry_price, position.entry_time) == (15, 105.0, 1)
    assert position.realized_profit == 5 * (120.0 - 105.0) - 3.0
    assert position.unrealized_profit(115.0) == 150.0


def test_float_rounding_of_whole_lots_leaves_nothing_open() -> None:
    fills = [fill(t, 0.1, 100.0) for t in range(3)] + [fill(3, -0.3, 100.0)]
    assert sum(f.quantity for f in fills) != 0.0
    assert len(round_trips(fills)) == 1
    assert open_positions(fills) == []
    overshooting = [fill(1, 0.3, 100.0), fill(2, -0.1 - 0.2, 100.0)]
    assert len(round_trips(overshooting)) == 1
    assert open_positions(overshooting) == []


def test_round_trips_come_in_the_order_of_their_exits() -> None:
    fills = [
        SignedFill(1, "AAPL", 1, 10.0),
        SignedFill(2, "BTC", 1, 10.0),
        SignedFill(3, "BTC", -1, 10.0),
        SignedFill(3, "AAPL", -1, 10.0),
    ]
    assert [trip.symbol for trip in round_trips(fills)] == ["BTC", "AAPL"]


def test_fills_that_go_back_in_time_are_refused() -> None:
    with pytest.raises(FillsOutOfOrder, match=r"fills\[1\].time 4 is not >= the previous 5") as bad:
        round_trips([fill(5, 1, 1.0), fill(4, 1, 1.0)])
    again = pickle.loads(pickle.dumps(bad.value))
    assert (again.index, again.time, again.previous_time) == (1, 4, 5)


@pytest.mark.parametrize("quantity", [0.0, math.nan, math.inf])
def test_a_fill_without_a_quantity_is_refused(quantity: float) -> None:
    with pytest.raises(FillWithoutQuantity, match=r"fills\[0\].quantity"):
        round_trips([fill(1, quantity, 1.0)])


@given(sequences)
def test_profits_of_round_trips_and_open_positions_are_the_whole_profit(
    fills: list[SignedFill],
) -> None:
    cash = math.fsum(-f.quantity * f.price - f.commission for f in fills)
    marked = math.fsum(f.quantity * MARKS[f.symbol] for f in fills)
    closed = math.fsum(trip.profit for trip in round_trips(fills))
    still_open = math.fsum(
        p.realized_profit + p.unrealized_profit(MARKS[p.symbol]) for p in open_positions(fills)
    )
    traded = math.fsum(abs(f.quantity) * (f.price + MARKS[f.symbol]) for f in fills)
    assert closed + still_open == pytest.approx(cash + marked, abs=1e-12 * (traded + 1.0) * 10)


@given(sequences)
def test_costs_of_round_trips_and_open_positions_are_all_the_costs(
    fills: list[SignedFill],
) -> None:
    trips, positions = round_trips(fills), open_positions(fills)
    commission = [t.commission for t in trips] + [p.commission for p in positions]
    slippage = [t.slippage_cost for t in trips] + [p.slippage_cost for p in positions]
    assert math.fsum(commission) == pytest.approx(math.fsum(f.commission for f in fills))
    assert math.fsum(slippage) == pytest.approx(math.fsum(f.slippage_cost for f in fills))


@given(sequences)
def test_a_round_trip_ends_exactly_when_the_lots_pass_through_zero(
    fills: list[SignedFill],
) -> None:
    held: Counter[str] = Counter()
    exits = []
    for f in fills:
        before = held[f.symbol]
        held[f.symbol] += round(f.quantity / LOT)
        if before and before * held[f.symbol] <= 0:
            exits.append((f.symbol, f.time))
    assert [(trip.symbol, trip.exit_time) for trip in round_trips(fills)] == exits
    still_open = {p.symbol: round(p.quantity / LOT) for p in open_positions(fills)}
    assert still_open == {symbol: count for symbol, count in held.items() if count}
