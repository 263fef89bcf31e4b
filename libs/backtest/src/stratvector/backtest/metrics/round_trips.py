"""Round trips: fills matched at average cost, per symbol, from flat to flat.

Adding to a position and closing part of it belong to the round trip until the position is flat;
a fill through zero closes one round trip and opens the next, its costs split by quantity.

ValueError
└── FillsOutOfOrder    a fill is earlier than the one before it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stratvector.backtest.metrics.positions import OpenPosition, RoundTrip, SignedFill
from stratvector.backtest.metrics.undefined import quotient

FLAT = 1e-12
"""A position below this fraction of the quantity traded is float rounding of whole lots: flat."""


class FillsOutOfOrder(ValueError):
    """Fills must satisfy fills[index].time >= fills[index - 1].time."""

    def __init__(self, index: int, time: int, previous_time: int) -> None:
        """Keep the index of the early fill and both times in UTC nanoseconds."""
        super().__init__(f"fills[{index}].time {time} is not >= the previous {previous_time}")
        self.index, self.time, self.previous_time = index, time, previous_time


def round_trips(fills: Sequence[SignedFill]) -> list[RoundTrip]:
    """Return the completed round trips in the order of their exits.

    Raises FillsOutOfOrder. Positions still open at the end are left to `open_positions`.
    """
    return _match(fills)[0]


def open_positions(fills: Sequence[SignedFill]) -> list[OpenPosition]:
    """Return the positions that are not flat after the last fill, in the order of their entries.

    The profits of the round trips, the realised and the unrealised profits of these add up to the
    whole profit of the fills. Raises FillsOutOfOrder.
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

    def is_flat(self) -> bool:
        return abs(self.held) <= FLAT * (abs(self.entered) + abs(self.exited))

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
    completed: list[RoundTrip] = []
    positions: dict[str, _Position] = {}
    for fill in _in_time_order(fills):
        position = positions.pop(fill.symbol, None) or _Position(fill.symbol, fill.time)
        closing = _closing_part(position.held, fill.quantity)
        position.apply(fill, closing if closing != 0.0 else fill.quantity)
