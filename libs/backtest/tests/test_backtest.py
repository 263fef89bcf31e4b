"""Backtest: one strategy over one panel, and what its result says."""

import math
import re
from decimal import Decimal

import numpy as np
import pandas
import polars
import pytest
from numpy.typing import NDArray

from stratvector.backtest import Backtest, Costs, RiskLimits
from stratvector.backtest.metrics import METRIC_KEYS
from stratvector.trading.bars import BadBars, Bars
from stratvector.trading.instruments import Instrument
from tests.sessions.buy_and_hold import DAY_NS, FREE, BuyAndHold, panel, rows_of


def test_a_free_holding_earns_what_its_price_earns() -> None:
    result = Backtest(panel([[100.0], [100.0], [110.0], [121.0]]), BuyAndHold(), costs=FREE).run()
    assert result.final_equity == pytest.approx(121_000.0, rel=1e-7)  # whole lots
    assert result.metrics["total_return"] == pytest.approx(0.21, rel=1e-6)
    assert list(result.metrics) == list(METRIC_KEYS)


def test_an_order_of_one_close_fills_at_the_next_open() -> None:
    result = Backtest(panel([[100.0], [104.0], [110.0]]), BuyAndHold(), costs=FREE).run()
    first = result.fills.row(0, named=True)
    assert (first["symbol"], first["side"], first["price"]) == ("A", "buy", 100.0)
    assert result.equity["close_time"].to_list()[1] == first["known_time"]


def test_costs_are_paid_and_told() -> None:
    costs = Costs(commission=0.001, slippage=0.0005)
    result = Backtest(panel([[100.0]] * 4), BuyAndHold(), cash=10_000, costs=costs).run()
    commission = math.fsum(result.fills["commission"].to_list())
    paid = commission + math.fsum(result.fills["slippage"].to_list())
    assert paid > 0
    assert result.final_equity == pytest.approx(10_000 - paid, abs=1e-6)
    assert result.metrics["total_commission"] == pytest.approx(commission)


def test_default_costs_are_a_tenth_and_half_a_tenth_of_a_percent() -> None:
    session = Backtest(panel([[100.0]] * 2), BuyAndHold()).session
    assert session.portfolio.costs == Costs(commission=0.001, slippage=0.0005)


def test_there_is_no_leverage_unless_limits_allow_it() -> None:
    class Double(BuyAndHold):
        def features(self, bars: Bars) -> NDArray[np.float64]:
            return super().features(bars) * 2.0

    bars = panel([[100.0, 50.0]] * 4)
    careful = Backtest(bars, Double(), costs=FREE).run()
    assert max(careful.equity["gross_exposure"].to_list()) <= 1.0
    bold = Backtest(bars, Double(), costs=FREE, limits=RiskLimits(gross=2.0)).run()
    assert max(bold.equity["gross_exposure"].to_list()) == pytest.approx(2.0, abs=1e-6)


def test_a_second_run_is_equal() -> None:
    backtest = Backtest(panel([[100.0, 50.0], [101.0, 49.0], [99.0, 52.0]]), BuyAndHold())
    first, second = backtest.run(), backtest.run()
    assert first.fills.equals(second.fills)
    assert first.orders.equals(second.orders)
    assert first.equity.equals(second.equity)


def test_an_instrument_of_no_bars_is_refused_with_the_nearest_symbol() -> None:
    bars, stray = panel([[100.0]] * 3), Instrument("a", "a", "any")
    with pytest.raises(ValueError, match="'a', of which there are no bars: did you mean A"):
        Backtest(bars, BuyAndHold(), instruments={"a": stray})
    with pytest.raises(ValueError, match=r"instruments\['A'\] is the instrument 'a'"):
        Backtest(bars, BuyAndHold(), instruments={"A": stray})


def test_instruments_set_lots_and_precision() -> None:
    whole = {"A": Instrument("A", "A", "equity", 2, Decimal(1))}
    bars = panel([[333.333]] * 3)
    result = Backtest(bars, BuyAndHold(), cash=1_000, costs=FREE, instruments=whole).run()
    fill = result.fills.row(0, named=True)
    assert (fill["lots"], fill["price"]) == (3, 333.33)


def test_round_trips_are_a_table() -> None:
    class InAndOut(BuyAndHold):
        def features(self, bars: Bars) -> NDArray[np.float64]:
            return super().features(bars) * (bars.close < 104.0)[:, :, None]

    result = Backtest(panel([[100.0 + t] for t in range(8)]), InAndOut(), costs=FREE).run()
    assert len(result.trades) == result.metrics["trades"] == 1
    assert result.trades["profit"][0] == pytest.approx(result.final_equity - 100_000)


