"""Indicators: named, pure kernels, and `Indicators`, which computes each of them once.

    averages.py      sma, ema, wma, dema, tema, macd
    statistics.py    std, z_score, skew, kurtosis, slope, percentile_rank, rank
    comovement.py    correlation, beta
    volatility.py    true_range, atr, adx, volatility
    channels.py      bollinger, donchian, keltner, highest, lowest
    oscillators.py   roc, rsi, stochastic, williams_r, cci, aroon
    volume.py        obv, accumulation_distribution, cmf, mfi, vwap
    registry.py      @indicator above each of these methods: its name, its checks, what it reads
    memo.py          each result computed once; window.py, decay.py, steps.py, extremes.py: sums

Arrays are float64[closes, symbols]. Row t reads a stated number of closes up to t only and always
in the same order, so a window's last row equals the full history's row to the bit. Missing closes
(NaN) inside a window are skipped; a row is NaN where the symbol's own close is missing, where its
window is not full yet, and where fewer than half of the window's closes are present.
docs/indicators.md lists formulas, closes, rules and sources.
"""

from stratvector.strategies.indicators.averages import (
    dema_window,
    ema_window,
    macd_window,
    tema_window,
)
from stratvector.strategies.indicators.bad_indicator import (
    BadColumn,
    BadIndicator,
    BadParameter,
    UnknownColumn,
)
from stratvector.strategies.indicators.channels import keltner_window
from stratvector.strategies.indicators.comovement import step_window
from stratvector.strategies.indicators.oscillators import (
    aroon_window,
    roc_window,
    rsi_window,
    stochastic_window,
)
from stratvector.strategies.indicators.registry import INDICATORS
from stratvector.strategies.indicators.volatility import adx_window, atr_window
from stratvector.strategies.indicators.volume import Volume, mfi_window

__all__ = [
    "INDICATORS",
    "BadColumn",
    "BadIndicator",
    "BadParameter",
    "Indicators",
    "UnknownColumn",
    "adx_window",
    "aroon_window",
    "atr_window",
    "dema_window",
    "ema_window",
    "keltner_window",
    "macd_window",
    "mfi_window",
    "roc_window",
    "rsi_window",
    "step_window",
    "stochastic_window",
    "tema_window",
]


class Indicators(Volume):
    """The indicators of `bars`, each memoised by its kernel, its input column and its parameters.

    It lives as long as one computation: a sweep over 5,080 pairs of windows asks one `Indicators`
    for 10,160 moving averages, and 146 are computed. Results are float64[closes, symbols] and
    read-only; the package's docstring says where they are NaN. `of` names a column of the bars or
    is an array, such as another result; windows, periods and lookbacks count closes.
    """
