"""One function per limit. A stage only shrinks the size of planned exposures; held ones count, but
can't be changed here.

EXPOSURE is a signed fraction of equity, SCALE what the stages left of the models' wishes.
"""

import numpy as np

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import (
    ASSET,
    CLASS,
    EXPOSURE,
    PLANNED,
    SCALE,
    Floats,
    Indices,
    Integers,
    Plan,
)


@engine_jit
def factor_for(cap: float, planned: float, held: float) -> float:
    """What is left of `planned` (above 0) that does not fit under `cap` beside `held`; 0 when
    nothing does.
    """
    return max(0.0, cap - held) / planned


@engine_jit
def is_planned(s: int, plan: Plan, symbols: Indices) -> bool:
    """Whether the stages may change a symbol. A lone symbol is: the stages run when any is
    planned.
    """
    return len(symbols) == 1 or plan.fields[s, PLANNED] == 1


@engine_jit
def shrink(s: int, factor: float, plan: Plan) -> None:
    """Scale one symbol's exposure."""
    plan.figures[s, EXPOSURE] *= factor
    plan.figures[s, SCALE] *= factor


@engine_jit
def cap_symbols(cap: float, plan: Plan, symbols: Indices) -> None:
    """All models together in one symbol."""
    for s in range(len(symbols)):
        size = abs(plan.figures[s, EXPOSURE])
        if size > cap and is_planned(s, plan, symbols):
            shrink(s, cap / size, plan)


@engine_jit
def sum_groups(kind: int, groups: Integers, count: int, plan: Plan, symbols: Indices) -> None:
    """Planned and held sizes per group, summed in symbol order."""
    for g in range(count):
        plan.group_planned[g] = 0.0
        plan.group_fixed[g] = 0.0
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols):
            plan.group_planned[groups[s, kind]] += abs(plan.figures[s, EXPOSURE])
        else:
            plan.group_fixed[groups[s, kind]] += abs(plan.figures[s, EXPOSURE])


@engine_jit
def shrink_group(
    g: int, cap: float, kind: int, groups: Integers, plan: Plan, symbols: Indices
) -> None:
    """Scale the planned exposures of one group that is above its cap."""
    if plan.group_planned[g] <= 0.0:
        return
    factor = factor_for(cap, plan.group_planned[g], plan.group_fixed[g])
    for s in range(len(symbols)):
        if groups[s, kind] == g and is_planned(s, plan, symbols):
            shrink(s, factor, plan)


@engine_jit
def cap_assets(cap: float, groups: Integers, plan: Plan, symbols: Indices) -> None:
    """One underlying over all its symbols."""
    if cap == np.inf:
        return
    if len(symbols) == 1:  # known when compiled: one symbol is its own group
        cap_symbols(cap, plan, symbols)
        return
    count = len(plan.group_planned)
    sum_groups(ASSET, groups, count, plan, symbols)
    for g in range(count):
        if plan.group_planned[g] + plan.group_fixed[g] > cap:
            shrink_group(g, cap, ASSET, groups, plan, symbols)


@engine_jit
def cap_classes(caps: Floats, groups: Integers, plan: Plan, symbols: Indices) -> None:
    """One asset class, each with a cap of its own (infinity: none)."""
    if len(symbols) == 1:
        cap_symbols(caps[groups[0, CLASS]], plan, symbols)
        return
    sum_groups(CLASS, groups, len(caps), plan, symbols)
    for g in range(len(caps)):
        if plan.group_planned[g] + plan.group_fixed[g] > caps[g]:
            shrink_group(g, caps[g], CLASS, groups, plan, symbols)


@engine_jit
def cap_invested(cap: float, plan: Plan, symbols: Indices) -> None:
    """The sum of long exposures."""
    if cap == np.inf:
        return
    planned, held = 0.0, 0.0
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols):
            planned += max(0.0, plan.figures[s, EXPOSURE])
        else:
            held += max(0.0, plan.figures[s, EXPOSURE])
    if planned + held <= cap or planned <= 0.0:
        return
    factor = factor_for(cap, planned, held)
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols) and plan.figures[s, EXPOSURE] > 0.0:
            shrink(s, factor, plan)


@engine_jit
def cap_gross(cap: float, plan: Plan, symbols: Indices) -> None:
    """The sum of absolute exposures (leverage); also serves the capital cap, as a fraction of
    equity.
    """
    if cap == np.inf:
        return
    planned, held = 0.0, 0.0
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols):
            planned += abs(plan.figures[s, EXPOSURE])
        else:
            held += abs(plan.figures[s, EXPOSURE])
    if planned + held <= cap or planned <= 0.0:
        return
    factor = factor_for(cap, planned, held)
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols):
            shrink(s, factor, plan)


@engine_jit
def scale_drawdown(factor: float, plan: Plan, symbols: Indices) -> None:
    """The drawdown breaker's multiplier on every planned exposure."""
    if factor == 1.0:
        return
    for s in range(len(symbols)):
        if is_planned(s, plan, symbols):
            shrink(s, factor, plan)
