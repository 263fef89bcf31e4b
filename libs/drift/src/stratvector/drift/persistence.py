"""How many independent values a series is worth.

Yesterday's weight is mostly today's, and volatile days follow each other. So a hundred closes say
less than a hundred draws. In an autoregressive series of order one with correlation ρ of
neighbours, n values are worth n · (1 − ρ) / (1 + ρ). And no series is worth more values than it has
changes: a weight that was held for a year is one observation, whatever a correlation makes of it.

Sources: Bayley and Hammersley, "The effective number of independent observations in an
autocorrelated time series", *Supplement to the Journal of the Royal Statistical Society* 8(2),
1946; the bias of ρ is Kendall's, "Note on bias in the estimation of autocorrelation", *Biometrika*
41(3/4), 1954.
"""

from collections.abc import Callable

import numpy as np

from stratvector.drift.samples import Values

Samples = tuple[Values, Values]


def independent_values(reference: Values, window: Values) -> tuple[float, float]:
    """What each of two samples is worth, 1 to its length; shape (n,) and (m,), in time order.

    Dependence is one number, pooled over both: that of the values or of their distances from the
    reference's median, whichever is larger. Each sample is taken about its own mean, so a move
    from one to the other is no dependence.
    """
    samples = (reference, window)
    middle = float(np.median(reference))
    distances = (np.abs(reference - middle), np.abs(window - middle))
    correlation = max(0.0, neighbours(samples), neighbours(distances))
    share = min((1.0 - correlation) / (1.0 + correlation), _changes(samples))
    return max(1.0, len(reference) * share), max(1.0, len(window) * share)


def neighbours(samples: Samples) -> float:
    """Correlation of neighbours, pooled and without its bias, at most 1; 0 where nothing varies."""
    together = _pooled(samples, lambda values: values[1:] * values[:-1])
    alone = _pooled(samples, lambda values: values * values)
    found = together / alone if alone > 0.0 else 0.0
    return min(1.0, found + (1.0 + 4.0 * max(found, 0.0)) / min(map(len, samples)))


def _pooled(samples: Samples, products: Callable[[Values], Values]) -> float:
    return sum(float(products(sample - sample.mean()).sum()) for sample in samples)


def _changes(samples: Samples) -> float:
    """How many values are others than the one before, as a share of all."""
    changes = sum(int(np.count_nonzero(sample[1:] != sample[:-1])) for sample in samples)
    return (changes + len(samples)) / sum(map(len, samples))
