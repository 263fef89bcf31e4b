"""Types of the compiled module."""

from collections.abc import Iterator, Mapping
from typing import Protocol, final

class Numbers(Protocol):
    """A list, a tuple, a NumPy array: anything of a length that gives numbers."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[float]: ...

class Rows(Protocol):
    """The same of rows of numbers."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Numbers]: ...

@final
class GeometricBrownianMotion:
    """Correlated geometric Brownian motion, per year: dS/S = drift dt + volatility dW.

    drift : growth of each asset's expected price per year, 1 to 256 numbers. volatility :
    standard deviation of each asset's log return over a year, 0 or more. correlation : of the log
    returns, assets x assets, positive semidefinite; None is independent assets. Raises ValueError
    with the inequality that does not hold; NaN is always refused. Source: Glasserman, Monte Carlo
    Methods in Financial Engineering (2003), section 3.2.
    """

    def __new__(
        cls,
        drift: Numbers,
        volatility: Numbers,
        correlation: Rows | None = None,
    ) -> GeometricBrownianMotion: ...
    def run(
        self,
        initial_prices: Numbers,
        quantities: Numbers | None = None,
        cash: float = 0.0,
        num_simulations: int = 10_000,
        time_steps: int = 252,
        step_years: float = ...,
        seed: int = 0,
        levels: Numbers = (0.95, 0.99),
        threads: int | None = None,
    ) -> ScenarioResult:
        """Simulate a portfolio that is held without trading, and sum its paths up.

        initial_prices : base currency per unit, above 0. quantities : units held of each asset,
        negative is short; None is one each. cash : base currency, stays as it is. num_simulations
        : paths, 1 to 10,000,000. time_steps : of each path, 1 to 100,000. step_years : length of
        one, 1/252 unless told. seed : 0 to 2**64 - 1. levels : of value at risk, each between 0
        and 1, at most 100. threads : None is one per processor; changes no bit of the result.

        Other Python threads run meanwhile; Ctrl-C ends it within a moment. Raises ValueError with
        the inequality that does not hold.
        """

@final
class ScenarioResult:
    """What all paths say. Profit is the value at the end less that at the start, base currency.

    Figures that are not defined are NaN: the standard deviation of one path, and drawdowns where
    the value of a path is not above 0.
    """

    @property
    def initial_value(self) -> float:
        """Value at the start, base currency."""

    @property
    def statistics(self) -> Mapping[str, float]:
        """`var_95` and `cvar_95` for each level (0.975 is `97_5`), `profit_mean`,
        `profit_standard_deviation`, `max_drawdown_mean`.

        Value at risk: the quantile of the losses, base currency, positive is a loss. Conditional:
        the mean of the losses that are at least as large. Max drawdown: deepest fall from a peak at
        the ends of steps, fraction, 0 or below.
        """

    @property
    def percentiles(self) -> Mapping[str, float]:
        """Profit at `p1`, `p5`, `p10`, `p25`, `p50`, `p75`, `p90`, `p95`, `p99`; observed ones."""

    @property
    def max_drawdown_percentiles(self) -> Mapping[str, float]:
        """Deepest fall at the same percentiles, fraction."""

    @property
    def simulations(self) -> int:
        """Number of paths."""

    @property
    def seed(self) -> int:
        """Seed of all draws."""
