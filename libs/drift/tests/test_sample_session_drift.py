"""The shipped sample session: its models watched over their real returns, and over planted ones."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from stratvector.config import load_session
from stratvector.drift import DriftRules, ModelDrift, ModelWatch
from stratvector.drift.features import feature_drifts
from stratvector.drift.model_series import ModelSeries
from stratvector.drift.split_series import SplitSeries
from stratvector.trading.bars import ClosedBars
from stratvector.trading.session import Session
from stratvector.trading.signals import Signals
from tests.sessions.hand_fed import signals_of

CONFIG = Path(__file__).parents[3] / "config" / "system.yaml"
MODELS = ("EquityTrendModel_v1", "IndexMeanReversionModel_v1", "CryptoMomentumModel_v1")
RULES = DriftRules()
SEEDS = 200


@cache
def sample() -> Session:
    return load_session(CONFIG)


def universe_of(model: str) -> str:
    return next(m.universe for m in sample().portfolio.models if m.name == model)


def closes(model: str) -> Iterator[tuple[ClosedBars, Signals]]:
    session = sample()
    for bars in session.sections(universe_of(model), session.start - 1):
        yield bars, signals_of(session, model, bars.close_time)


@cache
def invested_returns(model: str) -> tuple[float, ...]:
    series = ModelSeries(sample().portfolio.universe(universe_of(model)).symbols)
    found = (series.take(bars, signals).returns for bars, signals in closes(model))
    return tuple(value for value in found if value is not None)


def score_of(returns: np.ndarray) -> float:
    """Of returns alone; the signals stay what they are."""
    split = SplitSeries(RULES.reference_closes, RULES.window_closes)
    signals = SplitSeries(RULES.reference_closes, RULES.window_closes)
    for close, value in enumerate(returns.tolist()):
        split.append(close, value)
        signals.append(close, 0.5)
    return max(one.score for one in feature_drifts(split, signals, RULES.bins))


@pytest.mark.parametrize("model", MODELS)
def test_draws_of_a_models_returns_score_low_and_doubled_ones_high(
    model: str, say: Callable[[str], None]
) -> None:
    returns, random = np.array(invested_returns(model)), np.random.default_rng(1)
    count = RULES.reference_closes + RULES.window_closes
    unchanged, doubled = [], []
    for _ in range(SEEDS):
        drawn = random.choice(returns, count)
        unchanged.append(score_of(drawn))
        drawn[RULES.reference_closes :] *= 2.0
        doubled.append(score_of(drawn))
    say(
        f"drift score of {model}, {SEEDS} draws of its {len(returns)} returns: unchanged at most "
        f"{max(unchanged):.3f}, doubled at least {min(doubled):.3f}"
    )
    assert max(unchanged) < 0.3
    assert min(doubled) > 0.8


def final(model: str) -> ModelDrift:
    """Where a model stands at the session's end, as the session went."""
    watch = ModelWatch(model, sample().portfolio.universe(universe_of(model)).symbols, RULES)
    for bars, signals in closes(model):
        watch.take(bars, signals)
    return watch.drift()


def test_every_model_of_the_sample_session_has_a_score_at_its_end(
    say: Callable[[str], None],
) -> None:
    """The crypto model's reference begins in the winter of 2017: it met half of that since."""
    found = {model: final(model) for model in MODELS}
    for model, drift in found.items():
        told = ", ".join(f"{one.feature} {one.score:.3f}" for one in drift.features)
        say(f"drift score of {model} at the sample session's end: {drift.score:.3f} ({told})")
    assert {drift.reason for drift in found.values()} == {""}
    assert found["EquityTrendModel_v1"].score < 0.5
    assert found["IndexMeanReversionModel_v1"].score < 0.5
    assert found["CryptoMomentumModel_v1"].score > 0.8
