"""`python -m stratvector.backtest.warm` compiles what results are read by into numba's cache."""

import numpy as np

from stratvector.backtest.column_figures import FIGURES, fold_columns
from stratvector.backtest.result import result_of
from stratvector.trading import replay
from stratvector.trading.warm import SHAPES, warm_session


def warm() -> None:
    """Read a result of every shape: later processes then find its code and compile nothing."""
    for symbols, models in SHAPES:
        result = result_of(replay.run(warm_session(symbols, models)))
        _ = result.metrics, result.equity, result.trades
    fold_columns(np.ones((2, 9)), np.arange(9), 0.0, np.zeros((2, FIGURES)))


if __name__ == "__main__":
    warm()
