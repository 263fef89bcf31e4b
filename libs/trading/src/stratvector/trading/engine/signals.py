"""Weights become effective exposures per model, with a memory of the last good weight."""

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.keeping import has_keeper, kept_exposure
from stratvector.trading.engine.limits import is_planned
from stratvector.trading.engine.state import (
    EXPOSURE,
    MISSING,
    REASON,
    SCALE,
    Book,
    Floats,
    Indices,
    Market,
    Plan,
    Rules,
)
from stratvector.trading.engine.weights import KEPT_CLOSES_MAX, WEIGHT_MAX

FRESH, KEPT, EXPIRED = 0, 1, 2  # reasons.WeightReason


@engine_jit
def hold_weight(s: int, m: int, weight: float, book: Book, plan: Plan) -> None:
    """Fold one weight (NaN = missing or late) into the book; an absurd one counts as missing."""
    if abs(weight) < WEIGHT_MAX:
        book.held_weight[s, m] = weight
        book.cells[s, m, MISSING] = 0
        plan.cells[s, m, REASON] = FRESH
        return
    book.cells[s, m, MISSING] += 1
    plan.cells[s, m, REASON] = KEPT
    if book.cells[s, m, MISSING] > KEPT_CLOSES_MAX:
        book.held_weight[s, m] = 0.0
        plan.cells[s, m, REASON] = EXPIRED


@engine_jit
def hold_weights(
    t: int,
    market: Market,
    weights: Floats,
    book: Book,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """Fold the weights (float64[T, M, S]) of the closing symbols into the book."""
    for s in range(len(symbols)):
        if market.closing[t, s]:
            for m in range(len(models)):
                hold_weight(s, m, weights[t, m, s], book, plan)


@engine_jit
def net_models(
    t: int,
    value: float,
    multipliers: Floats,
    book: Book,
    rules: Rules,
    plan: Plan,
    symbols: Indices,
    models: Indices,
) -> None:
    """weight x budget x multiplier (float64[T, M]), clipped per model and symbol, then net over
    the models and what is kept, which no position clip is for: it may be several models'.
    """
    for s in range(len(symbols)):
        if not is_planned(s, plan, symbols):
            continue
        net = 0.0
        for m in range(len(models)):
            wanted = book.held_weight[s, m] * (rules.budget[m] * multipliers[t, m])
            wanted = min(max(wanted, -rules.position_cap), rules.position_cap)
            plan.effective[s, m] = wanted
            net += wanted
        if has_keeper(rules, models):
            net += kept_exposure(s, value, book, rules, models)
        plan.figures[s, EXPOSURE] = net
        plan.figures[s, SCALE] = 1.0
