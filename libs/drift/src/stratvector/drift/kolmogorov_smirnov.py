"""Two-sample Kolmogorov–Smirnov: the largest distance between two empirical distributions.

    D = max_x |F_reference(x) − F_window(x)|

On two samples of one continuous distribution √(nm/(n+m)) · D has Kolmogorov's limiting law

    P(K > z) = 2 Σ_{k≥1} (−1)^(k−1) exp(−2 k² z²)

With ties, such as weights that take few values, the true probability is smaller: the p-value errs
towards no drift.

Sources: Smirnov, "Table for estimating the goodness of fit of empirical distributions", *Annals of
Mathematical Statistics* 19(2), 1948; the series for small z is Jacobi's transform of the same.
"""

import math

import numpy as np

from stratvector.drift.samples import Values, checked

TERMS = 20
SMALL_Z = 1.18  # below it the transformed series converges faster
TINY_Z = 0.05  # below it the law is 1 to the last bit


def kolmogorov_smirnov(reference: Values, window: Values) -> float:
    """D of two samples, float64 of shape (n,) and (m,), any unit, no NaN; 0 to 1.

    Raises BadSample.
    """
    first = np.sort(checked("reference", reference))
    second = np.sort(checked("window", window))
    places = np.concatenate([first, second])
    below_first = np.searchsorted(first, places, side="right") / len(first)
    below_second = np.searchsorted(second, places, side="right") / len(second)
    return float(np.abs(below_first - below_second).max())


def distance_p_value(distance: float, reference_count: float, window_count: float) -> float:
    """The probability, asymptotically, of such a distance in samples of one distribution.

    reference_count, window_count : independent values in each.
    """
    return _kolmogorov_tail(distance / math.sqrt(1.0 / reference_count + 1.0 / window_count))


def _kolmogorov_tail(z: float) -> float:
    if z < TINY_Z:
        return 1.0
    if z < SMALL_Z:
        base = -(math.pi**2) / (8.0 * z * z)
        odd = (math.exp(base * (2 * k - 1) ** 2) for k in range(1, TERMS))
        return max(0.0, 1.0 - math.sqrt(2.0 * math.pi) / z * sum(odd))
    signs = (1.0 if k % 2 else -1.0 for k in range(1, TERMS))
    terms = (sign * math.exp(-2.0 * (k * z) ** 2) for k, sign in enumerate(signs, 1))
    return min(1.0, 2.0 * sum(terms))
