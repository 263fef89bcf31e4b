"""Fills and what they make: round trips and what is still open; as arrays, and as single ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from stratvector.backtest.metrics.arrays import Floats, Times


@dataclass(frozen=True, slots=True)
class SignedFill:
    """One fill as the metrics need it.

    time : UTC nanoseconds
    quantity : units of the instrument, positive bought, negative sold
    price : account currency per unit, slippage included
    commission, slippage_cost : account currency, positive is a cost; slippage is in the price
        already and only reported
    """

    time: int
    symbol: str
    quantity: float
    price: float
    commission: float = 0.0
    slippage_cost: float = 0.0


@dataclass(frozen=True, eq=False)
class FillSeries:
    """Fills in time order, each field an array of shape (n,); see `SignedFill`.

    symbol : numbers into `symbols`
    """

    symbols: tuple[str, ...]
    time: Times
    symbol: Times
    quantity: Floats
    price: Floats
    commission: Floats
    slippage_cost: Floats

    def __len__(self) -> int:
        """How many fills."""
        return len(self.time)

    @classmethod
    def of(cls, fills: Sequence[SignedFill]) -> Self:
        """The same fills as arrays."""
        symbols = tuple(dict.fromkeys(fill.symbol for fill in fills))
        return cls(
            symbols,
            np.array([fill.time for fill in fills], np.int64),
            np.array([symbols.index(fill.symbol) for fill in fills], np.int64),
            *(
                np.array([getattr(fill, name) for fill in fills], np.float64)
                for name in ("quantity", "price", "commission", "slippage_cost")
            ),
        )


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One position from flat to flat.

    entry_time, exit_time : first and last fill, UTC nanoseconds
    quantity : all units entered, positive long, negative short
    entry_price, exit_price : averages over all entries and all exits, account currency per unit
    profit : account currency, net of commission
    return_fraction : profit / entered notional; NaN when that is 0
    """

    symbol: str
    entry_time: int
    exit_time: int
    quantity: float
    entry_price: float
    exit_price: float
    commission: float
    slippage_cost: float
    profit: float
    return_fraction: float


@dataclass(frozen=True, eq=False)
class RoundTrips:
    """Round trips in the order of their exits, each field an array of shape (n,); see `RoundTrip`.

    symbol : numbers into `symbols`
    """

    symbols: tuple[str, ...]
    symbol: Times
    entry_time: Times
    exit_time: Times
    quantity: Floats
    entry_price: Floats
    exit_price: Floats
    commission: Floats
    slippage_cost: Floats
    profit: Floats
    return_fraction: Floats

    def __len__(self) -> int:
        """How many round trips."""
        return len(self.symbol)

    def __iter__(self) -> Iterator[RoundTrip]:
        """Each of them."""
        names = [field.name for field in fields(RoundTrip)]
        columns = [getattr(self, name).tolist() for name in names]
        for symbol, *rest in zip(*columns, strict=True):
            yield RoundTrip(self.symbols[symbol], *rest)


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """What is not flat after the last fill.

    quantity : units held, positive long, negative short
    entry_price : average cost of the units held, account currency per unit
    realized_profit : account currency, of the parts closed so far, net of all commission so far
    """

    symbol: str
    entry_time: int
    quantity: float
    entry_price: float
    realized_profit: float
    commission: float
    slippage_cost: float

    def unrealized_profit(self, mark: float) -> float:
        """Return quantity x (mark - average cost), account currency."""
        return self.quantity * (mark - self.entry_price)
