"""From weights to whole lots: which symbols are planned, the stages in their order, and the
models' targets in lots.

The models' parts of a target come from their effective weights times what the stages left (pro
rata), so they sum to the net target exactly.
"""

from typing import Any

import numpy as np

from stratvector.trading.engine import limits
from stratvector.trading.engine.allocation import whole_lots
from stratvector.trading.engine.arithmetic import FINITE_MAX, LOTS_MAX, whole
from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.keeping import has_keeper, kept_target
from stratvector.trading.engine.signals import net_models
from stratvector.trading.engine.state import (
    CANCEL,
    CANCELLING,
    CROSSED,
    EXPOSURE,
    HALTED,
    HELD_BACK,
    LOT_SIZE,
    MODEL_TARGET,
    MOVED,
    MOVES,
    ORDER,
    OUTCOME,
    PLANNED,
    POSITION,
    RESTRICTED_FLAG,
    SCALE,
    TARGET,
    WORKING,
    Book,
    Floats,
    Indices,
    Market,
    Plan,
    Rules,
)

# reasons.Outcome as plain integers, for the compiled code
NOT_PLANNED, ORDERED, NO_CHANGE, BELOW_BAND, STALE, NO_PRICE = 0, 1, 2, 3, 4, 5
NO_EQUITY, TOO_LARGE, NO_ROOM, REDUCE_ONLY_OUTCOME, HALTED_OUTCOME, RESTRICTED = 6, 7, 8, 9, 10, 11
WORKING_OUTCOME, NO_CASH = 12, 13


@engine_jit
def admit(
    t: int, s: int, value: float, market: Market, book: Book, rules: Rules, plan: Plan
) -> int:
    """NO_CHANGE when the symbol may be planned at t, else the reason why it keeps what it holds.

    A halted book plans every symbol, closing or not. A symbol whose order has no terminal event yet
    is never planned: until then nobody knows what it will hold.
    """
    halted = plan.flags[HALTED] == 1
    if not (halted or market.closing[t, s]):
        return NOT_PLANNED
    if rules.groups[s, RESTRICTED_FLAG]:
        return RESTRICTED
    if not halted and not market.close[t, s] > 0.0:
        return STALE
    if not (book.mark[s] > 0.0 and book.mark[s] < FINITE_MAX):
        return NO_PRICE
    if not halted and not (value > 0.0 and value < FINITE_MAX):
        return NO_EQUITY
    if book.lots[s, WORKING] != 0:
        return WORKING_OUTCOME
    return NO_CHANGE


@engine_jit
def choose_symbols(
    t: int, value: float, market: Market, book: Book, rules: Rules, plan: Plan, symbols: Indices
) -> bool:
    """Mark what is planned; held symbols enter the limits at their mark with working orders. True
    if any is planned.
    """
    any_planned = False
    plan.flags[HELD_BACK] = 0
    plan.flags[MOVED] = 0
    for s in range(len(symbols)):
        plan.fields[s, OUTCOME] = admit(t, s, value, market, book, rules, plan)
        plan.fields[s, PLANNED] = plan.fields[s, OUTCOME] == NO_CHANGE
        plan.fields[s, ORDER] = 0
        plan.fields[s, CANCEL] = 0
        if plan.fields[s, PLANNED]:
            any_planned = True
        else:
            hold_symbol(s, value, book, rules, plan)
    return any_planned


@engine_jit
def hold_symbol(s: int, value: float, book: Book, rules: Rules, plan: Plan) -> None:
    """A symbol keeps what it holds and has working; a halted book cancels what does not flatten it.

    The order stays reserved until the broker's word arrives: it may fill before the cancel does.
    """
    lots = book.lots[s, POSITION] + book.lots[s, WORKING]
    plan.fields[s, TARGET] = lots
    plan.figures[s, EXPOSURE] = 0.0
    if lots != 0 and value > 0.0:
        plan.figures[s, EXPOSURE] = lots * rules.grid[s, LOT_SIZE] * book.mark[s] / value
    stray = book.lots[s, WORKING] != 0 and lots != 0
    if plan.flags[HALTED] == 1 and stray and book.lots[s, CANCELLING] == 0:
        plan.fields[s, CANCEL] = 1
        plan.flags[MOVED] = 1


