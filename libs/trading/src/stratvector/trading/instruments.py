"""What is traded: a symbol, the asset behind it, and the grid that its prices and quantities live
on.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Instrument:
    """One tradable symbol.

    asset : the underlying; symbols of several venues may share it (`asset` limits add them up).
    asset_class : such as equity or crypto (`class` limits add them up).
    price_precision : decimals of a price; fills and crosses are rounded half-even to it.
    lot_size : units in one lot; quantities are whole lots.
    """

    symbol: str
    asset: str
    asset_class: str
    price_precision: int = 2
    lot_size: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if not 0 <= self.price_precision <= 12:
            raise ValueError(
                f"{self.symbol}: price_precision is {self.price_precision}; it must be 0 to 12"
            )
        # A Decimal's NaN can't be compared.
        if not (self.lot_size.is_finite() and self.lot_size > 0):
            raise ValueError(f"{self.symbol}: lot_size is {self.lot_size}; it must be above 0")

    def price(self, value: float) -> Decimal:
        """A price as money: rounded half-even at this instrument's precision."""
        return Decimal(repr(value)).quantize(Decimal(1).scaleb(-self.price_precision))

    def quantity(self, lots: int) -> Decimal:
        """Units in a number of lots, exactly."""
        return self.lot_size * lots
