"""What a finished run says of its own pace: too few days for a year, bars coarser than a day."""

import math
from statistics import stdev

import numpy as np
import pytest

from stratvector.backtest import Backtest, Result
from tests.sessions.buy_and_hold import FREE, BuyAndHold, panel

WORKDAYS = [d for d in range(7 * 27) if (d + 2) % 7 < 5]  # day 0 closes a Wednesday


def run(days: list[int]) -> Result:
    """One symbol held from the first close on, of prices that are the same for every pace."""
    random = np.random.default_rng(8)
    walk = 100.0 * np.cumprod(1.0 + random.normal(0.0005, 0.01, max(days) + 1))
    return Backtest(panel([[float(walk[d])] for d in days], days), BuyAndHold(), costs=FREE).run()


def codes(result: Result) -> list[str]:
    return [caveat.code for caveat in result.caveats]


def test_a_session_of_workdays_has_no_caveat_of_its_pace() -> None:
    result = run(WORKDAYS)
    assert codes(result) == []
    equity = result.equity["equity"].to_numpy()
    returns = (equity[1:] / equity[:-1] - 1.0).tolist()
    per_year = len(returns) * 365.25 / (WORKDAYS[-1] - WORKDAYS[0])
    assert result.metrics["annualized_volatility"] == pytest.approx(
        stdev(returns) * math.sqrt(per_year)
    )


@pytest.mark.parametrize(("step", "said"), [(7, "every 7 days"), (30, "every 30 days")])
def test_bars_coarser_than_a_day_are_a_caveat_and_a_year_of_their_own(step: int, said: str) -> None:
    result = run([step * n for n in range(53)])
    assert codes(result) == ["coarse_bars"]
    assert said in result.caveats[0].sentence
    equity = result.equity["equity"].to_numpy()
    returns = (equity[1:] / equity[:-1] - 1.0).tolist()
    assert result.metrics["annualized_volatility"] == pytest.approx(
        stdev(returns) * math.sqrt(365.25 / step)
    )


def test_a_short_session_says_how_many_returns_and_days_it_has() -> None:
    result = run(list(range(9)))
    (caveat,) = result.caveats
    assert (caveat.code, caveat.count) == ("too_short_to_annualise", 8)
    assert caveat.sentence == (
        "8 daily returns over 8.00 days tell no year (it takes 30 returns and 90 days): "
        "annualised figures, ratios and bps are undefined"
    )


def test_a_short_week_with_its_weekend_is_not_taken_for_coarse_bars() -> None:
    assert codes(run([0, 1, 2, 5, 6])) == ["too_short_to_annualise"]
