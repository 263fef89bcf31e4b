"""One close time of one portfolio, in the order of the flow. The three drivers use these functions
and no others.

match_close   working orders of the closing symbols meet their bar         simulated broker
settle_close  fills, expiries                                             backtest (live: from the
FILLS lane) decide        marks, breakers, weights, limits, orders                      risk service
place         the decision takes effect: crosses, working orders           risk service
"""

from stratvector.trading.engine.account import (
    equity,
    mark_close,
    release,
    settle_cross,
    settle_fill,
)
from stratvector.trading.engine.breakers import trip_breakers
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.keeping import has_keeper, keep_crossed
from stratvector.trading.engine.limits import is_planned
from stratvector.trading.engine.matching import match_market
from stratvector.trading.engine.planning import plan_orders
from stratvector.trading.engine.room import check_orders
from stratvector.trading.engine.signals import hold_weights
from stratvector.trading.engine.state import (
    CANCEL,
    CANCELLING,
    CROSSED,
    EXPIRED,
    FILL_COMMISSION,
    FILL_LOTS,
    FILL_PRICE,
    FILLS,
    MOVED,
    MOVES,
    ORDER,
    ORDER_PART,
    PLANNED,
    WORKING,
    Book,
    Floats,
    Indices,
    Market,
    Plan,
    Rules,
)
from stratvector.trading.engine.targets import apply_stages, choose_symbols, round_target


@engine_jit
def match_close(
    t: int, market: Market, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """Match and settle the working orders of the symbols that close at t; what is not filled
    expires. The simulated broker cancels at once: before any bar.
    """
    for s in range(len(symbols)):
        plan.fields[s, FILL_LOTS] = 0
        plan.fields[s, EXPIRED] = 0
        if book.lots[s, WORKING] == 0:
            continue
        if book.lots[s, CANCELLING] == 1:
            release(s, book, models)
            continue
        if not market.closing[t, s]:
            continue
        lots, price, commission = match_market(
            book.lots[s, WORKING], book.mark[s], market.open[t, s], market.volume[t, s], s, rules
        )
        if lots != 0:
            plan.flags[FILLS] += 1
            plan.fields[s, FILL_LOTS] = lots
            plan.figures[s, FILL_PRICE] = price
            plan.fields[s, FILL_COMMISSION] = commission
            settle_fill(s, lots, price, commission, book, rules, plan, models)
        plan.fields[s, EXPIRED] = book.lots[s, WORKING]
        release(s, book, models)


@engine_jit
def observe(
    t: int,
    market: Market,
    weights: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> float:
    """Fold the close's marks, breakers and weights into the book; the equity at this close.

    A recovering owner calls this for closes whose decision it adopts, and then `place`.
    """
    mark_close(t, market, book, symbols)
    value = equity(book, rules.grid, symbols)
    trip_breakers(market.day[t], value, book, rules, plan)
    hold_weights(t, market, weights, book, plan, symbols, models)
    return value


@engine_jit
def decide(
    t: int,
    value: float,
    market: Market,
    multipliers: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """The decision at t, into `plan`; the book is only read."""
    if not choose_symbols(t, value, market, book, rules, plan, symbols):
        return
    apply_stages(t, value, multipliers, book, rules, plan, symbols, models)
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols):
            round_target(s, value, book, rules, plan, models)
    plan_orders(book, rules, plan, symbols, models)
    if plan.flags[MOVED] == 1:
        check_orders(value, book, rules, plan, symbols, models)


@engine_jit
def place(book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices) -> None:
    """Let the plan take effect: cancels are under way, crosses settle, orders are working."""
    if plan.flags[MOVED] == 0:
        return
    for s in range(len(symbols)):
        if plan.fields[s, CANCEL] == 1:
            book.lots[s, CANCELLING] = 1
        if plan.fields[s, PLANNED] == 0 or plan.fields[s, MOVES] == 0:
            continue
        if len(models) > 1 and plan.fields[s, CROSSED] == 1:
            settle_cross(s, book, rules, plan, models)
            if has_keeper(rules, models):
                keep_crossed(s, book, rules, plan, models)
        if plan.fields[s, ORDER] != 0:
            book.lots[s, WORKING] = plan.fields[s, ORDER]
            for m in range(len(models)):
                book.cells[s, m, ORDER_PART] = plan.cells[s, m, ORDER_PART]


@engine_jit
def step(
    t: int,
    market: Market,
    weights: Floats,
    multipliers: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> float:
    """One close, whole. Returns the equity that the decision was made on."""
    match_close(t, market, book, rules, plan, symbols, models)
    value = observe(t, market, weights, book, rules, plan, symbols, models)
    decide(t, value, market, multipliers, book, rules, plan, symbols, models)
    place(book, rules, plan, symbols, models)
    return value