def test_a_run_without_a_trade_has_empty_tables_with_their_columns() -> None:
    class Flat(BuyAndHold):
        def features(self, bars: Bars) -> NDArray[np.float64]:
            return super().features(bars) * 0.0

    result = Backtest(panel([[100.0]] * 3), Flat()).run()
    assert result.final_equity == 100_000
    assert len(result.fills) == len(result.orders) == len(result.trades) == 0
    assert "lots_buy_and_hold" in result.fills.columns
    assert result.rejections == {}


def test_a_pandas_or_polars_frame_runs_as_its_bars_do() -> None:
    bars = panel([[100.0, 50.0], [101.0, 49.0], [99.0, 52.0], [103.0, 50.0]])
    expected = Backtest(bars, BuyAndHold()).run()
    for frame in (pandas.DataFrame(rows_of(bars)), polars.DataFrame(rows_of(bars))):
        result = Backtest(frame, BuyAndHold()).run()
        assert result.equity.equals(expected.equity)
        assert result.fills.equals(expected.fills)


def test_something_that_is_no_bars_is_refused_in_one_sentence() -> None:
    for given in ("prices.csv", None, [1.0, 2.0]):
        kind = type(given).__name__
        with pytest.raises(TypeError, match=f"^bars must be Bars or .* not {kind}; .*read"):
            Backtest(given, BuyAndHold())


def test_the_tables_come_back_as_pandas_frames() -> None:
    result = Backtest(panel([[100.0], [101.0], [99.0], [103.0]]), BuyAndHold()).run()
    frames = result.to_pandas()
    assert frames._fields == ("equity", "orders", "fills", "trades")
    for name, frame in zip(frames._fields, frames, strict=True):
        table = getattr(result, name)
        assert list(frame.columns) == table.columns
        assert len(frame) == len(table)
    assert frames.equity["equity"].tolist() == result.equity["equity"].to_list()
    closes = frames.equity["close_time"]
    assert str(closes.dtype) == "datetime64[ns, UTC]"
    assert closes.astype("int64").tolist() == result.equity["close_time"].to_physical().to_list()
    assert frames.orders["expires_at"].isna().sum() == result.orders["expires_at"].null_count()


def test_cash_that_is_no_amount_is_refused_in_one_sentence() -> None:
    for cash, said in (
        (math.nan, "initial_cash is NaN; it must be finite"),
        (math.inf, "initial_cash is Infinity; it must be finite"),
        (Decimal("sNaN"), "initial_cash is sNaN; it must be finite"),
        (0, "initial_cash is 0; it must be above 0"),
        (-5.0, "initial_cash is -5.0; it must be above 0"),
        ("much", "cash is 'much'; it must be a number"),
        (True, "cash is True; it must be a number"),
        (None, "cash is None; it must be a number"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
            Backtest(panel([[100.0]] * 2), BuyAndHold(), cash=cash)  # type: ignore[arg-type]


def test_bars_without_a_close_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one close"):
        Backtest(panel([[100.0]]).window(0, 0), BuyAndHold())


def test_fills_are_stamped_with_the_opening_of_their_bar() -> None:
    bars = panel([[10.0], [10.0], [10.0]])
    opened = bars.close_times - DAY_NS // 4
    fills = Backtest(bars, BuyAndHold(), costs=FREE, open_times=opened).run().fills
    assert fills["fill_time"].to_physical().to_list() == [int(opened[1])]


def test_a_bar_that_opens_after_its_close_is_refused() -> None:
    bars = panel([[10.0], [10.0]])
    with pytest.raises(ValueError, match="one time before each close"):
        Backtest(bars, BuyAndHold(), open_times=bars.close_times)


def test_small_changes_are_traded_unless_a_band_holds_them_back() -> None:
    closes = [[10.0 + 0.01 * day, 10.0] for day in range(30)]
    restless = Backtest(panel(closes), BuyAndHold()).run()
    limits = RiskLimits(gross=1.0, rebalance_band=0.02)
    quiet = Backtest(panel(closes), BuyAndHold(), limits=limits).run()
    assert len(quiet.fills) < len(restless.fills)


def test_doubtful_bars_are_caveats_and_refused_by_strict() -> None:
    steps = np.random.default_rng(5).normal(0.0, 0.01, 60)
    closes = 100 * np.exp(np.cumsum(steps))
    clean = panel(closes.reshape(-1, 1).tolist())
    assert Backtest(clean, BuyAndHold(), strict=True).session.caveats == ()
    closes[30:] /= 2
    split = panel(closes.reshape(-1, 1).tolist())
    found = {(c.code, c.subject, c.count) for c in Backtest(split, BuyAndHold()).run().caveats}
    assert ("split_like_jump", "A", 1) in found
    with pytest.raises(BadBars, match="strict data quality is asked for, but A: the close goes"):
        Backtest(split, BuyAndHold(), strict=True)
