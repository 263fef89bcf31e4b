"""What is doubtful about bars, found in their numbers alone: holes, silence, splits and outliers.

`examine` finds it, `quality_caveats` says it, `refuse_doubtful` turns it into a refusal. It stands
here because everything that loads bars asks it: market data, configuration and `Backtest`.
"""

from stratvector.trading.quality.doubts import DoubtfulBars, quality_caveats, refuse_doubtful
from stratvector.trading.quality.examination import Quality, SymbolQuality, examine

__all__ = [
    "DoubtfulBars",
    "Quality",
    "SymbolQuality",
    "examine",
    "quality_caveats",
    "refuse_doubtful",
]
