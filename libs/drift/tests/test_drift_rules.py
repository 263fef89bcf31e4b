"""The rules of a watch: what is refused, and which band a score belongs to."""

import math
from typing import Any

import pytest

from stratvector.drift import BadDriftRules, Band, DriftRules


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"every_hours": 0}, "every_hours is 0; it must be a whole number from 1 to 8784"),
        ({"every_hours": True}, "every_hours is True; it must be a whole number"),
        ({"reference_closes": 99}, "reference_closes is 99; it must be a whole number from 100"),
        ({"window_closes": 250.0}, "window_closes is 250.0; it must be a whole number"),
        ({"bins": 1}, "bins is 1; it must be a whole number from 2 to 20"),
        ({"bins": "ten"}, "bins is 'ten'; it must be a whole number"),
        ({"warning": 0}, "warning is 0; 0 < warning < 1 must hold"),
        ({"critical": math.nan}, "critical is nan; 0 < critical < 1 must hold"),
        ({"warning": 0.9}, "warning is 0.9, above critical 0.8; warning <= critical must hold"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_in_one_sentence(
    rules: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadDriftRules) as refused:
        DriftRules(**rules)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (0.0, Band.GOOD),
        (0.499, Band.GOOD),
        (0.5, Band.WARNING),
        (0.8, Band.CRITICAL),
        (1.0, Band.CRITICAL),
        (math.nan, Band.UNKNOWN),
    ],
)
def test_a_band_begins_at_its_score(score: float, band: Band) -> None:
    assert DriftRules().band(score) is band
