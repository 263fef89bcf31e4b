"""The yardstick: the smallest compiled loop that still trades, without limits or attribution.

One position follows its weight, filled at the next open with commission and slippage. It is what
one writes in an afternoon; the engine's ratio to it is the price of everything else.
"""

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@numba.njit(cache=True, error_model="numpy", nogil=True)
def run_one(
    opened: Floats, close: Floats, weights: Floats, cash: float, band: float, equity: Floats
) -> None:
    """One symbol; equity : float64[T], out."""
    position, working = 0.0, 0.0
    for t in range(len(close)):
        if working != 0.0:
            price = opened[t] * (1.0005 if working > 0.0 else 0.9995)
            cash -= working * price + abs(working) * price * 0.001
            position += working
            working = 0.0
        value = cash + position * close[t]
        equity[t] = value
        delta = np.floor(weights[t] * value / close[t]) - position
        if abs(delta) * close[t] >= band * value:
            working = delta


@numba.njit(cache=True, error_model="numpy", parallel=True)
def run_columns(
    opened: Floats, close: Floats, weights: Floats, cash: float, band: float, equity: Floats
) -> None:
    """One column per parameter set; weights, equity : float64[columns, T]."""
    for column in prange(weights.shape[0]):
        run_one(opened, close, weights[column], cash, band, equity[column])


@numba.njit(cache=True, error_model="numpy", nogil=True)
def run_many(
    opened: Floats, close: Floats, weights: Floats, cash: float, band: float, equity: Floats
) -> None:
    """Many symbols, models already netted; opened, close, weights : float64[T, S]."""
    closes, symbols = close.shape
    position, working = np.zeros(symbols), np.zeros(symbols)
    for t in range(closes):
        for s in range(symbols):
            if working[s] != 0.0:
                price = opened[t, s] * (1.0005 if working[s] > 0.0 else 0.9995)
                cash -= working[s] * price + abs(working[s]) * price * 0.001
                position[s] += working[s]
                working[s] = 0.0
        value = cash
        for s in range(symbols):
            value += position[s] * close[t, s]
        equity[t] = value
        for s in range(symbols):
            delta = np.floor(weights[t, s] * value / close[t, s]) - position[s]
            if abs(delta) * close[t, s] >= band * value:
                working[s] = delta