@engine_jit
def record(stage: int, stages: Any, figures: Floats, symbols: Indices) -> None:
    """Keep the exposures that a stage left; compiled away where nothing is recorded (stages is
    None).
    """
    if stages is not None:
        for s in range(len(symbols)):
            stages[stage, s] = figures[s, EXPOSURE]


@engine_jit
def apply_stages(
    t: int,
    value: float,
    multipliers: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """The stages between weights and lots, in the order of `reasons.Stage`."""
    net_models(t, value, multipliers, book, rules, plan, symbols, models)
    record(0, plan.stages, plan.figures, symbols)
    limits.cap_symbols(rules.symbol_cap, plan, symbols)
    record(1, plan.stages, plan.figures, symbols)
    limits.cap_assets(rules.asset_cap, rules.groups, plan, symbols)
    record(2, plan.stages, plan.figures, symbols)
    limits.cap_classes(rules.class_cap, rules.groups, plan, symbols)
    record(3, plan.stages, plan.figures, symbols)
    limits.cap_invested(rules.invested_cap, plan, symbols)
    record(4, plan.stages, plan.figures, symbols)
    limits.cap_gross(rules.gross_cap, plan, symbols)
    record(5, plan.stages, plan.figures, symbols)
    if rules.capital_cap < np.inf and value > 0.0:
        limits.cap_gross(rules.capital_cap / value, plan, symbols)
    record(6, plan.stages, plan.figures, symbols)
    limits.scale_drawdown(plan.factor[0], plan, symbols)
    record(7, plan.stages, plan.figures, symbols)


@engine_jit
def keep_lots(s: int, outcome: int, book: Book, plan: Plan) -> None:
    """The symbol stays as it is, whatever its target; others must leave room for what it holds
    beyond that.
    """
    plan.fields[s, MOVES] = 0
    plan.fields[s, CROSSED] = 0
    plan.fields[s, OUTCOME] = outcome
    if plan.fields[s, TARGET] != book.lots[s, POSITION]:
        plan.flags[HELD_BACK] = 1


@engine_jit
def round_target(
    s: int, value: float, book: Book, rules: Rules, plan: Plan, models: Indices
) -> None:
    """The symbol's target in whole lots, toward zero, and its parts per model."""
    per_lot = 0.0
    if value > 0.0:
        per_lot = value / (book.mark[s] * rules.grid[s, LOT_SIZE])
    total, size = 0.0, 0.0
    for m in range(len(models)):
        wanted = plan.effective[s, m] * plan.figures[s, SCALE] * per_lot
        total += wanted
        size += abs(wanted)
    if has_keeper(rules, models):
        kept = kept_target(s, book, rules, plan, models)
        total += kept
        size += abs(kept)
    if not size < LOTS_MAX:  # of parts, as opposite ones may be large where their net is not
        plan.fields[s, TARGET] = 0
        keep_lots(s, TOO_LARGE, book, plan)
        return
    target = whole(total)
    plan.fields[s, TARGET] = target
    plan.fields[s, MOVES] = 1
    split_target(s, target, per_lot, book, rules, plan, models)


@engine_jit
def note_part(m: int, wanted: float, plan: Plan) -> None:
    """A model's part in lots, as floor and rest."""
    floor = np.floor(wanted)
    plan.part[m] = whole(floor)
    plan.fraction[m] = wanted - floor


@engine_jit
def split_target(
    s: int,
    target: int,
    per_lot: float,
    book: Book,
    rules: Rules,
    plan: Plan,
    models: Indices,
) -> None:
    """The models' parts of a target in lots; they sum to it."""
    if len(models) == 1:
        plan.cells[s, 0, MODEL_TARGET] = target
        return
    for m in range(len(models)):
        note_part(m, plan.effective[s, m] * plan.figures[s, SCALE] * per_lot, plan)
    if has_keeper(rules, models):
        note_part(rules.keeper, kept_target(s, book, rules, plan, models), plan)
    whole_lots(target, plan.fraction, plan.part, models)
    for m in range(len(models)):
        plan.cells[s, m, MODEL_TARGET] = plan.part[m]
