"""The events of a whole run, as arrays: what `replay.run` keeps.

The engine writes them chunk by chunk (`engine/events.py`), so that nobody has to know beforehand
how much a strategy trades.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stratvector.trading.engine.allocation import split_fill
from stratvector.trading.engine.events import (
    CROSSES,
    EARLIER_ORDERS,
    ENDINGS,
    EXECUTIONS,
    LOTS,
    ORDER_LOTS,
    ORDER_ROW,
    ORDERS,
    Closes,
    Rows,
    Tally,
)
from stratvector.trading.engine.session import indices
from stratvector.trading.engine.state import Floats, Integers


@dataclass(frozen=True, eq=False)
class RunEvents:
    """Rows in the order of events; columns are named in `engine/events.py`, where orders are
    numbered as the rows of `orders`. Parts are int64[N, M], signed lots per model.
    """

    closes: Closes
    tally: Tally
    orders: Integers
    order_price: Floats
    order_parts: Integers
    fills: Integers
    fill_price: Floats
    fill_parts: Integers
    endings: Integers
    crosses: Integers
    cross_price: Floats
    cross_parts: Integers

    def __repr__(self) -> str:
        counts = f"{len(self.orders):,} orders, {len(self.fills):,} fills"
        return f"RunEvents({len(self.closes.equity):,} closes, {counts})"


class RowChunks:
    """Takes what one chunk of steps wrote, and gives the whole."""

    def __init__(self) -> None:
        self._chunks: list[tuple[Any, ...]] = []

    def take(self, rows: Rows) -> None:
        """Copy the rows that are used, and make room for those of the next chunk."""
        orders, fills, endings, crosses = rows.used[:EARLIER_ORDERS].tolist()
        counts = (orders, orders, orders, fills, fills, endings, crosses, crosses, crosses)
        self._chunks.append(tuple(a[:n].copy() for a, n in zip(rows, counts, strict=False)))
        rows.used[EARLIER_ORDERS] += orders
        rows.used[[ORDERS, EXECUTIONS, ENDINGS, CROSSES]] = 0

    def whole(self, closes: Closes, tally: Tally, models: int) -> RunEvents:
        """All rows of the run."""
        if len(self._chunks) == 1:
            columns = self._chunks[0]
        else:
            columns = tuple(np.concatenate(each) for each in zip(*self._chunks, strict=True))
        self._chunks.clear()
        orders, order_price, order_parts, fills, fill_price, endings, *crossed = columns
        if models == 1:
            order_parts, fill_parts = orders[:, ORDER_LOTS, None], fills[:, LOTS, None]
        else:
            fill_parts = _fill_parts(orders, order_parts, fills)
        return RunEvents(
            closes,
            tally,
            orders,
            order_price,
            order_parts,
            fills,
            fill_price,
            fill_parts,
            endings,
            *crossed,
        )


def _fill_parts(orders: Integers, order_parts: Integers, fills: Integers) -> Integers:
    """The models' parts of each execution. An order has one at most: it expires at the bar that
    fills a part of it.
    """
    rows = fills[:, ORDER_ROW]
    parts = order_parts[rows]
    axis = indices(parts.shape[1])
    for n in np.flatnonzero(fills[:, LOTS] != orders[rows, ORDER_LOTS]).tolist():
        shares = order_parts[rows[n]]
        given = np.zeros(len(shares), np.int64)
        order, lots = int(orders[rows[n], ORDER_LOTS]), int(fills[n, LOTS])
        split_fill(order, 0, lots, shares, given, parts[n], axis)
    return parts
