"""Price grids: how many decimals an instrument's prices keep, from the bars that it trades on.

What is derived goes into the portfolio's document, so that later bars never change it.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from stratvector.trading.bars import PRICES, Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.columns import Values
from stratvector.trading.instruments import PRECISION_MAX, Instrument

DIGITS_MAX = 15  # significant digits of a price: what a float64 keeps of every decimal
MOVE_MAX = 1e-4  # largest part of itself by which a price may be moved onto the grid
COARSE_TICK = 1e-3  # a tick above this part of the price is doubtful: slippage drowns in it
_HELD = 2.0**-50  # a price on the grid differs from it by a few units in the last place at most
_PROBE_ROWS = 64


# Many strategies are run over the same bars: what a grid follows from is read once.
_known: WeakKeyDictionary[Bars, dict[Instrument, tuple[Instrument, list[Caveat]]]] = (
    WeakKeyDictionary()
)


class BadPriceGrid(ValueError):
    """A grid that would change prices; the message names symbol, price, grid and rule."""


def price_grids(
    instruments: Sequence[Instrument], bars: Bars
) -> tuple[tuple[Instrument, ...], tuple[Caveat, ...]]:
    """The instruments of some bars, each with its grid, and caveats about coarse ones.

    Where price_precision is None it becomes the smallest number of decimals, at most 12, that
    holds every price to 15 significant digits. Raises BadPriceGrid where a given or the finest
    grid moves a price by more than 1e-4 of itself, or keeps more than 15 digits of one.
    """
    fixed, caveats = [], []
    known = _known.setdefault(bars, {})
    for column, instrument in zip(_places(instruments, bars), instruments, strict=True):
        if instrument not in known:
            known[instrument] = _grid(instrument, bars, column)
        own, doubts = known[instrument]
        fixed.append(own)
        caveats += doubts
    return tuple(fixed), tuple(caveats)


def _places(instruments: Sequence[Instrument], bars: Bars) -> list[int]:
    columns = {symbol: column for column, symbol in enumerate(bars.symbols)}
    return [columns[instrument.symbol] for instrument in instruments]


def _grid(instrument: Instrument, bars: Bars, column: int) -> tuple[Instrument, list[Caveat]]:
    panel = np.stack([getattr(bars, field)[:, column] for field in PRICES], axis=1)
    prices = panel[~np.isnan(panel)]
    derived = instrument.price_precision is None
    if derived:
        instrument = replace(instrument, price_precision=_smallest_precision(prices))
    _check(instrument, prices, derived)
    return instrument, _coarse(instrument, bars, bars.close[:, column])


def _smallest_precision(prices: Values) -> int:
    most = min(PRECISION_MAX, _largest_precision(prices))
    # A few prices say at once that most grids are too coarse for all of them.
    first = _holding(prices[:_PROBE_ROWS], 0, most)
    return _holding(prices, first, most)


def _holding(prices: Values, first: int, most: int) -> int:
    for precision in range(first, most):
        prices = prices[np.abs(_rounded(prices, precision) - prices) > prices * _HELD]
        if not len(prices):
            return precision
    return most


def _largest_precision(prices: Values) -> int:
    """With more decimals the highest price would have more digits than a float64 keeps."""
    highest = float(prices.max(initial=1e-300))
    return max(0, DIGITS_MAX - (math.floor(math.log10(highest)) + 1))


def _rounded(prices: Values, precision: int) -> Values:
    units = float(10**precision)
    rounded: Values = np.rint(prices * units) / units
    return rounded


def _check(instrument: Instrument, prices: Values, derived: bool) -> None:
    if not len(prices):
        return
    precision, symbol = instrument.decimals, instrument.symbol
    moved = np.abs(_rounded(prices, precision) - prices) / prices
    worst = int(np.argmax(moved))
    if moved[worst] > MOVE_MAX:
        remedy = (
            "give its prices in a larger unit"
            if derived
            else f"give {_smallest_precision(prices)}, or leave price_precision out"
        )
        raise BadPriceGrid(
            f"{symbol}: with {precision} decimals (price_precision) the price {prices[worst]!s} "
            f"becomes {_rounded(prices, precision)[worst]!s}, but a price may be moved by at most "
            f"{MOVE_MAX:g} of itself; {remedy}"
        )
    largest = _largest_precision(prices)
    if precision > max(0, largest):
        raise BadPriceGrid(
            f"{symbol}: with {precision} decimals (price_precision) the price {prices.max()!s} has "
            f"more than {DIGITS_MAX} significant digits; give at most {largest}"
        )


def _coarse(instrument: Instrument, bars: Bars, close: Values) -> list[Caveat]:
    tick = 10.0**-instrument.decimals
    rows = np.flatnonzero(tick > close * COARSE_TICK)  # NaN is not
    if not len(rows):
        return []
    lowest = float(np.nanmin(close))
    sentence = (
        f"{instrument.symbol}: a tick of {tick:g} is above a thousandth of the price at "
        f"{len(rows):,} of {np.count_nonzero(close > 0):,} closes (the lowest is {lowest:g}); "
        "fills there are rounded by more than slippage moves them"
    )
    first, last = int(bars.close_times[rows[0]]), int(bars.close_times[rows[-1]])
    return [Caveat("coarse_price_grid", sentence, instrument.symbol, first, last, len(rows))]
