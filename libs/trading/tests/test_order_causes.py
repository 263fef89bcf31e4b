"""Why an order was approved, and what set its size."""

import pytest

from stratvector.trading.order_causes import deciding_stage, reason_of
from stratvector.trading.reasons import Stage, WeightReason

FRESH, KEPT, EXPIRED = WeightReason.FRESH, WeightReason.KEPT, WeightReason.EXPIRED


@pytest.mark.parametrize(
    ("reasons", "halted", "reason"),
    [
        ((FRESH, FRESH), False, "target"),
        ((FRESH, KEPT), False, "target"),
        ((FRESH, EXPIRED), False, "expired"),
        ((FRESH, EXPIRED), True, "halted"),
        ((), False, "target"),
    ],
)
def test_the_reason_of_an_order(
    reasons: tuple[WeightReason, ...], halted: bool, reason: str
) -> None:
    assert reason_of(reasons, halted) == reason


@pytest.mark.parametrize(
    ("exposures", "stage"),
    [
        ((0.5,) * 8, Stage.NETTED),
        ((0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4), Stage.SYMBOL),
        ((0.5, 0.4, 0.4, 0.4, 0.4, 0.3, 0.3, 0.3), Stage.GROSS),
        ((0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.2), Stage.DRAWDOWN),
        ((), Stage.NETTED),
    ],
)
def test_the_stage_that_set_the_size_is_the_last_that_changed_it(
    exposures: tuple[float, ...], stage: Stage
) -> None:
    assert deciding_stage(exposures) is stage
