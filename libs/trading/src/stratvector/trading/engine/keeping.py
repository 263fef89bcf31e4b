"""Lots that are kept: one model, the keeper, wants so many lots of a symbol instead of a fraction
of equity. It takes over what removed models hold, see `closing`.

What it wants passes the same stages as every weight; where none of them takes anything it is these
lots, to the last one. A removed model hands over all that it holds of a symbol in the first plan of
it, as a cross: at the mark and free of cost.
"""

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    CROSS_PART,
    CROSSED,
    LOT_SIZE,
    MODEL_LOTS,
    ORDER_PART,
    SCALE,
    Book,
    Indices,
    Plan,
    Rules,
)


@engine_jit
def has_keeper(rules: Rules, models: Indices) -> bool:
    """Known when compiled for a lone model, which has nobody to hand anything to."""
    return len(models) > 1 and rules.keeper >= 0


@engine_jit
def kept_lots(s: int, book: Book, rules: Rules, models: Indices) -> int:
    """What the keeper wants: what it keeps already, and what is handed to it in this plan."""
    lots: int = book.kept[s]
    for m in range(len(models)):
        if rules.gives[s, m]:
            lots += book.cells[s, m, MODEL_LOTS]
    return lots


@engine_jit
def kept_exposure(s: int, value: float, book: Book, rules: Rules, models: Indices) -> float:
    """The same as a signed fraction of equity; 0 where there is none."""
    if not value > 0.0:
        return 0.0
    exposure: float = (
        kept_lots(s, book, rules, models) * rules.grid[s, LOT_SIZE] * book.mark[s] / value
    )
    return exposure


@engine_jit
def kept_target(s: int, book: Book, rules: Rules, plan: Plan, models: Indices) -> float:
    """The keeper's part of a target, not rounded: its lots times what the stages left. An exposure
    times lots could come to a part of a lot less than it has.
    """
    lots: float = kept_lots(s, book, rules, models) * plan.figures[s, SCALE]
    return lots


@engine_jit
def hand_over(s: int, book: Book, rules: Rules, plan: Plan, models: Indices) -> None:
    """Take what is handed to the keeper out of the models' wishes (ORDER_PART) into crosses."""
    for m in range(len(models)):
        lots = book.cells[s, m, MODEL_LOTS]
        if not rules.gives[s, m] or lots == 0:
            continue
        plan.fields[s, CROSSED] = 1
        plan.cells[s, m, CROSS_PART] -= lots
        plan.cells[s, m, ORDER_PART] += lots
        plan.cells[s, rules.keeper, CROSS_PART] += lots
        plan.cells[s, rules.keeper, ORDER_PART] -= lots


@engine_jit
def keep_crossed(s: int, book: Book, rules: Rules, plan: Plan, models: Indices) -> None:
    """What was handed over is wanted from now on."""
    for m in range(len(models)):
        if rules.gives[s, m]:
            book.kept[s] -= plan.cells[s, m, CROSS_PART]
