"""What of a model is compared: its returns, their size, and its signals."""

import numpy as np

from stratvector.drift.model_drift import Feature, FeatureDrift
from stratvector.drift.rules import VALUES_MIN
from stratvector.drift.score import compare
from stratvector.drift.split_series import Sample, SplitSeries


def feature_drifts(
    returns: SplitSeries, signals: SplitSeries, bins: int
) -> tuple[FeatureDrift, ...]:
    """Every feature, also those that have too few values for a score.

    Volatility is the distance of each return from the median of the reference: a change of scale
    moves the distribution of returns little, as seen by Kolmogorov and Smirnov, and this one much.
    """
    reference, window = returns.split()
    middle = float(np.median(reference.values)) if reference.span.count else 0.0
    return (
        _compared(Feature.RETURNS, reference, window, bins),
        _compared(
            Feature.VOLATILITY, _distances(reference, middle), _distances(window, middle), bins
        ),
        _compared(Feature.SIGNALS, *signals.split(), bins),
    )


def _distances(sample: Sample, middle: float) -> Sample:
    return Sample(np.abs(sample.values - middle), sample.span)


def _compared(feature: Feature, reference: Sample, window: Sample, bins: int) -> FeatureDrift:
    spans = (reference.span, window.span)
    if min(span.count for span in spans) < VALUES_MIN:
        return FeatureDrift(feature, *spans, lack=_lack(feature, sum(s.count for s in spans)))
    found = compare(reference.values, window.values, bins)
    return FeatureDrift(feature, *spans, found.index, found.distance, found.p_value, found.score)


def _lack(feature: Feature, count: int) -> str:
    """Volatility is told of returns: the same values are missing."""
    what = "signals" if feature is Feature.SIGNALS else "returns while invested"
    return f"there are {count} {what}; {2 * VALUES_MIN} are needed"
