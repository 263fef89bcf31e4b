"""What is compared with what, how often, and from which score on it is worth a look."""

import math
from dataclasses import dataclass, fields
from enum import StrEnum

VALUES_MIN = 100  # in reference and in window: with fewer, p-values are no probabilities
BINS_MIN, BINS_MAX = 2, 20
HOURS_MAX = 24 * 366


class BadDriftRules(ValueError):
    """Rules that no watch can follow; the message is one sentence."""


class Band(StrEnum):
    """What a score means to whoever reads it."""

    GOOD = "good"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class DriftRules:
    """How models are watched.

    every_hours : event time between two checks. reference_closes, window_closes : the most values
    of a feature in its reference and in its window. bins : the most cells of PSI. warning,
    critical : scores from which a band begins. Raises BadDriftRules.
    """

    every_hours: int = 6
    reference_closes: int = 600
    window_closes: int = 600
    bins: int = 10
    warning: float = 0.5
    critical: float = 0.8

    def __post_init__(self) -> None:
        for name, low, high in (
            ("every_hours", 1, HOURS_MAX),
            ("reference_closes", VALUES_MIN, 10**6),
            ("window_closes", VALUES_MIN, 10**6),
            ("bins", BINS_MIN, BINS_MAX),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise BadDriftRules(
                    f"{name} is {value!r}; it must be a whole number from {low} to {high}"
                )
        for name in ("warning", "critical"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < 1:
                raise BadDriftRules(f"{name} is {value!r}; 0 < {name} < 1 must hold")
        if not self.warning <= self.critical:
            raise BadDriftRules(
                f"warning is {self.warning}, above critical {self.critical}; "
                "warning <= critical must hold"
            )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all rules."""
        return tuple(field.name for field in fields(cls))

    def band(self, score: float) -> Band:
        """The band of a score; NaN is unknown."""
        if math.isnan(score):
            return Band.UNKNOWN
        if score >= self.critical:
            return Band.CRITICAL
        return Band.WARNING if score >= self.warning else Band.GOOD
