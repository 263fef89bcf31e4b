import numpy as np

from stratvector.market.quality import SymbolQuality, examine
from stratvector.trading.bars import Bars

NAN = np.nan


def quality_of(closes: list[float], volumes: list[float] | None = None) -> SymbolQuality:
    close = np.array(closes, dtype=np.float64).reshape(-1, 1)
    volume = np.where(np.isnan(close), NAN, 1.0)
    if volumes is not None:
        volume = np.array(volumes, dtype=np.float64).reshape(-1, 1)
    times = np.arange(len(closes), dtype=np.int64) * 10
    return examine(Bars(("A",), times, close, close, close, close, volume))[0]


def usual_prices() -> list[float]:
    steps = np.random.default_rng(7).normal(0.0, 0.01, 50)
    prices: list[float] = (100 * np.exp(np.cumsum(steps))).tolist()
    return prices


def test_holes_are_counted_between_the_first_and_the_last_bar_only() -> None:
    found = quality_of([NAN, 1, NAN, NAN, 1, NAN, 1, NAN, NAN])
    assert (found.bars, found.first, found.last, found.before, found.after) == (3, 10, 60, 1, 2)
    assert found.missing.tolist() == [20, 30, 50]
    assert found.gaps.tolist() == [[20, 30], [50, 50]]
    assert not found.is_clean


def test_a_bar_in_which_nothing_traded_is_told() -> None:
    assert quality_of([1, 2, 3], [5, 0, 5]).zero_volume.tolist() == [10]


def test_a_jump_far_beyond_the_usual_return_is_told() -> None:
    closes = np.array(usual_prices())
    closes[30:] *= 2
    assert quality_of(closes.tolist()).outliers.tolist() == [300]


def test_quiet_and_whole_bars_are_clean() -> None:
    assert quality_of(usual_prices()).is_clean
    assert quality_of([1.0, 1.0, 1.0]).is_clean


def test_a_symbol_without_any_bar_is_not_clean() -> None:
    found = quality_of([NAN, NAN])
    assert (found.bars, found.first, found.last, found.before) == (0, None, None, 2)
    assert not found.is_clean
