"""The loopback exchange's prices: a function of symbol and time alone, known to any process."""

import math
from dataclasses import dataclass, replace
from random import Random

NANOSECONDS_PER_SECOND = 1_000_000_000
_MINUTE = 60 * NANOSECONDS_PER_SECOND
_BASES = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL": 150.0}


@dataclass(frozen=True)
class Row:
    """A candle as the exchange holds it. open_time : UTC ns; prices in cents, volume in 1e-4."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    def scaled(self, factor: float) -> "Row":
        """The same candle at other prices."""
        prices = {
            name: round(getattr(self, name) * factor, 2)
            for name in ("open", "high", "low", "close")
        }
        return replace(self, **prices)


def price(symbol: str, time: int) -> float:
    """The last trade at a time: a slow wave, and a step each minute."""
    base = _BASES[symbol.partition("-")[0]]
    noise = Random(f"{symbol} {time // _MINUTE}").uniform(-0.002, 0.002)
    return round(base * (1.0 + 0.05 * math.sin(time / (7_200 * _MINUTE)) + noise), 2)


def candle(symbol: str, open_time: int, length: int, now: int) -> Row:
    """The candle that opens then, as traded up to `now`: final from its close on."""
    until = min(now, open_time + length)
    first, last = price(symbol, open_time), price(symbol, until)
    spread = Random(f"{symbol} {open_time} {length}")
    above, below, volume = spread.random(), spread.random(), spread.uniform(1.0, 50.0)
    part = (until - open_time) / length
    return Row(
        open_time=open_time,
        open=first,
        high=round(max(first, last) * (1.0 + 0.001 * above * part), 2),
        low=round(min(first, last) * (1.0 - 0.001 * below * part), 2),
        close=last,
        volume=round(volume * part, 4),
    )
