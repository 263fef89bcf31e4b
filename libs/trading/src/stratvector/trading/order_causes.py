"""order_causes: why an order was approved and what set its size, in two words each list can show.

    reason   target    the models want something else than what is held
             expired   a model said nothing for so long that its target became 0
             halted    the drawdown limit makes the portfolio flat
    stage    the last one that changed the exposure; netted where none did

The whole way, with its numbers, is `explanation`.
"""

from collections.abc import Sequence
from itertools import pairwise

from stratvector.trading.reasons import Stage, WeightReason

TARGET, EXPIRED, HALTED = "target", "expired", "halted"


def reason_of(weight_reasons: Sequence[WeightReason], halted: bool) -> str:
    """Why a symbol was ordered. halted : whether the portfolio was, at that decision."""
    if halted:
        return HALTED
    return EXPIRED if WeightReason.EXPIRED in weight_reasons else TARGET


def deciding_stage(exposures: Sequence[float]) -> Stage:
    """The stage that set the size. exposures : after each stage, in their order."""
    last = Stage.NETTED
    for stage, (before, after) in zip(tuple(Stage)[1:], pairwise(exposures), strict=False):
        if after != before:
            last = stage
    return last
