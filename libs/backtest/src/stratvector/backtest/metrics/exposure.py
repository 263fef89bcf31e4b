"""How much of equity was at work."""

import math

import numpy as np

from stratvector.backtest.metrics.arrays import Floats


def exposure(gross_exposure: Floats) -> float:
    """Return the mean gross exposure over closes, a fraction of equity; above 1 is leverage.

    gross_exposure : ndarray of shape (T,), sum of absolute positions / equity after each close;
    NaN closes are left out. NaN when none remains.
    """
    present = gross_exposure[~np.isnan(gross_exposure)]
    return float(np.mean(present)) if present.size else math.nan
