"""Value at risk of geometric Brownian motion lies where its closed form says, seed after seed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

from stratvector.montecarlo import GeometricBrownianMotion

SEEDS = range(50)
PATHS = 10_000
STEPS = 4
STANDARD = NormalDist()


@dataclass(frozen=True)
class LongPosition:
    """One unit of one asset, whose price at the end is lognormal."""

    price: float
    drift: float
    volatility: float
    years: float

    def simulated(self, seed: int, paths: int = PATHS) -> Mapping[str, float]:
        model = GeometricBrownianMotion([self.drift], [self.volatility])
        years = self.years / STEPS
        return model.run(
            [self.price], num_simulations=paths, time_steps=STEPS, step_years=years, seed=seed
        ).statistics

    def _log(self) -> NormalDist:
        mean = (self.drift - self.volatility**2 / 2) * self.years
        return NormalDist(mean, self.volatility * math.sqrt(self.years))

    def value_at_risk(self, level: float) -> float:
        return self.price - self.price * math.exp(self._log().inv_cdf(1 - level))

    def conditional_value_at_risk(self, level: float) -> float:
        """From E[S; S < s] = E[S] · Φ(d − σ√T), d the standard normal quantile of s."""
        deviation = self.volatility * math.sqrt(self.years)
        share = STANDARD.cdf(STANDARD.inv_cdf(1 - level) - deviation) / (1 - level)
        return self.price - self.price * math.exp(self.drift * self.years) * share

    def standard_error(self, level: float, paths: int = PATHS) -> float:
        """Of a sample's quantile: √(p(1 − p)/n) / density."""
        end = self.price - self.value_at_risk(level)
        density = self._log().pdf(math.log(end / self.price)) / end
        return math.sqrt(level * (1 - level) / paths) / density


POSITION = LongPosition(price=100.0, drift=0.05, volatility=0.2, years=1.0)


def test_value_at_risk_of_every_seed_is_within_three_standard_errors_of_the_closed_form(
    say: Callable[[str], None],
) -> None:
    for name, level in (("var_95", 0.95), ("var_99", 0.99)):
        exact, error = POSITION.value_at_risk(level), POSITION.standard_error(level)
        scores = [(POSITION.simulated(seed)[name] - exact) / error for seed in SEEDS]
        squares = sum(score**2 for score in scores)
        worst = max(scores, key=abs)
        say(
            f"GBM {name}, {len(SEEDS)} seeds of {PATHS:,} paths against {exact:.4f}: worst z "
            f"{worst:+.2f}, mean z {sum(scores) / len(scores):+.3f}, chi-square {squares:.1f}"
        )
        assert abs(worst) <= 3
        # 0.1 % and 99.9 % quantiles of chi-square with 50 degrees of freedom.
        assert 24.67 < squares < 86.66


def test_the_error_shrinks_with_the_root_of_the_paths() -> None:
    paths = 1_000_000
    found = POSITION.simulated(seed=7, paths=paths)
    for level in (0.95, 0.99):
        error = POSITION.standard_error(level, paths)
        assert abs(found[f"var_{level * 100:.0f}"] - POSITION.value_at_risk(level)) < 4 * error
        # The tail's mean varies a little more than its edge.
        expected = POSITION.conditional_value_at_risk(level)
        assert abs(found[f"cvar_{level * 100:.0f}"] - expected) < 8 * error
    mean = 100.0 * math.expm1(POSITION.drift)
    deviation = (100.0 + mean) * math.sqrt(math.expm1(POSITION.volatility**2))
    assert abs(found["profit_mean"] - mean) < 4 * deviation / math.sqrt(paths)
    assert abs(found["profit_standard_deviation"] / deviation - 1) < 0.01
