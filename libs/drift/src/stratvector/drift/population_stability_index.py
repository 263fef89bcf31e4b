"""Population stability index: how far the shares of a window's values lie from the reference's.

    PSI = Σ_c (p_c − q_c) · ln(p_c / q_c)

over cells c, with p the reference's shares and q the window's. It is the symmetric Kullback–Leibler
divergence of the two histograms: 0 for equal shares, unbounded above. On two samples of one
distribution PSI · nm/(n+m) is about χ² with one degree of freedom less than there are cells.

Sources: Lewis, *An Introduction to Credit Scoring* (1994), for the index and its use; Yurdakul and
Naranjo, "Statistical properties of the population stability index", *Journal of Risk Model
Validation* 14(4), 2020, for its distribution.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stratvector.drift.samples import Values, checked

CELL_VALUES_MIN = 20  # with fewer reference values in a cell, chance alone moves its logarithm
# Half a value more in every cell (Krichevsky and Trofimov, 1981): an empty one has a logarithm.
PRIOR_COUNT = 0.5
HALF_MIN = 1e-300  # of what a logarithm is taken; far above it the tail is 1 already


@dataclass(frozen=True)
class StabilityIndex:
    """The index, 0 or above, and the cells that it was summed over."""

    value: float
    cells: int


def population_stability_index(reference: Values, window: Values, bins: int = 10) -> StabilityIndex:
    """The index of two samples, float64 of shape (n,) and (m,), any unit, no NaN.

    bins : the most cells, at least 2; a small reference has fewer, twenty of its values in each.
    Cells are half-open (a, b] between quantiles of the reference, which are values of it; equal
    quantiles are one, so a value that is there often has the end of a cell for itself. A reference
    of few distinct values (weights of 0 and 0.5) has a cell for each of them, and one more for
    whatever else is in the window. Every cell counts half a value more than it holds. Raises
    BadSample.
    """
    checked("reference", reference)
    checked("window", window)
    expected, found = _counts(reference, window, bins)
    return StabilityIndex(_divergence(expected, found), len(expected))


def index_noise(cells: int, reference_count: float, window_count: float) -> float:
    """The index that two samples of one distribution have on average."""
    return (cells - 1) * (1.0 / reference_count + 1.0 / window_count)


def index_p_value(index: StabilityIndex, reference_count: float, window_count: float) -> float:
    """The probability, asymptotically, of such an index in samples of one distribution.

    reference_count, window_count : independent values in each.
    """
    scale = 1.0 / reference_count + 1.0 / window_count
    return _chi_squared_tail(index.value / scale, index.cells - 1)


def _counts(
    reference: Values, window: Values, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many values of each sample lie in each cell; no cell is empty in both."""
    most = max(2, min(bins, len(reference) // CELL_VALUES_MIN))
    distinct = np.unique(reference)
    if len(distinct) <= most:
        cells = len(distinct) + 1
        expected, found = (_place(distinct, sample) for sample in (reference, window))
    else:
        edges = _edges(reference, most)
        cells = len(edges) + 1
        expected, found = (np.searchsorted(edges, sample) for sample in (reference, window))
    counts = np.stack([np.bincount(places, minlength=cells) for places in (expected, found)])
    there = counts[:, counts.any(axis=0)].astype(np.float64)
    return there[0], there[1]


def _edges(reference: Values, cells: int) -> Values:
    """Ends of all cells but the last: the smallest values with at least k/cells of all below or at
    them.
    """
    places = (np.arange(1, cells) * len(reference) - 1) // cells
    return np.unique(np.sort(reference)[places])


def _place(distinct: Values, sample: Values) -> NDArray[np.int64]:
    """The number of each value among the distinct ones, and one above for any other."""
    places = np.minimum(np.searchsorted(distinct, sample), len(distinct) - 1)
    return np.where(distinct[places] == sample, places, len(distinct)).astype(np.int64)


def _divergence(expected: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    p, q = expected + PRIOR_COUNT, found + PRIOR_COUNT
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _chi_squared_tail(x: float, degrees: int) -> float:
    """P(χ² > x), a finite sum for whole degrees (Abramowitz and Stegun 26.4.4 and 26.4.5)."""
    half = x / 2.0
    if degrees == 0 or half < HALF_MIN:
        return 1.0
    odd = degrees % 2
    total = math.erfc(math.sqrt(half)) if odd else math.exp(-half)
    order = 0.5 if odd else 1.0
    while order < degrees / 2.0:
        total += math.exp(order * math.log(half) - half - math.lgamma(order + 1.0))
        order += 1.0
    return min(total, 1.0)
