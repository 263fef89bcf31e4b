"""pandas and scipy for the indicators that TA-Lib does not define, on bars without gaps."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats  # type: ignore[import-untyped]

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators import Indicators
from stratvector.strategies.trial_bars import trial_bars

BARS = trial_bars(300, 3, seed=2, gaps=0.0)
INDICATORS = Indicators(BARS)
CLOSE, VOLUME = pd.DataFrame(BARS.close), pd.DataFrame(BARS.volume)
TYPICAL = (CLOSE + BARS.high + BARS.low) / 3.0
FLOW = ((CLOSE - BARS.low) - (BARS.high - CLOSE)) / (BARS.high - BARS.low) * BARS.volume


def close_to(ours: Floats, theirs: pd.DataFrame) -> None:
    np.testing.assert_allclose(ours, theirs.to_numpy(), rtol=1e-8, atol=1e-10)


def test_volatility_is_the_sample_deviation_of_the_returns_annualised() -> None:
    log, simple = np.log(CLOSE).diff(), CLOSE.pct_change()
    close_to(INDICATORS.volatility(20, 252.0), log.rolling(20).std() * np.sqrt(252.0))
    expected = simple.rolling(20).std() * np.sqrt(365.0)
    close_to(INDICATORS.volatility(20, 365.0, "simple"), expected)


@pytest.mark.parametrize("name", ["skew", "kurtosis"])
def test_skew_and_kurtosis_are_scipys(name: str) -> None:
    formula = getattr(stats, name)
    close_to(getattr(INDICATORS, name)(20), CLOSE.rolling(20).apply(formula, raw=True))


def test_ranks_are_those_of_pandas_in_time_and_across_symbols() -> None:
    rounded = CLOSE.round(0)
    array = rounded.to_numpy().copy()
    close_to(INDICATORS.percentile_rank(20, of=array), rounded.rolling(20).rank(pct=True))
    close_to(INDICATORS.rank(of=array), rounded.rank(axis=1, pct=True))


def test_money_flow_and_vwap_are_quotients_of_rolling_sums() -> None:
    volume = VOLUME.rolling(20).sum()
    close_to(INDICATORS.cmf(20), FLOW.rolling(20).sum() / volume)
    close_to(INDICATORS.vwap(20), (TYPICAL * VOLUME).rolling(20).sum() / volume)


def test_a_symbol_to_compare_with_serves_all_symbols() -> None:
    market = CLOSE[1]
    expected = CLOSE.apply(lambda column: column.rolling(20).corr(market))
    close_to(INDICATORS.correlation(20, "TRIAL1"), expected)
    returns = CLOSE.pct_change()
    covariance = returns.apply(lambda column: column.rolling(20).cov(returns[1]))
    expected = covariance.div(returns[1].rolling(20).var(), axis=0)
    close_to(INDICATORS.beta(20, "TRIAL1"), expected)


def test_a_keltner_channel_is_the_exponential_average_and_a_width_of_true_ranges() -> None:
    channel = INDICATORS.keltner(20, 1.5, 10, tolerance=0.001)
    middle = INDICATORS.ema(20, tolerance=0.001)
    half = 1.5 * INDICATORS.atr(10, 0.001)
    np.testing.assert_array_equal(channel.middle, middle)
    np.testing.assert_allclose(channel.upper, middle + half, rtol=1e-14)
    np.testing.assert_allclose(channel.lower, middle - half, rtol=1e-14)
