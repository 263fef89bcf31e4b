"""From targets to orders: models cross among themselves first, the rest is one net order per symbol.

A cross settles in the decision at the mark, free of cost. The net order's parts have one sign and sum to it.
"""

from stratvector.trading.engine.allocation import apportion
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import HALTED, Book, Indices, Plan, Rules
from stratvector.trading.engine.targets import (
    BELOW_BAND,
    HALTED_OUTCOME,
    NO_CHANGE,
    ORDERED,
)


@engine_jit
def cross_models(s: int, plan: Plan, models: Indices) -> None:
    """Split the models' wishes (order_parts, signed lots of any sign) into crosses and what is left of one sign."""
    buys, sells = 0, 0
    for m in range(len(models)):
        buys += max(0, plan.order_parts[m, s])
        sells += max(0, -plan.order_parts[m, s])
    matched = min(buys, sells)
    plan.crossed[s] = matched > 0
    if matched == 0:
        return
    larger = 1 if buys >= sells else -1
    for m in range(len(models)):
        wish = plan.order_parts[m, s]
        plan.share[m] = wish if wish * larger > 0 else 0
    apportion(larger * matched, plan.share, plan.part, models)
    for m in range(len(models)):
        wish = plan.order_parts[m, s]
        crossed = plan.part[m] if wish * larger > 0 else wish
        plan.cross_parts[m, s] = crossed
        plan.order_parts[m, s] = wish - crossed


@engine_jit
def cut_order(s: int, lots: int, plan: Plan, models: Indices) -> None:
    """Make the symbol's order smaller (same sign, or zero), pro rata over the models."""
    if lots == plan.order_lots[s]:
        return
    for m in range(len(models)):
        plan.share[m] = plan.order_parts[m, s]
        plan.part[m] = 0
    if lots != 0:
        apportion(lots, plan.share, plan.part, models)
    for m in range(len(models)):
        plan.order_parts[m, s] = plan.part[m]
    plan.order_lots[s] = lots


@engine_jit
def plan_order(s: int, value: float, book: Book, rules: Rules, plan: Plan, models: Indices) -> bool:
    """The symbol's order from target and position. True if it is held back, so that the caps need another look."""
    halted = plan.flags[HALTED] == 1
    if halted and book.working[s] != 0:
        plan.cancel[s] = True
    delta = plan.target_lots[s] - book.position[s]
    wishes = 0
    for m in range(len(models)):
        wish = plan.model_target[m, s] - book.model_lots[m, s]
        plan.order_parts[m, s] = wish
        plan.cross_parts[m, s] = 0
        wishes += abs(wish)
    plan.crossed[s] = False
    if wishes == 0:
        plan.outcome[s] = HALTED_OUTCOME if halted else plan.outcome[s]
        return False
    cross_models(s, plan, models)
    plan.order_lots[s] = delta
    if delta == 0:
        return False
    notional = abs(delta) * rules.lot_size[s] * book.mark[s]
    if not halted and notional < rules.no_trade_band * value:
        cut_order(s, 0, plan, models)
        plan.outcome[s] = BELOW_BAND
        return True
    plan.outcome[s] = ORDERED
    return False


@engine_jit
def plan_orders(
    value: float, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> bool:
    """Orders of all planned symbols. True if any was held back."""
    held_back = False
    for s in range(len(symbols)):
        if plan.planned[s] and plan.outcome[s] == NO_CHANGE:
            if plan_order(s, value, book, rules, plan, models):
                held_back = True
        elif plan.planned[s]:
            held_back = True
            plan.crossed[s] = False
            for m in range(len(models)):
                plan.order_parts[m, s] = 0
                plan.cross_parts[m, s] = 0
    return held_back
