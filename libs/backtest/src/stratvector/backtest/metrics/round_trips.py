"""Round trips: fills matched at average cost, per symbol, from flat to flat.

Adding to a position and closing part of it belong to the round trip until the position is flat;
a fill through zero closes one round trip and opens the next, its costs split by quantity.

ValueError
└── BadFill
    ├── FillsOutOfOrder        a fill is earlier than the one before it
    └── FillWithoutQuantity    a quantity is 0, NaN or infinite
"""

import numpy as np

from stratvector.backtest.metrics.arrays import Floats, Times
from stratvector.backtest.metrics.positions import FillSeries, OpenPosition, RoundTrips
from stratvector.trading.engine.compiling import engine_jit

# Columns of the positions under way (one row per symbol); notionals carry the position's sign.
HELD, AVERAGE_COST, ENTERED, ENTERED_NOTIONAL, EXITED, EXITED_NOTIONAL = 0, 1, 2, 3, 4, 5
REALIZED, COMMISSION, SLIPPAGE = 6, 7, 8
ENTRY_TIME, ENTRY_NUMBER, IS_OPEN = 0, 1, 2  # of `entries`

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


def round_trips(fills: FillSeries) -> RoundTrips:
    """Return the completed round trips in the order of their exits.

    Raises BadFill. Positions still open at the end are left to `open_positions`.
    """
    return _matched(fills)[0]


def open_positions(fills: FillSeries) -> list[OpenPosition]:
    """Return the positions that are not flat after the last fill, in the order of their entries.

    The profits of the round trips, the realised and the unrealised profits of these add up to the
    whole profit of the fills. Raises BadFill.
    """
    _, positions, entries = _matched(fills)
    still = np.flatnonzero(entries[:, IS_OPEN])
    return [
        OpenPosition(
            symbol=fills.symbols[s],
            entry_time=int(entries[s, ENTRY_TIME]),
            quantity=float(positions[s, HELD]),
            entry_price=float(positions[s, AVERAGE_COST]),
            realized_profit=float(positions[s, REALIZED] - positions[s, COMMISSION]),
            commission=float(positions[s, COMMISSION]),
            slippage_cost=float(positions[s, SLIPPAGE]),
        )
        for s in still[np.argsort(entries[still, ENTRY_NUMBER])].tolist()
    ]


@engine_jit
def is_dust(quantity: float, s: int, positions: Floats) -> bool:
    """Whether a position is rounding, beside all that was traded of it."""
    traded = abs(positions[s, ENTERED]) + abs(positions[s, EXITED])
    dust: bool = abs(quantity) <= FLAT * traded
    return dust


@engine_jit
def begin(s: int, f: int, time: int, positions: Floats, entries: Times) -> None:
    """A new position of a symbol, by fill number f."""
    for column in range(positions.shape[1]):
        positions[s, column] = 0.0
    entries[s, ENTRY_TIME] = time
    entries[s, ENTRY_NUMBER] = f
    entries[s, IS_OPEN] = 1


@engine_jit
def apply(s: int, f: int, quantity: float, fills: Floats, positions: Floats) -> None:
    """Take `quantity` of a fill, which does not cross zero, with its share of the costs."""
    share = quantity / fills[f, 0]
    price = fills[f, 1]
    positions[s, COMMISSION] += share * fills[f, 2]
    positions[s, SLIPPAGE] += share * fills[f, 3]
    held = positions[s, HELD]
    if held * quantity >= 0.0:
        cost = held * positions[s, AVERAGE_COST] + quantity * price
        positions[s, HELD] = held + quantity
        positions[s, AVERAGE_COST] = cost / positions[s, HELD]
        positions[s, ENTERED] += quantity
        positions[s, ENTERED_NOTIONAL] += quantity * price
    else:
        positions[s, HELD] = held + quantity
        positions[s, EXITED] -= quantity
        positions[s, EXITED_NOTIONAL] -= quantity * price
        positions[s, REALIZED] -= quantity * (price - positions[s, AVERAGE_COST])


@engine_jit
def write_trip(n: int, s: int, positions: Floats, trips: Floats) -> None:
    """The figures of a round trip, in the order of `RoundTrip` from quantity on."""
    entered, exited = positions[s, ENTERED_NOTIONAL], positions[s, EXITED_NOTIONAL]
    profit = exited - entered - positions[s, COMMISSION]
    trips[n, 0] = positions[s, ENTERED]
    trips[n, 1] = entered / positions[s, ENTERED]
    trips[n, 2] = exited / positions[s, EXITED]
    trips[n, 3] = positions[s, COMMISSION]
    trips[n, 4] = positions[s, SLIPPAGE]
    trips[n, 5] = profit
    fraction = profit / abs(entered) + 0.0 if entered != 0.0 else np.nan
    trips[n, 6] = fraction if abs(fraction) < np.inf else np.nan


@engine_jit
def match(
    times: Times,
    symbols: Times,
    fills: Floats,
    positions: Floats,
    entries: Times,
    trips: Floats,
    ends: Times,
) -> int:
    """Fold fills (float64[n, 4]: quantity, price, commission, slippage) into positions.

    trips : float64[n, 7] and ends : int64[n, 3] (symbol, entry and exit time), out; how many.
    """
    completed = 0
    for f in range(len(times)):
        s = symbols[f]
        if entries[s, IS_OPEN] == 0:
            begin(s, f, times[f], positions, entries)
        own, beyond = fills[f, 0], 0.0
        after = positions[s, HELD] + own
        if positions[s, HELD] * after < 0.0 and not is_dust(after, s, positions):
            own, beyond = -positions[s, HELD], after
        apply(s, f, own, fills, positions)
        if is_dust(positions[s, HELD], s, positions):
            write_trip(completed, s, positions, trips)
            ends[completed, 0] = s
            ends[completed, 1] = entries[s, ENTRY_TIME]
            ends[completed, 2] = times[f]
            completed += 1
            entries[s, IS_OPEN] = 0
        if beyond != 0.0:
            begin(s, f, times[f], positions, entries)
            apply(s, f, beyond, fills, positions)
    return completed


def _matched(fills: FillSeries) -> tuple[RoundTrips, Floats, Times]:
    _check(fills)
    count, symbols = len(fills), len(fills.symbols)
    figures = np.stack([fills.quantity, fills.price, fills.commission, fills.slippage_cost], axis=1)
    positions, entries = np.zeros((symbols, 9)), np.zeros((symbols, 3), np.int64)
    trips, ends = np.zeros((count, 7)), np.zeros((count, 3), np.int64)
    completed = match(fills.time, fills.symbol, figures, positions, entries, trips, ends)
    columns = (*ends[:completed].T, *trips[:completed].T)
    return RoundTrips(fills.symbols, *columns), positions, entries


def _check(fills: FillSeries) -> None:
    size = np.abs(fills.quantity)
    wrong = np.flatnonzero(~((size > 0.0) & (size < np.inf)))
    early = np.flatnonzero(fills.time[1:] < fills.time[:-1]) + 1
    if wrong.size and not (early.size and early[0] < wrong[0]):
        raise FillWithoutQuantity(int(wrong[0]), float(fills.quantity[wrong[0]]))
    if early.size:
        index = int(early[0])
        raise FillsOutOfOrder(index, int(fills.time[index]), int(fills.time[index - 1]))
