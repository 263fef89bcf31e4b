"""The last look at every cap, order by order: no approved order raises an exposure above its cap, at decision prices,
with all working orders filled.

The stages guarantee it while every target is reached. Where an order was held back (no-trade band, lots too large), a
symbol keeps more than its target, and the raising orders of others must leave room for it.
"""

import numpy as np

from stratvector.trading.engine.arithmetic import LOTS_MAX, whole
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.planning import cut_order
from stratvector.trading.engine.state import REDUCE_ONLY, Book, Indices, Plan, Rules
from stratvector.trading.engine.targets import NO_ROOM, ORDERED, REDUCE_ONLY_OUTCOME


@engine_jit
def exposure_of(lots: int, s: int, value: float, book: Book, rules: Rules) -> float:
    """Signed fraction of equity."""
    return lots * rules.lot_size[s] * book.mark[s] / value


@engine_jit
def settled_lots(s: int, book: Book, plan: Plan) -> int:
    """Position once all working orders and the planned one are filled; a raising order does not count yet."""
    held = book.position[s] if plan.cancel[s] else book.position[s] + book.working[s]
    after = held + plan.order_lots[s]
    return after if abs(after) <= abs(held) else held


@engine_jit
def room_of(s: int, value: float, sign: int, book: Book, rules: Rules, plan: Plan, symbols: Indices) -> float:
    """Exposure that may still be added to symbol s on the side `sign`, over all caps at once."""
    own = abs(plan.exposure[s])
    asset, group, gross, invested = 0.0, 0.0, 0.0, 0.0
    for other in range(len(symbols)):
        size = abs(plan.exposure[other])
        gross += size
        invested += max(0.0, plan.exposure[other])
        if rules.asset[other] == rules.asset[s]:
            asset += size
        if rules.asset_class[other] == rules.asset_class[s]:
            group += size
    room = min(rules.symbol_cap - own, rules.asset_cap - asset)
    room = min(room, rules.class_cap[rules.asset_class[s]] - group)
    room = min(room, min(rules.gross_cap, rules.capital_cap / value) - gross)
    if sign > 0:
        room = min(room, rules.invested_cap - invested)
    return max(0.0, room)


@engine_jit
def fit_order(s: int, value: float, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices) -> None:
    """Cut a raising order to the room that is left, toward zero in lots, and take the room."""
    held = book.position[s]
    after = held + plan.order_lots[s]
    sign = 1 if after > 0 else -1
    room = room_of(s, value, sign, book, rules, plan, symbols)
    extra = LOTS_MAX
    if room < np.inf:
        extra = min(LOTS_MAX, np.floor(room * value / (rules.lot_size[s] * book.mark[s])))
    allowed = min(abs(after), abs(held) + whole(extra))
    lots = sign * allowed - held
    if plan.order_lots[s] > 0:
        lots = max(0, lots)
    else:
        lots = min(0, lots)
    if lots == 0:
        plan.outcome[s] = NO_ROOM
    cut_order(s, lots, plan, models)
    plan.exposure[s] = exposure_of(held + lots, s, value, book, rules)


@engine_jit
def keep_reducing(book: Book, plan: Plan, symbols: Indices, models: Indices) -> None:
    """After the daily loss limit: orders may shrink a position to zero, nothing else."""
    for s in range(len(symbols)):
        if plan.outcome[s] != ORDERED:
            continue
        held = book.position[s]
        lots = plan.order_lots[s]
        lots = min(max(lots, -held), 0) if held > 0 else max(min(lots, -held), 0)
        if lots == 0:
            plan.outcome[s] = REDUCE_ONLY_OUTCOME
        cut_order(s, lots, plan, models)


@engine_jit
def check_room(
    value: float, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """Refit every raising order in symbol order, after all reducing ones are counted."""
    for s in range(len(symbols)):
        plan.exposure[s] = exposure_of(settled_lots(s, book, plan), s, value, book, rules)
    for s in range(len(symbols)):
        if plan.outcome[s] == ORDERED and abs(book.position[s] + plan.order_lots[s]) > abs(
            book.position[s]
        ):
            fit_order(s, value, book, rules, plan, symbols, models)


@engine_jit
def check_orders(
    held_back: bool,
    value: float,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """Order-level checks: reduce-only, then room."""
    if plan.flags[REDUCE_ONLY] == 1:
        keep_reducing(book, plan, symbols, models)
    if value > 0.0 and (held_back or plan.flags[REDUCE_ONLY] == 1):
        check_room(value, book, rules, plan, symbols, models)
