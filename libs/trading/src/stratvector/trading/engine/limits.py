"""One function per limit. A stage only shrinks the size of planned exposures; held ones count, but can't be changed here.

exposure : float64[S], signed fraction of equity. scale : float64[S], what the stages left of the models' wishes.
"""

import numpy as np

from stratvector.trading.engine.compiling import engine_jit
from stratvector.trading.engine.state import Floats, Indices, Integers, Plan


@engine_jit
def factor_for(cap: float, planned: float, held: float) -> float:
    """What is left of `planned` so that it fits under `cap` beside `held`; 1 when it fits, 0 when nothing does."""
    if planned + held <= cap or planned <= 0.0:
        return 1.0
    return max(0.0, cap - held) / planned


@engine_jit
def shrink(s: int, factor: float, plan: Plan) -> None:
    """Scale one symbol's exposure."""
    plan.exposure[s] *= factor
    plan.scale[s] *= factor


@engine_jit
def cap_symbols(cap: float, plan: Plan, symbols: Indices) -> None:
    """All models together in one symbol."""
    for s in range(len(symbols)):
        size = abs(plan.exposure[s])
        if size > cap and plan.planned[s]:
            shrink(s, cap / size, plan)


@engine_jit
def sum_groups(group: Integers, groups: int, plan: Plan, symbols: Indices) -> None:
    """Planned and held sizes per group, summed in symbol order."""
    for g in range(groups):
        plan.group_planned[g] = 0.0
        plan.group_fixed[g] = 0.0
    for s in range(len(symbols)):
        if plan.planned[s]:
            plan.group_planned[group[s]] += abs(plan.exposure[s])
        else:
            plan.group_fixed[group[s]] += abs(plan.exposure[s])


@engine_jit
def cap_assets(cap: float, asset: Integers, plan: Plan, symbols: Indices) -> None:
    """One underlying over all its symbols."""
    if cap == np.inf:
        return
    if len(symbols) == 1:  # known when compiled: one symbol is its own group
        cap_symbols(cap, plan, symbols)
        return
    groups = len(plan.group_planned)
    sum_groups(asset, groups, plan, symbols)
    for g in range(groups):
        plan.group_planned[g] = factor_for(cap, plan.group_planned[g], plan.group_fixed[g])
    for s in range(len(symbols)):
        if plan.planned[s] and plan.group_planned[asset[s]] < 1.0:
            shrink(s, plan.group_planned[asset[s]], plan)


@engine_jit
def cap_classes(caps: Floats, asset_class: Integers, plan: Plan, symbols: Indices) -> None:
    """One asset class, each with a cap of its own (infinity: none)."""
    if len(symbols) == 1:
        cap_symbols(caps[asset_class[0]], plan, symbols)
        return
    sum_groups(asset_class, len(caps), plan, symbols)
    for g in range(len(caps)):
        plan.group_planned[g] = factor_for(caps[g], plan.group_planned[g], plan.group_fixed[g])
    for s in range(len(symbols)):
        if plan.planned[s] and plan.group_planned[asset_class[s]] < 1.0:
            shrink(s, plan.group_planned[asset_class[s]], plan)


@engine_jit
def cap_invested(cap: float, plan: Plan, symbols: Indices) -> None:
    """The sum of long exposures."""
    if cap == np.inf:
        return
    planned, held = 0.0, 0.0
    for s in range(len(symbols)):
        if plan.planned[s]:
            planned += max(0.0, plan.exposure[s])
        else:
            held += max(0.0, plan.exposure[s])
    factor = factor_for(cap, planned, held)
    for s in range(len(symbols)):
        if plan.planned[s] and plan.exposure[s] > 0.0 and factor < 1.0:
            shrink(s, factor, plan)


@engine_jit
def cap_gross(cap: float, plan: Plan, symbols: Indices) -> None:
    """The sum of absolute exposures (leverage); also serves the capital cap, as a fraction of equity."""
    if cap == np.inf:
        return
    planned, held = 0.0, 0.0
    for s in range(len(symbols)):
        if plan.planned[s]:
            planned += abs(plan.exposure[s])
        else:
            held += abs(plan.exposure[s])
    factor = factor_for(cap, planned, held)
    for s in range(len(symbols)):
        if plan.planned[s] and factor < 1.0:
            shrink(s, factor, plan)


@engine_jit
def scale_drawdown(factor: float, plan: Plan, symbols: Indices) -> None:
    """The drawdown breaker's multiplier on every planned exposure."""
    if factor == 1.0:
        return
    for s in range(len(symbols)):
        if plan.planned[s]:
            shrink(s, factor, plan)


