"""What a model's weights over a whole history may say: what its signals may say, close by close.

A run that a live model could not make is refused before it gives a number.
"""

from typing import NoReturn

import numpy as np

from stratvector.trading.bad_strategy import BadSignal
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import Scan
from stratvector.trading.engine.state import Flags, Floats
from stratvector.trading.meaning.own import Own


def check_scan(scan: Scan, bars: Bars, start: int, model: str, own: Own) -> None:
    """Weights from `start` (ns UTC) on are unknown (NaN) or within the portfolio's bound,
    confidences 0 to 1. Raises BadSignal for the first that is not.
    """
    first = int(np.searchsorted(bars.close_times, start))
    weights, confidence, bound = scan.weights[first:], scan.confidence[first:], own.weight_max
    unfit = ~((np.abs(weights) <= bound) | np.isnan(weights))
    if unfit.any():
        _refuse("weight", weights, unfit, bars, model, f"|weight| <= {bound:g} must hold")
    unfit = ~((confidence >= 0.0) & (confidence <= 1.0))
    if unfit.any():
        _refuse("confidence", confidence, unfit, bars, model, "it must be 0 to 1")


def _refuse(name: str, values: Floats, unfit: Flags, bars: Bars, model: str, rule: str) -> NoReturn:
    row, column = divmod(int(np.argmax(unfit)), len(bars.symbols))
    close_time = int(bars.close_times[len(bars) - len(values) + row])
    value = float(values[row, column])
    raise BadSignal(name, bars.symbols[column], model, close_time, value, rule)
