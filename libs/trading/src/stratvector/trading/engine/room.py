"""The last look at every cap, order by order: no approved order raises an exposure above its cap,
at decision prices, with all working orders filled.

The stages guarantee it while every target is reached. Where an order was held back (band, minimum
order, cash, lots too large), a symbol keeps more than its target, and the raising orders of others
must leave room for it.
"""

import numpy as np

from stratvector.trading.engine.arithmetic import LOTS_MAX, whole
from stratvector.trading.engine.cash import check_cash
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.planning import cut_order
from stratvector.trading.engine.state import (
    ASSET,
    CLASS,
    EXPOSURE,
    HELD_BACK,
    LOT_SIZE,
    ORDER,
    OUTCOME,
    POSITION,
    REDUCE_ONLY,
    WORKING,
    Book,
    Indices,
    Plan,
    Rules,
)
from stratvector.trading.engine.targets import NO_ROOM, ORDERED, REDUCE_ONLY_OUTCOME


@engine_jit
def exposure_of(lots: int, s: int, value: float, book: Book, rules: Rules) -> float:
    """Signed fraction of equity."""
    exposure: float = lots * rules.grid[s, LOT_SIZE] * book.mark[s] / value
    return exposure


@engine_jit
def settled_lots(s: int, book: Book, plan: Plan) -> int:
    """Position once all working orders and the planned one are filled, as far as that shrinks it.

    What an order raises does not count yet; one through zero shrinks to flat, and raises from
    there.
    """
    held: int = book.lots[s, POSITION] + book.lots[s, WORKING]
    after: int = held + plan.fields[s, ORDER]
    if held > 0:
        return min(held, max(0, after))
    return max(held, min(0, after))


@engine_jit
def room_of(
    s: int, value: float, sign: int, book: Book, rules: Rules, plan: Plan, symbols: Indices
) -> float:
    """Exposure that may still be added to symbol s on the side `sign`, over all caps at once."""
    own = abs(plan.figures[s, EXPOSURE])
    asset, group, gross, invested = 0.0, 0.0, 0.0, 0.0
    for other in range(len(symbols)):
        size = abs(plan.figures[other, EXPOSURE])
        gross += size
        invested += max(0.0, plan.figures[other, EXPOSURE])
        if rules.groups[other, ASSET] == rules.groups[s, ASSET]:
            asset += size
        if rules.groups[other, CLASS] == rules.groups[s, CLASS]:
            group += size
    room: float = min(rules.symbol_cap - own, rules.asset_cap - asset)
    room = min(room, rules.class_cap[rules.groups[s, CLASS]] - group)
    room = min(room, min(rules.gross_cap, rules.capital_cap / value) - gross)
    if sign > 0:
        room = min(room, rules.invested_cap - invested)
    return max(0.0, room)


@engine_jit
def fit_order(
    s: int, value: float, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """Cut a raising order to the room that is left, toward zero in lots, and take the room."""
    held = book.lots[s, POSITION]
    after = held + plan.fields[s, ORDER]
    sign = 1 if after > 0 else -1
    room = room_of(s, value, sign, book, rules, plan, symbols)
    unit = rules.grid[s, LOT_SIZE] * book.mark[s]
    extra = LOTS_MAX
    if room < np.inf:
        extra = min(LOTS_MAX, np.floor(room * value / unit))
    allowed = min(abs(after), abs(settled_lots(s, book, plan)) + whole(extra))
    lots = sign * allowed - held
    lots = max(0, lots) if plan.fields[s, ORDER] > 0 else min(0, lots)
    adds = held == 0 or (held > 0) == (lots > 0)
    if adds and abs(lots) * unit < rules.minimum_order_notional:
        lots = 0
    if lots == 0:
        plan.fields[s, OUTCOME] = NO_ROOM
    cut_order(s, lots, plan, models)
    plan.figures[s, EXPOSURE] = exposure_of(held + lots, s, value, book, rules)


@engine_jit
def keep_reducing(book: Book, plan: Plan, symbols: Indices, models: Indices) -> None:
    """After the daily loss limit: orders may shrink a position to zero, nothing else."""
    for s in range(len(symbols)):
        if plan.fields[s, OUTCOME] != ORDERED:
            continue
        held = book.lots[s, POSITION]
        lots = plan.fields[s, ORDER]
        lots = min(max(lots, -held), 0) if held > 0 else max(min(lots, -held), 0)
        if lots == 0:
            plan.fields[s, OUTCOME] = REDUCE_ONLY_OUTCOME
        cut_order(s, lots, plan, models)


@engine_jit
def check_room(
    value: float, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """Refit every raising order in symbol order, after all reducing ones are counted."""
    for s in range(len(symbols)):
        plan.figures[s, EXPOSURE] = exposure_of(settled_lots(s, book, plan), s, value, book, rules)
    for s in range(len(symbols)):
        after = book.lots[s, POSITION] + plan.fields[s, ORDER]
        if plan.fields[s, OUTCOME] == ORDERED and after != settled_lots(s, book, plan):
            fit_order(s, value, book, rules, plan, symbols, models)


@engine_jit
def check_orders(
    value: float,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """Order-level checks: reduce-only, cash, then room."""
    if plan.flags[REDUCE_ONLY] == 1:
        keep_reducing(book, plan, symbols, models)
        plan.flags[HELD_BACK] = 1
    if rules.cash_collar < np.inf:
        check_cash(book, rules, plan, symbols, models)
    if value > 0.0 and plan.flags[HELD_BACK] == 1:
        check_room(value, book, rules, plan, symbols, models)
