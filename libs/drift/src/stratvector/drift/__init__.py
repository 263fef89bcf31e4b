"""drift: how far a model has moved from its reference. Pure: a function of what it is given."""

from stratvector.drift.kolmogorov_smirnov import kolmogorov_smirnov
from stratvector.drift.model_drift import Feature, FeatureDrift, ModelDrift, Span
from stratvector.drift.model_series import SeriesState
from stratvector.drift.model_watch import ModelWatch, WatchState
from stratvector.drift.population_stability_index import population_stability_index
from stratvector.drift.rules import BadDriftRules, Band, DriftRules
from stratvector.drift.samples import BadSample
from stratvector.drift.score import Comparison, compare

__all__ = [
    "BadDriftRules",
    "BadSample",
    "Band",
    "Comparison",
    "DriftRules",
    "Feature",
    "FeatureDrift",
    "ModelDrift",
    "ModelWatch",
    "SeriesState",
    "Span",
    "WatchState",
    "compare",
    "kolmogorov_smirnov",
    "population_stability_index",
]
