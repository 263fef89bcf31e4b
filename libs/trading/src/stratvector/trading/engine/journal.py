"""What a recorded run keeps of every step; arrays with a leading axis of closes, allocated once
before the loop.
"""

from typing import NamedTuple

import numpy as np

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    CANCEL,
    CASH,
    CROSS_PART,
    EXPIRED,
    FILL_COMMISSION,
    FILL_LOTS,
    FILL_PRICE,
    MODEL_LOTS,
    MOVES,
    ORDER,
    ORDER_PART,
    OUTCOME,
    PLANNED,
    REASON,
    STAGES,
    TARGET,
    Book,
    Flags,
    Floats,
    Indices,
    Integers,
    Market,
    Plan,
    shapes,
)


class Journal(NamedTuple):
    """Per close: equity, gross exposure (base currency), cash, drawdown factor and flags, marks,
    fills, the decision.

    The names and shapes are those of `Plan` and `Book`, with T in front.
    """

    equity: Floats
    gross: Floats
    cash: Floats
    factor: Floats
    flags: Integers
    mark: Floats
    fill_lots: Integers
    fill_price: Floats
    fill_commission: Integers
    expired: Integers
    planned: Flags
    target_lots: Integers
    order_lots: Integers
    order_parts: Integers
    cross_parts: Integers
    cancel: Flags
    outcome: Integers
    weight_reason: Integers
    stages: Floats
    model_lots: Integers
    model_cash: Floats

    def __repr__(self) -> str:
        return shapes(self)


def new_journal(closes: int, symbols: int, models: int) -> Journal:
    """Empty arrays for a run of `closes` steps."""
    by_symbol, by_part = (closes, symbols), (closes, models, symbols)
    return Journal(
        equity=np.zeros(closes),
        gross=np.zeros(closes),
        cash=np.zeros(closes),
        factor=np.ones(closes),
        flags=np.zeros((closes, 2), np.int64),
        mark=np.zeros(by_symbol),
        fill_lots=np.zeros(by_symbol, np.int64),
        fill_price=np.zeros(by_symbol),
        fill_commission=np.zeros(by_symbol, np.int64),
        expired=np.zeros(by_symbol, np.int64),
        planned=np.zeros(by_symbol, np.bool_),
        target_lots=np.zeros(by_symbol, np.int64),
        order_lots=np.zeros(by_symbol, np.int64),
        order_parts=np.zeros(by_part, np.int64),
        cross_parts=np.zeros(by_part, np.int64),
        cancel=np.zeros(by_symbol, np.bool_),
        outcome=np.zeros(by_symbol, np.int64),
        weight_reason=np.zeros(by_part, np.int64),
        stages=np.zeros((closes, STAGES, symbols)),
        model_lots=np.zeros(by_part, np.int64),
        model_cash=np.zeros((closes, models)),
    )


@engine_jit
def write_symbol(t: int, s: int, journal: Journal, book: Book, plan: Plan) -> None:
    """One symbol's figures at t."""
    journal.mark[t, s] = book.mark[s]
    journal.fill_lots[t, s] = plan.fields[s, FILL_LOTS]
    journal.fill_price[t, s] = plan.figures[s, FILL_PRICE]
    journal.fill_commission[t, s] = plan.fields[s, FILL_COMMISSION]
    journal.expired[t, s] = plan.fields[s, EXPIRED]
    journal.planned[t, s] = plan.fields[s, PLANNED]
    journal.outcome[t, s] = plan.fields[s, OUTCOME]
    journal.target_lots[t, s] = plan.fields[s, TARGET]
    journal.order_lots[t, s] = plan.fields[s, ORDER]
    journal.cancel[t, s] = plan.fields[s, CANCEL]
    for k in range(STAGES):
        journal.stages[t, k, s] = plan.stages[k, s]


@engine_jit
def write(
    t: int,
    value: float,
    market: Market,
    journal: Journal,
    book: Book,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """Keep one step; `value` is the equity that it was decided on."""
    journal.equity[t] = value
    journal.cash[t] = book.account[CASH]
    journal.factor[t] = plan.factor[0]
    journal.flags[t, 0] = plan.flags[0]
    journal.flags[t, 1] = plan.flags[1]
    for s in range(len(symbols)):
        write_symbol(t, s, journal, book, plan)
    for m in range(len(models)):
        journal.model_cash[t, m] = book.model_cash[m]
        for s in range(len(symbols)):
            journal.model_lots[t, m, s] = book.cells[s, m, MODEL_LOTS]
            closing = market.closing[t, s]
            moves = plan.fields[s, PLANNED] == 1 and plan.fields[s, MOVES] == 1
            journal.weight_reason[t, m, s] = plan.cells[s, m, REASON] if closing else 0
            journal.order_parts[t, m, s] = plan.cells[s, m, ORDER_PART] if moves else 0
            journal.cross_parts[t, m, s] = plan.cells[s, m, CROSS_PART] if moves else 0
