"""What a check found: one model against its reference, feature by feature."""

import math
from dataclasses import dataclass
from enum import StrEnum


class Feature(StrEnum):
    """What of a model is compared."""

    RETURNS = "returns"  # of its weights, at each close at which it is invested
    VOLATILITY = "volatility"  # their distances from the reference's median
    SIGNALS = "signals"  # net weight, at each close


@dataclass(frozen=True)
class Span:
    """Values of a series. first, last : their closes, ns UTC, 0 when there are none."""

    first: int
    last: int
    count: int


@dataclass(frozen=True)
class FeatureDrift:
    """One feature. index : PSI. distance : KS statistic, with its p_value. score : 0 to 1.

    All four are NaN while there are too few values; `lack` says so, and is empty otherwise.
    """

    feature: Feature
    reference: Span
    window: Span
    index: float = math.nan
    distance: float = math.nan
    p_value: float = math.nan
    score: float = math.nan
    lack: str = ""


@dataclass(frozen=True)
class ModelDrift:
    """One model at one close (ns UTC, 0 before the first).

    score : the largest of its features' scores, NaN when none has one. reason : why, empty when
    there is a score.
    """

    model: str
    close_time: int
    score: float
    reason: str
    features: tuple[FeatureDrift, ...]
