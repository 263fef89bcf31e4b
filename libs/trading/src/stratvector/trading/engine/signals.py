"""Weights become effective exposures per model, with a memory of the last good weight."""

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    Book,
    EXPOSURE,
    Floats,
    Indices,
    MISSING,
    Market,
    PLANNED,
    Plan,
    REASON,
    Rules,
    SCALE,
)

KEPT_CLOSES_MAX = 3  # a NaN or late weight keeps the previous target for so many closes, then 0
FRESH, KEPT, EXPIRED = 0, 1, 2  # reasons.WeightReason


@engine_jit
def hold_weights(
    t: int, market: Market, weights: Floats, book: Book, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """Fold the weights (float64[T, M, S], NaN = missing or late) of the closing symbols into the book."""
    for m in range(len(models)):
        for s in range(len(symbols)):
            if not market.closing[t, s]:
                continue
            weight = weights[t, m, s]
            if weight == weight:
                book.held_weight[s, m] = weight
                book.cells[s, m, MISSING] = 0
                plan.cells[s, m, REASON] = FRESH
            else:
                book.cells[s, m, MISSING] += 1
                plan.cells[s, m, REASON] = KEPT
                if book.cells[s, m, MISSING] > KEPT_CLOSES_MAX:
                    book.held_weight[s, m] = 0.0
                    plan.cells[s, m, REASON] = EXPIRED


@engine_jit
def net_models(
    t: int, multipliers: Floats, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """weight x budget x multiplier (float64[T, M]), clipped per model and symbol, then net over the models."""
    for s in range(len(symbols)):
        if plan.fields[s, PLANNED]:
            plan.figures[s, EXPOSURE] = 0.0
            plan.figures[s, SCALE] = 1.0
    for m in range(len(models)):
        budget = rules.budget[m] * multipliers[t, m]
        for s in range(len(symbols)):
            if plan.fields[s, PLANNED]:
                wanted = book.held_weight[s, m] * budget
                wanted = min(max(wanted, -rules.position_cap), rules.position_cap)
                plan.effective[s, m] = wanted
                plan.figures[s, EXPOSURE] += wanted
