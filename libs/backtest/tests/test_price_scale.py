"""Returns do not depend on the unit that prices are given in."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stratvector.backtest import Backtest
from stratvector.trading.bars import Bars
from stratvector.trading.instruments import Instrument
from stratvector.trading.strategy import Strategy

DAY_NS = 86_400_000_000_000
CASH = 100_000


@dataclass(frozen=True)
class Swing(Strategy):
    """In and out of the market every few closes, so that there are many fills."""

    every: int = 3

    name = "swing"

    @property
    def history(self) -> int:
        """One close."""
        return 1

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """All in, half in, out."""
        days = bars.close_times // DAY_NS // self.every % 3
        return np.broadcast_to((days / 2.0)[:, None, None], (*bars.close.shape, 1)).copy()


def panel(scale: float, closes: int = 250, seed: int = 0, decimals: int | None = None) -> Bars:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(5e-4, 0.01, closes)))
    opened = np.concatenate([close[:1], close[:-1]]) * (1 + random.normal(0, 0.002, closes))
    if decimals is not None:
        close, opened = close.round(decimals), opened.round(decimals)
    close, opened = close[:, None] * scale, opened[:, None] * scale
    times = 18_263 * DAY_NS + np.arange(closes, dtype=np.int64) * DAY_NS
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Bars(("A",), times, opened, high, low, close, np.full(close.shape, 1e9))


def total_return(bars: Bars, instrument: Instrument | None = None) -> float:
    named = None if instrument is None else {"A": instrument}
    return Backtest(bars, Swing(), cash=CASH, instruments=named).run().metrics["total_return"]


def test_the_same_series_returns_the_same_at_every_power_of_ten() -> None:
    returns = [total_return(panel(10.0**power)) for power in range(-6, 7)]
    assert len(Backtest(panel(1e-6), Swing()).run().fills) > 90
    assert returns == pytest.approx([returns[6]] * 13, abs=1e-3)
    assert max(returns) - min(returns) < 1e-5


@settings(max_examples=25)
@given(
    power=st.floats(-6, 6),
    seed=st.integers(0, 2**31),
    decimals=st.sampled_from([None, 2, 3, 6]),
    lot=st.sampled_from([None, "0.0001", "0.01"]),
)
def test_scale_grid_and_lots_change_a_return_by_less_than_a_thousandth(
    power: float, seed: int, decimals: int | None, lot: str | None
) -> None:
    scale = 10.0**power
    plain = total_return(panel(1.0, 60, seed))
    lots = None
    if lot is not None:  # as large a part of the account in either unit
        units = Decimal(lot) / Decimal(repr(scale))
        lots = Instrument("A", "A", "any", lot_size=units)
    assert total_return(panel(scale, 60, seed, decimals), lots) == pytest.approx(plain, abs=1e-3)


def test_a_flat_price_earns_nothing_whatever_its_size() -> None:
    for price in (1.4e-8, 1e-5, 0.0085, 100.0, 1e9):
        close = np.full((30, 1), price)
        times = 18_263 * DAY_NS + np.arange(30, dtype=np.int64) * DAY_NS
        bars = Bars(("A",), times, close, close, close, close, np.full(close.shape, 1e9))
        result = Backtest(bars, Swing()).run()
        assert len(result.fills) > 5
        # commission of a tenth of a percent on each, and slippage where the tick lets it show
        assert -0.05 < result.metrics["total_return"] < -0.005


def test_slippage_of_a_small_price_is_charged() -> None:
    fills = Backtest(panel(1e-7), Swing()).run().fills
    assert (fills["slippage"] > 0).all()


def test_an_instrument_that_is_not_named_trades_in_lots_that_fit_its_price() -> None:
    sizes = {}
    for power in (-8, -2, 0, 6):
        session = Backtest(panel(10.0**power), Swing()).session
        sizes[power] = session.portfolio.instruments[0].lot_size
    first = 100.0 * np.exp(np.random.default_rng(0).normal(5e-4, 0.01, 250)[0])
    assert Decimal("1e-7") * CASH / Decimal(first) < Decimal("1e-4")
    assert sizes == {
        -8: Decimal(1_000), -2: Decimal("0.001"), 0: Decimal("0.00001"), 6: Decimal("1e-11")
    }  # fmt: skip


def test_a_coarse_grid_is_a_caveat_on_the_result() -> None:
    bars = panel(1e-5, decimals=0)
    (caveat,) = [c for c in Backtest(bars, Swing()).run().caveats if "grid" in c.code]
    assert (caveat.code, caveat.subject) == ("coarse_price_grid", "A")
