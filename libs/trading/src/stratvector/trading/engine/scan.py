"""A model's weights over time: `decide` folded over the feature rows, in a scan of its own.

`decide` never sees the account, so the weights are computed first and the engine's loop takes them
as an array. It is passed as a first-class function type: numba finds such a scan in its disk cache,
one compile for all strategies.
"""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
from numba import types

from stratvector.trading.engine.arithmetic import round_to_grid
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import Floats, shapes

WEIGHT_UNITS = 1e9  # weights are rounded to 1e-9, so that decisions are equal across machines

_vector = types.float64[::1]
_matrix = types.float64[:, ::1]
DECIDE = types.void(_vector, _matrix, _vector, _vector, _vector)
_SCAN = types.void(
    types.FunctionType(DECIDE),
    types.float64[:, :, ::1],
    _vector,
    _vector,
    types.int64,
    _matrix,
    _matrix,
    _matrix,
)


class Scan(NamedTuple):
    """weights, confidence : float64[T, symbols]. states : float64[T, K], after each close."""

    weights: Floats
    confidence: Floats
    states: Floats

    def __repr__(self) -> str:
        return shapes(self)


def decide_jit(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a decide(state, row, parameters, weights, confidence) to the one signature.

    The house's own are cached on disk. A user's are compiled in each process, in half a second: the
    cache remembers the module's name, and one file is a script today and a module tomorrow.
    """
    cache = function.__module__.startswith("stratvector.")
    compiled: Callable[..., None] = numba.njit(DECIDE, cache=cache, error_model="numpy")(function)
    return compiled


@engine_jit
def round_row(weights: Floats, confidence: Floats) -> None:
    """Round one close's weights and confidence, in place."""
    for s in range(len(weights)):
        weights[s] = round_to_grid(weights[s], WEIGHT_UNITS)
        confidence[s] = round_to_grid(confidence[s], WEIGHT_UNITS)


@numba.njit(_SCAN, cache=True, error_model="numpy", nogil=True)
def _scan(decide, rows, parameters, state, first, weights, confidence, states):  # type: ignore[no-untyped-def]
    for t in range(rows.shape[0]):
        if t >= first:
            decide(state, rows[t], parameters, weights[t], confidence[t])
            round_row(weights[t], confidence[t])
        for k in range(state.shape[0]):
            states[t, k] = state[k]


def decide_row(
    decide: Callable[..., None], row: Floats, parameters: Floats, state: Floats
) -> tuple[Floats, Floats]:
    """One close of the fold, as live does it: weights and confidence of a feature row.

    `state` is advanced in place. The same calls as in `run_scan`, so the same bits.
    """
    weights, confidence = np.zeros(len(row)), np.zeros(len(row))
    decide(state, row, parameters, weights, confidence)
    round_row(weights, confidence)
    return weights, confidence


def run_scan(
    decide: Callable[..., None],
    rows: Floats,
    parameters: Floats,
    state: Floats,
    first: int,
) -> Scan:
    """Fold `decide` over rows[first:]; closes before it are warm-up with weight 0.

    `state` is advanced in place.
    """
    closes, symbols = rows.shape[0], rows.shape[1]
    result = Scan(
        np.zeros((closes, symbols)), np.zeros((closes, symbols)), np.zeros((closes, len(state)))
    )
    _scan(decide, rows, parameters, state, first, *result)
    return result
