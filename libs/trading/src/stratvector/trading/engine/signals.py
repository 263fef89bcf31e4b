"""Weights become effective exposures per model, with a memory of the last good weight."""

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import Book, Floats, Indices, Market, Plan, Rules

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
                book.held_weight[m, s] = weight
                book.missing[m, s] = 0
                plan.weight_reason[m, s] = FRESH
            else:
                book.missing[m, s] += 1
                plan.weight_reason[m, s] = KEPT
                if book.missing[m, s] > KEPT_CLOSES_MAX:
                    book.held_weight[m, s] = 0.0
                    plan.weight_reason[m, s] = EXPIRED


@engine_jit
def net_models(
    t: int, multipliers: Floats, book: Book, rules: Rules, plan: Plan, symbols: Indices, models: Indices
) -> None:
    """weight x budget x multiplier (float64[T, M]), clipped per model and symbol, then net over the models."""
    for s in range(len(symbols)):
        if plan.planned[s]:
            plan.exposure[s] = 0.0
            plan.scale[s] = 1.0
    for m in range(len(models)):
        budget = rules.budget[m] * multipliers[t, m]
        for s in range(len(symbols)):
            if plan.planned[s]:
                wanted = book.held_weight[m, s] * budget
                wanted = min(max(wanted, -rules.position_cap), rules.position_cap)
                plan.effective[m, s] = wanted
                plan.exposure[s] += wanted
