"""From targets to orders: models cross among themselves first, the rest is one net order per
symbol.

A cross settles in the decision at the mark, free of cost. The net order's parts have one sign and
sum to it.
"""

from stratvector.trading.engine.allocation import apportion
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.keeping import hand_over, has_keeper
from stratvector.trading.engine.limits import is_planned
from stratvector.trading.engine.state import (
    CROSS_PART,
    CROSSED,
    HALTED,
    HELD_BACK,
    LOT_SIZE,
    MODEL_LOTS,
    MODEL_TARGET,
    MOVED,
    MOVES,
    ORDER,
    ORDER_PART,
    OUTCOME,
    POSITION,
    TARGET,
    Book,
    Indices,
    Plan,
    Rules,
)
from stratvector.trading.engine.targets import (
    BELOW_BAND,
    HALTED_OUTCOME,
    NO_CHANGE,
    ORDERED,
    keep_lots,
)


@engine_jit
def cross_models(s: int, plan: Plan, models: Indices) -> None:
    """Split the models' wishes (order_parts, signed lots of any sign) into crosses and what is
    left of one sign.
    """
    buys, sells = 0, 0
    for m in range(len(models)):
        buys += max(0, plan.cells[s, m, ORDER_PART])
        sells += max(0, -plan.cells[s, m, ORDER_PART])
    matched = min(buys, sells)
    if matched == 0:
        return
    plan.fields[s, CROSSED] = 1
    larger = 1 if buys >= sells else -1
    for m in range(len(models)):
        wish = plan.cells[s, m, ORDER_PART]
        plan.share[m] = wish if wish * larger > 0 else 0
    apportion(larger * matched, plan.share, plan.part, models)
    for m in range(len(models)):
        wish = plan.cells[s, m, ORDER_PART]
        crossed = plan.part[m] if wish * larger > 0 else wish
        plan.cells[s, m, CROSS_PART] += crossed
        plan.cells[s, m, ORDER_PART] = wish - crossed


@engine_jit
def cut_order(s: int, lots: int, plan: Plan, models: Indices) -> None:
    """Make the symbol's order smaller (same sign, or zero), pro rata over the models."""
    if lots == plan.fields[s, ORDER]:
        return
    for m in range(len(models)):
        plan.share[m] = plan.cells[s, m, ORDER_PART]
        plan.part[m] = 0
    if lots != 0:
        apportion(lots, plan.share, plan.part, models)
    for m in range(len(models)):
        plan.cells[s, m, ORDER_PART] = plan.part[m]
    plan.fields[s, ORDER] = lots


@engine_jit
def wish_lots(s: int, book: Book, plan: Plan, models: Indices) -> int:
    """The models' wishes (ORDER_PART: target less what is held); the sum of their sizes."""
    wishes = 0
    for m in range(len(models)):
        wish = plan.cells[s, m, MODEL_TARGET] - book.cells[s, m, MODEL_LOTS]
        plan.cells[s, m, ORDER_PART] = wish
        plan.cells[s, m, CROSS_PART] = 0
        wishes += abs(wish)
    return wishes


@engine_jit
def is_exempt(s: int, book: Book, plan: Plan, models: Indices) -> bool:
    """Whether no band may hold the symbol back: an exit, or a reduction that a breaker forces.

    An exit is the symbol's own or a model's. Breakers are the halt and the drawdown's factor. A cap
    that prices alone have passed forces nothing: it may stay passed by less than the band, or every
    rise of a position at its cap would be an order of its own.
    """
    held, target = book.lots[s, POSITION], plan.fields[s, TARGET]
    leaves = target == 0 and held != 0
    for m in range(len(models)):
        if plan.cells[s, m, MODEL_TARGET] == 0 and book.cells[s, m, MODEL_LOTS] != 0:
            leaves = True
    shrinks = target < held if held > 0 else target > held
    forced = plan.flags[HALTED] == 1 or (plan.factor[0] < 1.0 and held != 0 and shrinks)
    exempt: bool = leaves or forced
    return exempt


@engine_jit
def least_notional(
    s: int, unit: float, book: Book, rules: Rules, plan: Plan, models: Indices
) -> float:
    """What a change must come to (base currency; a lot costs `unit`): the band on the models'
    targets or holdings, whichever are larger, at least the minimum order. 0 where no band holds.
    """
    if rules.rebalance_band == 0.0 and rules.minimum_order_notional == 0.0:
        return 0.0
    if is_exempt(s, book, plan, models):
        return 0.0
    wanted, held = 0, 0
    for m in range(len(models)):
        wanted += abs(plan.cells[s, m, MODEL_TARGET])
        held += abs(book.cells[s, m, MODEL_LOTS])
    return max(rules.rebalance_band * (max(wanted, held) * unit), rules.minimum_order_notional)


@engine_jit
def plan_order(s: int, book: Book, rules: Rules, plan: Plan, models: Indices) -> None:
    """The symbol's crosses and order, from the models' targets and what they hold.

    While the models' wishes together are inside the band, the symbol neither orders nor crosses;
    where their net is, they only cross.
    """
    plan.fields[s, CROSSED] = 0
    wishes = wish_lots(s, book, plan, models)
    if wishes == 0:
        plan.fields[s, OUTCOME] = HALTED_OUTCOME if plan.flags[HALTED] == 1 else NO_CHANGE
        return
    delta = plan.fields[s, TARGET] - book.lots[s, POSITION]
    unit = rules.grid[s, LOT_SIZE] * book.mark[s]
    least = least_notional(s, unit, book, rules, plan, models)
    if wishes * unit < least:
        keep_lots(s, NO_CHANGE if delta == 0 else BELOW_BAND, book, plan)
        return
    plan.flags[MOVED] = 1
    if has_keeper(rules, models):
        hand_over(s, book, rules, plan, models)
    if len(models) > 1:
        cross_models(s, plan, models)
    plan.fields[s, ORDER] = delta
    if delta == 0:
        return
    plan.fields[s, OUTCOME] = ORDERED
    if abs(delta) * unit < least:
        cut_order(s, 0, plan, models)
        plan.fields[s, OUTCOME] = BELOW_BAND
        plan.flags[HELD_BACK] = 1


@engine_jit
def plan_orders(book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices) -> None:
    """Crosses and orders of all symbols that move."""
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols) and plan.fields[s, MOVES] == 1:
            plan_order(s, book, rules, plan, models)
