"""What a strategy computes over bars, and where two computations differ.

Features, weights, confidence and states are compared to the bit; NaN equals NaN, 0.0 does not
equal -0.0.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stratvector.strategies.certificates.certificate import Violation
from stratvector.strategies.floats import Floats
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy, check_parts, feature_rows, fold

QUANTITIES = ("feature", "weight", "confidence", "state")
FEATURES, STATES = 0, 3


class Computed(NamedTuple):
    """features : closes x symbols x features. weights, confidence : closes x symbols. states."""

    features: Floats
    weights: Floats
    confidence: Floats
    states: Floats


def compute(strategy: Strategy, bars: Bars, state: Floats | None = None) -> Computed:
    """All of it over these bars; state : the memory before them, None for the initial one."""
    check_parts(strategy, len(bars.symbols))
    start = np.array(strategy.initial_state(len(bars.symbols)) if state is None else state)
    with _quiet():
        features = feature_rows(strategy, bars)
        return Computed(features, *fold(strategy, features, bars, start, strategy.history - 1))


def compute_last(strategy: Strategy, window: Bars, state: Floats) -> Computed:
    """That of the last close of a window, as live computes it. state : the memory before it."""
    with _quiet():
        features = feature_rows(strategy, window)[-1:]
        return Computed(features, *fold(strategy, features, window, state.copy(), 0))


@contextmanager
def _quiet() -> Iterator[None]:
    """A window without a price, of which numpy warns, says nothing of the user's own bars."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def rows(computed: Computed, first: int, stop: int) -> Computed:
    """That of some closes."""
    return Computed(*(panel[first:stop] for panel in computed))


def first_difference(
    expected: Computed, found: Computed, bars: Bars, first_close: int, circumstance: str
) -> Violation | None:
    """The earliest difference; of those at one close, features before weights before states."""
    differences = [_differs(e, f) for e, f in zip(expected, found, strict=True)]
    closes = [int(d.any(axis=tuple(range(1, d.ndim))).argmax()) for d in differences if d.any()]
    if not closes:
        return None
    row = min(closes)
    part = next(i for i, d in enumerate(differences) if d[row].any())
    place = tuple(int(i) for i in np.argwhere(differences[part][row])[0])
    symbol = None if part == STATES else bars.symbols[place[0]]
    numbered = part in (FEATURES, STATES)
    return Violation(
        QUANTITIES[part] + (f" {place[-1]}" if numbered else ""),
        symbol,
        first_close + row,
        int(bars.close_times[first_close + row]),
        float(expected[part][(row, *place)]),
        float(found[part][(row, *place)]),
        circumstance,
    )


def _differs(expected: Floats, found: Floats) -> NDArray[np.bool_]:
    """Where the bits differ, all NaN taken as one."""
    bits = (np.ascontiguousarray(panel).view(np.int64) for panel in (expected, found))
    both_missing = np.isnan(expected) & np.isnan(found)
    return np.not_equal(*bits) & ~both_missing
