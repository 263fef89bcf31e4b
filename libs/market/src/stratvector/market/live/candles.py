"""Candles as a venue tells them: judged one by one, and what a feed reports of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stratvector.trading.bad_bars import BadBar, BadPrice, BadVolume, InconsistentRange
from stratvector.trading.bars import ENCLOSED, PRICES, ClosedBars
from stratvector.trading.timestamps import utc_text

NANOSECONDS_PER_MILLISECOND = 1_000_000


class OffGrid(BadBar):
    """A candle that opens between two opens of its timeframe."""

    def __init__(self, symbol: str, open_time: int, length: int, timeframe: str) -> None:
        self.open_time, self.timeframe = open_time, timeframe
        super().__init__(
            symbol,
            open_time + length,
            f"the candle opens at {utc_text(open_time)}, but a candle of {timeframe} opens at a "
            "whole multiple of its length",
        )


@dataclass(frozen=True)
class Candle:
    """One closed candle. close_time : UTC ns; prices per unit; volume in units."""

    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Refusal:
    """A candle that broke a rule and counts as missing. seen_at : when it came, UTC ns."""

    symbol: str
    close_time: int
    sentence: str
    seen_at: int


@dataclass(frozen=True)
class Correction:
    """A candle that the venue tells otherwise than it did before, after its close was given.

    old : what the venue said before; None = the close was given without this candle, which came
    too late. What was given stays as it is. seen_at : UTC ns.
    """

    symbol: str
    close_time: int
    old: Candle | None
    new: Candle
    seen_at: int


@dataclass(frozen=True, eq=False)
class ClosedCandles:
    """One close of the grid, given once.

    bars : all symbols in the feed's order; NaN where a candle is missing.
    missing : why, by symbol. filled : whether it was read from history, after its deadline.
    refusals, corrections : what was met since the close before, of any close.
    given_at : UTC ns; for metrics, never for results.
    """

    bars: ClosedBars
    missing: Mapping[str, str]
    filled: bool
    refusals: tuple[Refusal, ...]
    corrections: tuple[Correction, ...]
    given_at: int


def judged(symbol: str, row: list[float | None], length: int, timeframe: str) -> Candle:
    """The candle of a row: its open in ms, open, high, low, close, volume; None = no number.

    length : of the timeframe, ns. Raises OffGrid, BadPrice, BadVolume or InconsistentRange.
    """
    open_time = int(row[0] or 0) * NANOSECONDS_PER_MILLISECOND
    close_time = open_time + length
    if open_time % length:
        raise OffGrid(symbol, open_time, length, timeframe)
    prices = dict(zip(PRICES, (_number(value) for value in row[1:5]), strict=True))
    volume = _number(row[5])
    for name, price in prices.items():
        if not 0.0 < price < math.inf:
            raise BadPrice(symbol, close_time, name, price)
    if not 0.0 <= volume < math.inf:
        raise BadVolume(symbol, close_time, volume)
    for outer, inner in ENCLOSED:
        above, below = (outer, inner) if outer == "high" else (inner, outer)
        if prices[above] < prices[below]:
            raise InconsistentRange(symbol, close_time, outer, prices[outer], inner, prices[inner])
    return Candle(close_time, **prices, volume=volume)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
