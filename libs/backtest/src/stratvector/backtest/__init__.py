"""Backtests: runs of the engine over recorded bars, and what they were worth.

`Backtest` runs one strategy over one panel of bars. `result_of` reads a result off any compiled
run, `Result` is the same for every driver, and `write_result` puts it on disk.
"""

from stratvector.backtest.backtest import Backtest
from stratvector.backtest.result import ModelResult, Result, result_of
from stratvector.backtest.result_files import document, write_result
from stratvector.trading.portfolio import Costs, RiskLimits

__all__ = [
    "Backtest",
    "Costs",
    "ModelResult",
    "Result",
    "RiskLimits",
    "document",
    "result_of",
    "write_result",
]
