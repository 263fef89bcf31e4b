"""Indicators: named, pure kernels, and `Indicators`, which computes each of them once.

    window.py               sums and counts over the last `window` closes, in a fixed order
    moving_average.py       their quotient; spread about it, bands around it, distance to it
    momentum.py             change over a lookback
    relative_strength.py    Wilder's index
    memo.py                 Indicators(bars): all of the above by name, memoised

Arrays are float64[closes, symbols]. Row t reads the last closes up to t only and always in the same
order, so a window's last row equals the full history's row to the bit. Missing closes (NaN) inside
a window are skipped; a row is NaN where the symbol's own close is missing, where its window is not
full yet, and where fewer than half of the window's closes are present.
"""

from stratvector.strategies.indicators.memo import Indicators

__all__ = ["Indicators"]
