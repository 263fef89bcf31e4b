"""Backtests: runs of the engine over recorded bars, and what they were worth.

`Backtest` runs one strategy over one panel of bars, or sweeps its parameters; `heatmap` makes a
table of a sweep. `result_of` reads a result off any compiled
run, `Result` is the same for every driver, and `write_result` puts it on disk
(`new_folder` and `write_result_into` for a run whose folder has a name from its start on).
"""

from stratvector.backtest.backtest import Backtest
from stratvector.backtest.given_signals import BadSignals
from stratvector.backtest.grids import BadGrid
from stratvector.backtest.result import ModelResult, Result, result_of
from stratvector.backtest.result_files import (
    document,
    new_folder,
    write_result,
    write_result_into,
)
from stratvector.backtest.sweep import Interrupted, heatmap
from stratvector.trading.bars import Bars
from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import Costs, RiskLimits

__all__ = [
    "Backtest",
    "BadGrid",
    "BadSignals",
    "Bars",
    "Costs",
    "Instrument",
    "Interrupted",
    "ModelResult",
    "Result",
    "RiskLimits",
    "document",
    "heatmap",
    "new_folder",
    "result_of",
    "write_result",
    "write_result_into",
]
