"""TA-Lib as an oracle, on bars without gaps and past both warm-ups.

TA-Lib's averages remember their seed, ours leave out what weighs less than 1e-9: recursive ones
are compared after twice the closes that a value reads, to 1e-6 of the values' size. The others
are compared from their first value on, to 1e-9.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators import INDICATORS, Indicators
from stratvector.strategies.trial_bars import trial_bars

BARS = trial_bars(2500, 2, seed=11, gaps=0.0)
INDICATOR = Indicators(BARS)
Oracle = Callable[..., Any]

CASES: list[tuple[str, dict[str, Any], Oracle, float]] = [
    ("sma", {"window": 20}, lambda b: talib.SMA(b.close, 20), 1e-9),
    ("ema", {"window": 20}, lambda b: talib.EMA(b.close, 20), 1e-6),
    ("wma", {"window": 20}, lambda b: talib.WMA(b.close, 20), 1e-9),
    ("dema", {"window": 15}, lambda b: talib.DEMA(b.close, 15), 1e-6),
    ("tema", {"window": 15}, lambda b: talib.TEMA(b.close, 15), 1e-6),
    ("macd", {}, lambda b: talib.MACD(b.close), 1e-6),
    ("rsi", {}, lambda b: talib.RSI(b.close), 1e-6),
    ("roc", {"lookback": 10}, lambda b: talib.ROCP(b.close, 10), 1e-9),
    ("std", {"window": 20}, lambda b: talib.STDDEV(b.close, 20), 1e-7),
    ("true_range", {}, lambda b: talib.TRANGE(b.high, b.low, b.close), 1e-9),
    ("atr", {}, lambda b: talib.ATR(b.high, b.low, b.close), 1e-6),
    (
        "adx",
        {},
        lambda b: (
            talib.ADX(b.high, b.low, b.close),
            talib.PLUS_DI(b.high, b.low, b.close),
            talib.MINUS_DI(b.high, b.low, b.close),
        ),
        1e-6,
    ),
    ("highest", {"window": 20}, lambda b: talib.MAX(b.close, 20), 0.0),
    ("lowest", {"window": 20}, lambda b: talib.MIN(b.close, 20), 0.0),
    (
        "donchian",
        {},
        lambda b: (
            talib.MAX(b.high, 20),
            0.5 * (talib.MAX(b.high, 20) + talib.MIN(b.low, 20)),
            talib.MIN(b.low, 20),
        ),
        0.0,
    ),
    ("stochastic", {}, lambda b: talib.STOCH(b.high, b.low, b.close, 14, 3, slowd_period=3), 1e-9),
    (
        "stochastic",
        {"slowing": 1},
        lambda b: talib.STOCHF(b.high, b.low, b.close, 14, 3),
        1e-9,
    ),
    ("williams_r", {}, lambda b: talib.WILLR(b.high, b.low, b.close), 1e-9),
    ("cci", {}, lambda b: talib.CCI(b.high, b.low, b.close, 20), 1e-9),
    ("mfi", {}, lambda b: talib.MFI(b.high, b.low, b.close, b.volume), 1e-9),
    (
        "obv",
        {"window": 20},
        lambda b: since(talib.OBV(b.close, b.volume), 20),
        1e-9,
    ),
    (
        "accumulation_distribution",
        {"window": 20},
        lambda b: since(talib.AD(b.high, b.low, b.close, b.volume), 20),
        1e-9,
    ),
    ("slope", {"window": 20}, lambda b: talib.LINEARREG_SLOPE(b.close, 20), 1e-8),
    (
        "correlation",
        {"window": 20, "against": "volume"},
        lambda b: talib.CORREL(b.close, b.volume, 20),
        1e-7,
    ),
    (
        "beta",
        {"window": 20, "against": "high"},
        lambda b: talib.BETA(b.high, b.close, 20),
        1e-7,
    ),
]


class Series:
    """One symbol's columns, as TA-Lib takes them."""

    def __init__(self, s: int) -> None:
        for name in ("open", "high", "low", "close", "volume"):
            setattr(self, name, np.ascontiguousarray(getattr(BARS, name)[:, s]))


def since(total: Floats, window: int) -> Floats:
    """What a running total gained over the last `window` closes."""
    result = np.full(len(total), np.nan)
    result[window:] = total[window:] - total[:-window]
    return result


def compare(ours: Any, theirs: Any, first: int, tolerance: float) -> None:
    ours = ours if isinstance(ours, tuple) else (ours,)
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    for mine, other in zip(ours[: len(theirs)], theirs, strict=True):
        size = float(np.abs(other[first:]).max())
        np.testing.assert_allclose(mine[first:], other[first:], rtol=0.0, atol=tolerance * size)


@pytest.mark.parametrize(("name", "parameters", "oracle", "tolerance"), CASES)
def test_an_indicator_has_talibs_values(
    name: str, parameters: dict[str, Any], oracle: Oracle, tolerance: float
) -> None:
    row = INDICATORS[name]
    reads = row.closes_read(**parameters)
    first = 2 * reads if "tolerance" in row.rules else reads
    result = getattr(INDICATOR, name)(**parameters)
    arrays = result if isinstance(result, tuple) else (result,)
    for s in range(2):
        compare(tuple(a[:, s] for a in arrays), oracle(Series(s)), first, tolerance)


@pytest.mark.parametrize("s", [0, 1])
def test_bollinger_has_talibs_bands(s: int) -> None:
    bands = INDICATOR.bollinger(20, 2.0)
    series: Any = Series(s)
    theirs = talib.BBANDS(series.close, 20, 2.0, 2.0)
    compare(tuple(band[:, s] for band in bands[:3]), theirs, 20, 1e-7)


@pytest.mark.parametrize("s", [0, 1])
def test_aroon_has_talibs_values(s: int) -> None:
    ours = INDICATOR.aroon(14)
    series: Any = Series(s)
    down, up = talib.AROON(series.high, series.low, 14)
    both = talib.AROONOSC(series.high, series.low, 14)
    compare(tuple(array[:, s] for array in ours), (up, down, both), 15, 1e-12)
