"""Prices, lots and cash of a portfolio as whole numbers of one common unit."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from stratvector.backtest.exact_money import DECIMALS_MAX, FACTOR_MAX
from stratvector.backtest.metrics.arrays import Floats
from stratvector.trading.engine.state import Integers
from stratvector.trading.instruments import Instrument

FEE_DECIMALS = 6
EXACT_MAX = float(1 << 53)


class TooFine(ValueError):
    """A common unit so small that amounts don't fit in the limbs of `exact_money`."""


class WholeNumbers:
    """How prices and lots of some instruments are counted.

    decimals : the common unit is 10^-decimals. scales : int64[S, 2], what steps of the price and
    lots are multiplied by to count it. price_units : float64[S], steps in one unit of price.
    prices_max, lots_max : float64[S], the largest price and number of lots that will be asked for.
    Raises TooFine.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        cash: Decimal,
        prices_max: Floats,
        lots_max: Floats,
    ) -> None:
        self._instruments = instruments
        self.price_decimals = np.array([i.decimals for i in instruments])
        self.lot_decimals = np.array([_decimals(i.lot_size) for i in instruments])
        self.price_units = 10.0**self.price_decimals
        lot_units = [
            int(i.lot_size.scaleb(d))
            for i, d in zip(instruments, self.lot_decimals.tolist(), strict=True)
        ]
        if max(lot_units) >= FACTOR_MAX:
            raise TooFine
        self._lot_units = np.array(lot_units, dtype=np.int64)
        own = (self.price_decimals + self.lot_decimals).tolist()
        self.decimals = max(FEE_DECIMALS, _decimals(cash), *own)
        self.fee_scale = 10 ** (self.decimals - FEE_DECIMALS)
        if self.decimals > DECIMALS_MAX or self.fee_scale >= FACTOR_MAX:
            raise TooFine
        most = zip((prices_max * self.price_units).tolist(), lots_max.tolist(), strict=True)
        scales = (
            units * 10 ** (self.decimals - d) for units, d in zip(lot_units, own, strict=True)
        )
        self.scales = np.array(
            [_split(scale, *largest) for scale, largest in zip(scales, most, strict=True)],
            dtype=np.int64,
        )

    def units_of(self, money: Decimal) -> int:
        """An amount in the common unit."""
        return int(money.scaleb(self.decimals))

    def steps(self, prices: Floats, symbols: Integers) -> Integers:
        """Prices on the grid as whole numbers of its steps."""
        return np.rint(prices * self.price_units[symbols]).astype(np.int64)

    def open_steps(self, prices: Floats, symbols: Integers) -> Integers:
        """Any prices, rounded half-even to the grid as `Instrument.price` does."""
        scaled = prices * self.price_units[symbols]
        steps = np.rint(scaled)
        off_grid = np.flatnonzero(np.abs(scaled - steps) > np.abs(scaled) * 2.0**-50)
        for n in off_grid.tolist():
            instrument = self._instruments[int(symbols[n])]
            steps[n] = float(instrument.price(float(prices[n])).scaleb(instrument.decimals))
        return steps.astype(np.int64)

    def quantities(self, lots: Integers, symbols: Integers) -> Floats:
        """Units in signed lots: the nearest float64."""
        return _quotients(self.lot_decimals[symbols], lots, self._lot_units[symbols])

    def worth(self, steps: Integers, lots: Integers, symbols: Integers) -> Floats:
        """Steps x lots as money: the nearest float64."""
        decimals = (self.lot_decimals + self.price_decimals)[symbols]
        return _quotients(decimals, steps, lots, self._lot_units[symbols])


def _quotients(decimals: Integers, *factors: Integers) -> Floats:
    """The product of whole factors / 10^decimals: one rounding where the product is exact in
    float64, else Python's whole numbers.
    """
    product = np.ones(len(decimals))
    for factor in factors:
        product *= factor
    values = np.asarray(product / 10.0**decimals, dtype=np.float64)
    for n in np.flatnonzero(np.abs(product) >= EXACT_MAX).tolist():
        values[n] = math.prod(int(factor[n]) for factor in factors) / 10 ** int(decimals[n])
    return values


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _split(scale: int, steps_max: float, lots_max: float) -> tuple[int, int]:
    """A scale as two factors, of the steps and of the lots, so that neither product overflows."""
    of_lots = 1
    while scale * steps_max >= FACTOR_MAX and scale % 10 == 0:
        scale, of_lots = scale // 10, of_lots * 10
    if scale * steps_max >= FACTOR_MAX or of_lots * lots_max >= FACTOR_MAX:
        raise TooFine
    return scale, of_lots
