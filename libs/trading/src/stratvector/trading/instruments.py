"""What is traded: a symbol, the asset behind it, and the grid that its prices and quantities live
on.
"""

from dataclasses import dataclass
from decimal import Decimal

PRECISION_MAX = 12


@dataclass(frozen=True)
class Instrument:
    """One tradable symbol.

    asset : the underlying; symbols of several venues may share it (`asset` limits add them up).
    asset_class : such as equity or crypto (`class` limits add them up).
    price_precision : decimals of a price; fills, crosses and marks are rounded half-even to it.
    None: derived from the bars when they are loaded (`price_grids`); a session has none that is
    open.
    lot_size : units in one lot; quantities are whole lots.
    """

    symbol: str
    asset: str
    asset_class: str
    price_precision: int | None = None
    lot_size: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.price_precision is not None and not 0 <= self.price_precision <= PRECISION_MAX:
            raise ValueError(
                f"{self.symbol}: price_precision is {self.price_precision}; "
                f"it must be 0 to {PRECISION_MAX}"
            )
        # A Decimal's NaN can't be compared.
        if not (self.lot_size.is_finite() and self.lot_size > 0):
            raise ValueError(f"{self.symbol}: lot_size is {self.lot_size}; it must be above 0")

    @property
    def decimals(self) -> int:
        """The price grid. Raises ValueError while it is not known."""
        if self.price_precision is None:
            raise ValueError(f"{self.symbol}: price_precision must be given or derived from bars")
        return self.price_precision

    def price(self, value: float) -> Decimal:
        """A price as money: rounded half-even at this instrument's precision."""
        return Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-self.decimals))

    def quantity(self, lots: int) -> Decimal:
        """Units in a number of lots, exactly."""
        return self.lot_size * lots
