"""Every registered model earns both certificates, with defaults and on any bars with gaps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.strategies import (
    MODELS,
    CryptoMomentumModel,
    EquityTrendModel,
    IndexMeanReversionModel,
    MeanReversionStrategy,
    MomentumStrategy,
    certify,
    create,
)
from stratvector.strategies.bad_strategy import TooFewCloses
from stratvector.strategies.trial_bars import scrambled_after, trial_bars
from stratvector.trading.strategy import Strategy

HOUSE = sorted(name for name, m in MODELS.items() if m.__module__.startswith("stratvector."))

SMALL: list[Strategy] = [
    EquityTrendModel(12, 4, 5, max_positions=2),
    EquityTrendModel(9, 2, 6, equal_weight=False, max_positions=3, bars_per_day=2),
    IndexMeanReversionModel(rsi_period=1, rsi_oversold=40, rsi_overbought=60, bb_period=6),
    CryptoMomentumModel(2, 5, 3),
    CryptoMomentumModel(1, 2, 1, bars_per_day=6),
    MomentumStrategy(3, 8),
    MeanReversionStrategy(6, 0.8),
]


@pytest.mark.parametrize("model", HOUSE)
@pytest.mark.parametrize("bars_per_day", [1, 6])
def test_every_registered_model_is_certified_with_its_defaults(
    model: str, bars_per_day: int
) -> None:
    strategy = create(model, {}, bars_per_day)
    certificate = certify(strategy, trial_bars(strategy.history + 60, seed=1))
    assert certificate.holds, str(certificate)


@pytest.mark.parametrize("strategy", SMALL, ids=str)
@settings(max_examples=6)
@given(
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    symbols=st.integers(1, 4),
)
def test_every_model_is_certified_on_any_bars_with_gaps(
    strategy: Strategy, seed: int, gaps: float, symbols: int
) -> None:
    bars = trial_bars(50, symbols, seed, gaps)
    certificate = certify(strategy, bars, seed)
    assert certificate.holds, str(certificate)
    assert certificate.closes == 50


def test_a_certificate_says_what_it_proves() -> None:
    assert str(certify(MomentumStrategy(2, 3))) == (
        "MomentumStrategy is causal: nothing up to a close depends on what comes after it\n"
        "MomentumStrategy needs its last 3 closes and its state, no more"
    )


def test_bars_that_are_shorter_than_the_history_certify_nothing() -> None:
    with pytest.raises(TooFewCloses, match="30 closes are too few to certify MomentumStrategy"):
        certify(MomentumStrategy(), trial_bars(30))


def test_scrambling_keeps_the_past_to_the_bit_and_changes_values_gaps_and_volume_after_it() -> None:
    bars = trial_bars(40, gaps=0.2)
    other = scrambled_after(bars, 19, seed=3)
    for name in ("open", "high", "low", "close", "volume"):
        before, after = getattr(bars, name), getattr(other, name)
        assert before[:20].tobytes() == after[:20].tobytes()
        assert not (before[20:] == after[20:]).any()
    missing, missing_then = bars.close[20:] != bars.close[20:], other.close[20:] != other.close[20:]
    assert (missing != missing_then).any()
    assert other.close_times.tobytes() == bars.close_times.tobytes()
