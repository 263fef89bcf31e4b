"""What bars may say."""

from typing import Final

import numpy as np

from stratvector.trading.bars import PRICES, ClosedBars
from stratvector.trading.meaning.rules import PRICE_MAX, check_close, check_once, check_same
from stratvector.trading.portfolio import Universe
from stratvector.trading.unfit import Absurd

ROUNDING: Final = 1e-9  # of a price: aggregated highs and lows may miss it by a last digit


def check_bars(bars: ClosedBars) -> None:
    """Each bar has all five values or none; prices above 0, high and low enclose open and close,
    volume at least 0; the opening is before the close, the next close after it. Raises Absurd.
    """
    check_close("close_time", bars.close_time)
    check_once("symbol", bars.symbols)
    if not 0 <= bars.open_time < bars.close_time:
        raise Absurd(
            f"open_time is {bars.open_time} ns; 0 <= open_time < close_time must hold, and "
            f"close_time is {bars.close_time}"
        )
    if bars.next_close and bars.next_close <= bars.close_time:
        raise Absurd(
            f"next_close is {bars.next_close} ns; it must be 0, which is never again, or after "
            f"close_time, which is {bars.close_time}"
        )
    values = np.array([bars.open, bars.high, bars.low, bars.close, bars.volume])
    absent = np.isnan(values)
    low, high = np.minimum(values[0], values[3]), np.maximum(values[0], values[3])
    fits = (
        (values[:4] > 0.0).all(axis=0)
        & (values[:4] <= PRICE_MAX).all(axis=0)
        & (values[1] >= high * (1 - ROUNDING))
        & (values[2] <= low * (1 + ROUNDING))
        & (values[4] >= 0.0)
        & np.isfinite(values[4])
    )
    if not (fits | absent.all(axis=0)).all():
        column = int(np.argmin(fits | absent.all(axis=0)))
        raise Absurd(_sentence(bars.symbols[column], values[:, column].tolist()))


def check_bars_of(
    bars: ClosedBars, universe: Universe, newest: int, promised: int | None = None
) -> None:
    """The universe's own bars, of a close after `newest` (ns UTC). Raises Absurd.

    promised : the next close as the message before told it, None where there is none. Symbols are
    the reader's affair, as it takes columns by place.
    """
    check_same("universe", bars.universe, universe.name)
    check_same("timeframe", bars.timeframe, universe.timeframe)
    if bars.close_time <= newest:
        raise Absurd(
            f"close_time is {bars.close_time} ns, but the close before was {newest}; "
            "close times must increase"
        )
    if promised is not None and bars.close_time != promised:
        raise Absurd(
            f"close_time is {bars.close_time} ns, but the message before said that the next close "
            f"is {promised}"
        )


def _sentence(symbol: str, values: list[float]) -> str:
    told = ", ".join(
        f"{name} {value:g}" for name, value in zip((*PRICES, "volume"), values, strict=True)
    )
    return (
        f"the bar of {symbol} has {told}; 0 < low <= open, close <= high <= {PRICE_MAX:g} and "
        "volume >= 0 must hold, or all five are missing"
    )
