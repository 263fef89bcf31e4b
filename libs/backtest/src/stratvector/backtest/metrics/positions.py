"""The records of matching: a signed fill, a round trip and what is still open."""

from dataclasses import dataclass


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
