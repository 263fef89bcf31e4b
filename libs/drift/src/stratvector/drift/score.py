"""The drift score of one feature: one number from both detectors, 0 (as the reference) to 1.

    score    = min(size, evidence)
    size     = x² / (x² + 0.03²)           x = PSI − its noise, and 0 below that
    evidence = 0.0002 / (0.0002 + g)       g = √(p_PSI · p_KS)

*Size* says how large the difference is, on the scale that is customary for PSI, less what chance
alone gives two samples of these sizes; 0.06 is 0.8. *Evidence* says how unlikely the difference is
in samples of one distribution, by the geometric mean of the two p-values. So neither a small sample
that happens to differ scores high, nor a trifle that a huge sample proves. Counts are those of
independent values: see `persistence`.

The score rises with PSI and with the KS distance and has no jumps. Unchanged draws stay below 0.3
at every size, but for less than one check in a hundred. The constants are set by hand on simulated
returns and on those of the sample session; they will be calibrated on recorded sessions.
"""

import math
from dataclasses import dataclass

from stratvector.drift.kolmogorov_smirnov import distance_p_value, kolmogorov_smirnov
from stratvector.drift.persistence import independent_values
from stratvector.drift.population_stability_index import (
    StabilityIndex,
    index_noise,
    index_p_value,
    population_stability_index,
)
from stratvector.drift.samples import Values

SIZE_OF_HALF = 0.03  # PSI in excess of its noise
EVIDENCE_OF_HALF = 2e-4  # a p-value
PROBABILITY_MIN = 1e-150  # below it only zeros follow, and their product would be none


@dataclass(frozen=True)
class Comparison:
    """Two samples compared. index : PSI. distance : KS, with its p_value. score : 0 to 1."""

    index: float
    distance: float
    p_value: float
    score: float


def compare(reference: Values, window: Values, bins: int) -> Comparison:
    """Compare two samples in time order, float64 of shape (n,) and (m,), any unit, no NaN.

    bins : the most cells of PSI. Raises BadSample.
    """
    index = population_stability_index(reference, window, bins)
    distance = kolmogorov_smirnov(reference, window)
    counts = independent_values(reference, window)
    return Comparison(
        index.value,
        distance,
        distance_p_value(distance, *counts),
        score(index, distance, *counts),
    )


def score(
    index: StabilityIndex, distance: float, reference_count: float, window_count: float
) -> float:
    """The score of a PSI and a KS distance over so many independent values."""
    excess = index.value - index_noise(index.cells, reference_count, window_count)
    probabilities = (
        index_p_value(index, reference_count, window_count),
        distance_p_value(distance, reference_count, window_count),
    )
    return min(_size(excess), _evidence(*probabilities))


def _size(excess: float) -> float:
    square = max(0.0, excess) ** 2
    return square / (square + SIZE_OF_HALF**2)


def _evidence(first: float, second: float) -> float:
    mean = math.sqrt(max(first, PROBABILITY_MIN) * max(second, PROBABILITY_MIN))
    return EVIDENCE_OF_HALF / (EVIDENCE_OF_HALF + mean)
