"""Round trips: fills matched at average cost, per symbol, from flat to flat.

Adding to a position and closing part of it belong to the round trip until the position is flat;
a fill through zero closes one round trip and opens the next, its costs split by quantity.

ValueError
└── BadFill
    ├── FillsOutOfOrder        a fill is earlier than the one before it
    └── FillWithoutQuantity    a quantity is 0, NaN or infinite
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from stratvector.backtest.metrics.positions import OpenPosition, RoundTrip, SignedFill
from stratvector.backtest.metrics.undefined import quotient

FLAT = 1e-12
"""A position below this fraction of the quantity traded is float rounding of whole lots: flat."""


class BadFill(ValueError):
    """Fills that cannot be matched."""


class FillsOutOfOrder(BadFill):
    """Fills must satisfy fills[index].time >= fills[index - 1].time."""

    def __init__(self, index: int, time: int, previous_time: int) -> None:
        """Keep the index of the early fill and both times in UTC nanoseconds."""
        super().__init__(index, time, previous_time)
        self.index, self.time, self.previous_time = index, time, previous_time

    def __str__(self) -> str:
        return f"fills[{self.index}].time {self.time} is not >= the previous {self.previous_time}"


class FillWithoutQuantity(BadFill):
    """Fills must satisfy 0 < |fills[index].quantity| < infinity."""

    def __init__(self, index: int, quantity: float) -> None:
        """Keep the index of the fill and its quantity."""
        super().__init__(index, quantity)
        self.index, self.quantity = index, quantity

    def __str__(self) -> str:
        return f"fills[{self.index}].quantity {self.quantity} is not finite and non-zero"


def round_trips(fills: Sequence[SignedFill]) -> list[RoundTrip]:
    """Return the completed round trips in the order of their exits.

    Raises BadFill. Positions still open at the end are left to `open_positions`.
    """
    return _match(fills)[0]


def open_positions(fills: Sequence[SignedFill]) -> list[OpenPosition]:
    """Return the positions that are not flat after the last fill, in the order of their entries.

    The profits of the round trips, the realised and the unrealised profits of these add up to the
    whole profit of the fills. Raises BadFill.
    """
    return [position.as_open() for position in _match(fills)[1].values()]


@dataclass(slots=True)
class _Position:
    """A position being folded; notionals carry the position's sign."""

    symbol: str
    entry_time: int
    held: float = field(default=0.0, init=False)
    average_cost: float = field(default=0.0, init=False)
    entered: float = field(default=0.0, init=False)
    entered_notional: float = field(default=0.0, init=False)
    exited: float = field(default=0.0, init=False)
    exited_notional: float = field(default=0.0, init=False)
    realized: float = field(default=0.0, init=False)
    commission: float = field(default=0.0, init=False)
    slippage_cost: float = field(default=0.0, init=False)

    def split(self, quantity: float) -> tuple[float, float]:
        """Return the part of a fill up to flat and the part beyond, which opens the next trip."""
        after = self.held + quantity
        if self.held * after < 0.0 and not self.is_dust(after):
            return -self.held, after
        return quantity, 0.0

    def apply(self, fill: SignedFill, quantity: float) -> None:
        """Take `quantity` of the fill, which does not cross zero, with its share of the costs."""
        share = quantity / fill.quantity
        self.commission += share * fill.commission
        self.slippage_cost += share * fill.slippage_cost
        if self.held * quantity >= 0.0:
            self._enter(quantity, fill.price)
        else:
            self._exit(-quantity, fill.price)

    def _enter(self, quantity: float, price: float) -> None:
        cost = self.held * self.average_cost + quantity * price
        self.held += quantity
        self.average_cost = cost / self.held
        self.entered += quantity
        self.entered_notional += quantity * price

    def _exit(self, quantity: float, price: float) -> None:
        self.held -= quantity
        self.exited += quantity
        self.exited_notional += quantity * price
        self.realized += quantity * (price - self.average_cost)

    def is_dust(self, quantity: float) -> bool:
        return abs(quantity) <= FLAT * (abs(self.entered) + abs(self.exited))

    def as_round_trip(self, exit_time: int) -> RoundTrip:
        profit = self.exited_notional - self.entered_notional - self.commission
        return RoundTrip(
            symbol=self.symbol,
            entry_time=self.entry_time,
            exit_time=exit_time,
            quantity=self.entered,
            entry_price=self.entered_notional / self.entered,
            exit_price=self.exited_notional / self.exited,
            commission=self.commission,
            slippage_cost=self.slippage_cost,
            profit=profit,
            return_fraction=quotient(profit, abs(self.entered_notional)),
        )

    def as_open(self) -> OpenPosition:
        return OpenPosition(
            symbol=self.symbol,
            entry_time=self.entry_time,
            quantity=self.held,
            entry_price=self.average_cost,
            realized_profit=self.realized - self.commission,
            commission=self.commission,
            slippage_cost=self.slippage_cost,
        )


def _match(fills: Sequence[SignedFill]) -> tuple[list[RoundTrip], dict[str, _Position]]:
    _check(fills)
    completed: list[RoundTrip] = []
    positions: dict[str, _Position] = {}
    for fill in fills:
        position = positions.setdefault(fill.symbol, _Position(fill.symbol, fill.time))
        own, beyond = position.split(fill.quantity)
        position.apply(fill, own)
        if position.is_dust(position.held):
            completed.append(position.as_round_trip(fill.time))
            del positions[fill.symbol]
        if beyond != 0.0:
            positions[fill.symbol] = _Position(fill.symbol, fill.time)
            positions[fill.symbol].apply(fill, beyond)
    return completed, positions


def _check(fills: Sequence[SignedFill]) -> None:
    for index, fill in enumerate(fills):
        if not 0.0 < abs(fill.quantity) < math.inf:
            raise FillWithoutQuantity(index, fill.quantity)
        if index and fill.time < fills[index - 1].time:
            raise FillsOutOfOrder(index, fill.time, fills[index - 1].time)
