"""`cash: strict`: buys are cut to what their account's cash affords at the highest price that they
may fill at.

A buy fills at its mark plus the collar at most (matching.py), so what it may cost is known when it
is ordered: cash never goes below zero. Proceeds count once they are there, those of shorts never.
"""

import numpy as np

from stratvector.trading.engine.arithmetic import whole
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.planning import cut_order
from stratvector.trading.engine.state import (
    ACCOUNT,
    HELD_BACK,
    LOT_SIZE,
    MICRO,
    ORDER,
    OUTCOME,
    POSITION,
    WORKING,
    Book,
    Indices,
    Plan,
    Rules,
)
from stratvector.trading.engine.targets import NO_CASH

SLACK = 1e-12  # of cash: more than rounding can make of sums and products


@engine_jit
def cost_of(lots: int, s: int, book: Book, rules: Rules) -> float:
    """The most that a buy of `lots` takes from cash, but for the rounding of its commission."""
    highest = rules.grid[s, LOT_SIZE] * book.mark[s] * (1.0 + rules.cash_collar)
    cost: float = lots * highest * (1.0 + rules.commission)
    return cost


@engine_jit
def covering_lots(s: int, book: Book, plan: Plan) -> int:
    """How much of the symbol's planned buy buys back a short."""
    lots: int = max(0, min(plan.fields[s, ORDER], -book.lots[s, POSITION]))
    return lots


@engine_jit
def affordable(available: float, needed: float) -> float:
    """The part of `needed` that is there, 0 to 1."""
    if needed <= 0.0 or needed <= available:
        return 1.0
    return max(0.0, available) / needed


@engine_jit
def check_cash(book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices) -> None:
    """Cut the planned buys, account by account."""
    for account in range(len(book.cash)):
        check_account(account, book, rules, plan, symbols, models)


@engine_jit
def check_account(
    account: int, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """Cut an account's planned buys pro rata to its free cash: those that buy back shorts first,
    then those that open, beside what buying back all other shorts would cost.
    """
    cash = book.cash[account]
    free = cash - abs(cash) * SLACK - len(symbols) / MICRO
    covers, opens, shorts = 0.0, 0.0, 0.0
    for s in range(len(symbols)):
        if rules.groups[s, ACCOUNT] != account:
            continue
        free -= cost_of(max(0, book.lots[s, WORKING]), s, book, rules)
        covering = covering_lots(s, book, plan)
        short = max(0, -book.lots[s, POSITION] - max(0, book.lots[s, WORKING]))
        covers += cost_of(covering, s, book, rules)
        shorts += cost_of(short - covering, s, book, rules)
        opens += cost_of(max(0, plan.fields[s, ORDER]) - covering, s, book, rules)
    cover_part = affordable(free, covers)
    open_part = affordable(free - covers - shorts, opens)
    if cover_part == 1.0 and open_part == 1.0:
        return
    for s in range(len(symbols)):
        if rules.groups[s, ACCOUNT] == account and plan.fields[s, ORDER] > 0:
            cut_buy(s, cover_part, open_part, book, rules, plan, models)


@engine_jit
def cut_buy(
    s: int,
    cover_part: float,
    open_part: float,
    book: Book,
    rules: Rules,
    plan: Plan,
    models: Indices,
) -> None:
    """Leave these parts of a symbol's buy, toward zero in lots; below the minimum order nothing."""
    covering = covering_lots(s, book, plan)
    opening = plan.fields[s, ORDER] - covering
    lots = whole(np.floor(covering * cover_part)) + whole(np.floor(opening * open_part))
    notional = lots * rules.grid[s, LOT_SIZE] * book.mark[s]
    if covering == 0 and notional < rules.minimum_order_notional:
        lots = 0
    if lots == plan.fields[s, ORDER]:
        return
    plan.flags[HELD_BACK] = 1
    if lots == 0:
        plan.fields[s, OUTCOME] = NO_CASH
    cut_order(s, lots, plan, models)
