"""From targets to orders: models cross among themselves first, the rest is one net order per
symbol.

A cross settles in the decision at the mark, free of cost. The net order's parts have one sign and
sum to it.
"""

from stratvector.trading.engine.allocation import apportion
from stratvector.trading.engine.compiling import engine_jit
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
    plan.fields[s, CROSSED] = matched > 0
    if matched == 0:
        return
    larger = 1 if buys >= sells else -1
    for m in range(len(models)):
        wish = plan.cells[s, m, ORDER_PART]
        plan.share[m] = wish if wish * larger > 0 else 0
    apportion(larger * matched, plan.share, plan.part, models)
    for m in range(len(models)):
        wish = plan.cells[s, m, ORDER_PART]
        crossed = plan.part[m] if wish * larger > 0 else wish
        plan.cells[s, m, CROSS_PART] = crossed
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
def plan_order(s: int, value: float, book: Book, rules: Rules, plan: Plan, models: Indices) -> None:
    """The symbol's crosses and order, from the models' targets and what they hold."""
    halted = plan.flags[HALTED] == 1
    plan.fields[s, CROSSED] = 0
    wishes = 0
    for m in range(len(models)):
        wish = plan.cells[s, m, MODEL_TARGET] - book.cells[s, m, MODEL_LOTS]
        plan.cells[s, m, ORDER_PART] = wish
        plan.cells[s, m, CROSS_PART] = 0
        wishes += abs(wish)
    if wishes == 0:
        plan.fields[s, OUTCOME] = HALTED_OUTCOME if halted else NO_CHANGE
        return
    plan.flags[MOVED] = 1
    if len(models) > 1:
        cross_models(s, plan, models)
    delta = plan.fields[s, TARGET] - book.lots[s, POSITION]
    plan.fields[s, ORDER] = delta
    if delta == 0:
        return
    plan.fields[s, OUTCOME] = ORDERED
    notional = abs(delta) * rules.grid[s, LOT_SIZE] * book.mark[s]
    if not halted and notional < rules.no_trade_band * value:
        cut_order(s, 0, plan, models)
        plan.fields[s, OUTCOME] = BELOW_BAND
        plan.flags[HELD_BACK] = 1


@engine_jit
def plan_orders(
    value: float, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """Crosses and orders of all symbols that move."""
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols) and plan.fields[s, MOVES] == 1:
            plan_order(s, value, book, rules, plan, models)
