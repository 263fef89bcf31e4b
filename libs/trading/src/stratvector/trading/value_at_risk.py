"""value_at_risk: what is asked about a portfolio's next day, and what the answer does to budgets.

    daily marks ─▶ covariance ─▶ Question ─▶ Monte Carlo ─▶ ValueAtRisk ─▶ a decision records it
                                                                  └─▶ multipliers of later closes

A cap is a control loop: what is measured is the portfolio under the factor in force, so the next
factor is that one times cap / loss, within a half and twice of it per figure, as positions follow
with a delay. A figure stays in force until the next one is recorded.

The figure comes from outside event time: it enters the log in the decision of the close at which it
arrived, and weighs on the closes after that one. So a replay needs no Monte Carlo.
"""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried, CarriedDate
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY

LEVEL = 0.95
HORIZON_DAYS = 1.0
DAYS_PER_YEAR = 365.0  # marks are taken every calendar day, so a day is the unit of variance
RETURNS_MIN, RETURNS_MAX = 30, 250
STEP_MIN, STEP_MAX = 0.5, 2.0  # of the factor, from one figure to the next
FACTOR_MIN = 0.01  # never 0: from there no figure could lead back

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """What is asked at a close: correlated geometric Brownian motion without growth.

    symbols : those that are held. prices : base currency per unit. quantities : signed units.
    volatilities : per square root of a year. correlation : rows of the symbols' correlation.
    cash : base currency. factor : on all budgets, in force at the close.
    """

    as_of: int
    symbols: tuple[str, ...]
    prices: tuple[float, ...]
    quantities: tuple[float, ...]
    cash: float
    volatilities: tuple[float, ...]
    correlation: tuple[tuple[float, ...], ...]
    seed: int
    factor: float = 1.0


class NoQuestion(ValueError):
    """There is nothing to ask at a close; the sentence says why."""


class NothingHeld(NoQuestion):
    """Whoever holds nothing loses nothing: the figure is 0 without being asked for."""


class DailyMarks:
    """The last mark of every symbol at the end of each UTC date, folded close by close.

    A date is complete when a close of a later one is seen. A symbol's mark is its last close that
    was not NaN; before its first one it is NaN.
    """

    def __init__(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio
        self.marks: Floats = np.full(len(portfolio.symbols), np.nan)
        self._dates: deque[Floats] = deque(maxlen=RETURNS_MAX + 1)
        self._date = -1

    def observe(self, close_time: int, bars: Sequence[ClosedBars]) -> None:
        """Fold the bars of one close, in the order of the closes."""
        date = _date_of(close_time)
        if date != self._date and self._date >= 0:
            self._dates.append(self.marks.copy())
        self._date = date
        for section in bars:
            columns = self._portfolio.columns(section.universe)
            close = np.asarray(section.close, dtype=np.float64)
            self.marks[columns] = np.where(np.isnan(close), self.marks[columns], close)

    def carried(self) -> tuple[CarriedDate, ...]:
        """The dates, and the newest marks as the last of them."""
        rows = [*self._dates, self.marks]
        return tuple(CarriedDate(tuple(row.tolist())) for row in rows)

    def begin(self, carried: Carried) -> None:
        """Go on from what a chapter begins with; what it adds has no marks yet."""
        places = {one.symbol: place for place, one in enumerate(carried.symbols)}
        known = [(s, places.get(symbol)) for s, symbol in enumerate(self._portfolio.symbols)]
        rows = [np.full(len(known), np.nan) for _ in carried.dates]
        for row, date in zip(rows, carried.dates, strict=True):
            for s, place in known:
                if place is not None:
                    row[s] = date.marks[place]
        self._dates.extend(rows[:-1])
        self.marks = rows[-1]
        self._date = _date_of(carried.close_time)

    def returns(self, held: Sequence[int]) -> Floats:
        """Log returns from date to date of some symbols, shape (dates, symbols).

        Only dates on which all of them have a mark above 0.
        """
        if len(self._dates) < 2:
            return np.empty((0, len(held)))
        marks = np.array(self._dates)[:, list(held)]
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(marks)
        found: Floats = np.diff(logs, axis=0)
        return found[np.isfinite(found).all(axis=1)]


def _date_of(close_time: int) -> int:
    """The UTC date that a close belongs to; one at midnight ends the date before."""
    return (close_time - 1) // NANOSECONDS_PER_DAY


def question(
    portfolio: Portfolio,
    as_of: int,
    daily: DailyMarks,
    lots: Mapping[str, int],
    equity: float,
    factor: float = 1.0,
) -> Question:
    """What to ask at a close.

    lots : signed, of the symbols that are held. equity : base currency. factor : on all budgets.
    Raises NoQuestion.
    """
    if not equity > 0:
        raise NoQuestion(f"equity is {equity}; equity > 0 must hold")
    held = [s for s, symbol in enumerate(portfolio.symbols) if lots.get(symbol)]
    if not held:
        raise NothingHeld("nothing is held")
    returns = daily.returns(held)
    if len(returns) < RETURNS_MIN:
        raise NoQuestion(f"there are {len(returns)} daily returns; it takes {RETURNS_MIN}")
    symbols = tuple(portfolio.symbols[s] for s in held)
    sizes = [float(portfolio.instruments[s].lot_size) for s in held]
    quantities = [lots[symbol] * size for symbol, size in zip(symbols, sizes, strict=True)]
    prices = daily.marks[held].tolist()
    cash = equity - sum(q * p for q, p in zip(quantities, prices, strict=True))
    volatilities, correlation = _moments(returns)
    seed = _seed(portfolio.name, as_of)
    return Question(
        as_of,
        symbols,
        tuple(prices),
        tuple(quantities),
        cash,
        volatilities,
        correlation,
        seed,
        factor,
    )


def no_loss(portfolio: Portfolio, as_of: int, factor: float) -> ValueAtRisk:
    """The figure of a portfolio that holds nothing."""
    return ValueAtRisk(as_of, HORIZON_DAYS, 0.0, 0.0, 0, _seed(portfolio.name, as_of), factor)


def multipliers(portfolio: Portfolio, figure: ValueAtRisk | None) -> tuple[float, ...]:
    """Factor on each model's budget: 1, or what brings the value at risk down to its limit."""
    limit, factor = portfolio.limits.value_at_risk, 1.0
    if limit is not None and figure is not None:
        step = STEP_MAX if figure.var_95 <= 0 else limit / figure.var_95
        factor = figure.factor * min(max(step, STEP_MIN), STEP_MAX)
        factor = min(max(factor, FACTOR_MIN), 1.0)
    return tuple(factor for _ in portfolio.models)


def _moments(returns: Floats) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Volatilities per square root of a year, and the correlation; a symbol that never moved is
    correlated with itself alone.
    """
    covariance = np.atleast_2d(np.cov(returns, rowvar=False))
    deviations = np.sqrt(np.diag(covariance))
    scale = np.where(deviations > 0, deviations, 1.0)
    correlation = np.clip(covariance / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    volatilities = deviations * np.sqrt(DAYS_PER_YEAR)
    return tuple(volatilities.tolist()), tuple(tuple(row) for row in correlation.tolist())


def _seed(portfolio: str, as_of: int) -> int:
    """A seed of 63 bits that names portfolio and close."""
    digest = hashlib.sha256(f"value at risk\x1f{portfolio}\x1f{as_of}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
