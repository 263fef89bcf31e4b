"""A backtest refuses the weights that a live model could not say, at the same bounds."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from stratvector.backtest import Backtest
from stratvector.trading.bad_strategy import BadSignal
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.strategy import Decide, Strategy

HOUR = 3_600 * 10**9
CLOSES = 8
BAD_ROW, BAD_SYMBOL = 5, 1


def bars() -> Bars:
    close = np.full((CLOSES, 2), 100.0)
    return Bars(
        ("A", "B"), np.arange(1, CLOSES + 1, dtype=np.int64) * HOUR, close, close, close, close,
        np.full((CLOSES, 2), 1e6),
    )  # fmt: skip


@decide_jit
def sure(
    state: NDArray[np.float64],
    row: NDArray[np.float64],
    parameters: NDArray[np.float64],
    weights: NDArray[np.float64],
    confidence: NDArray[np.float64],
) -> None:
    """The first feature is the weight, the second one the confidence."""
    for s in range(len(weights)):
        weights[s] = row[s, 0]
        confidence[s] = row[s, 1]


@dataclass(frozen=True)
class Planted(Strategy):
    """Weight 0.1 with confidence 1, but for one row of one symbol."""

    weight: float = 0.1
    confidence: float = 1.0

    name: ClassVar[str] = "Planted"
    decide: ClassVar[Decide] = staticmethod(sure)

    @property
    def history(self) -> int:
        """One close."""
        return 1

    def parameters(self) -> NDArray[np.float64]:
        """None."""
        return np.zeros(0)

    def features(self, bars: Bars) -> Any:
        """The planted pair at the bad row."""
        rows = np.tile([0.1, 1.0], (len(bars), 2, 1))
        rows[bars.close_times == (BAD_ROW + 1) * HOUR, BAD_SYMBOL] = self.weight, self.confidence
        return rows


@pytest.mark.parametrize("weight", [1.01, -1.01, 1e9, np.inf, -np.inf])
def test_a_weight_beyond_the_bound_is_refused_with_its_place(weight: float) -> None:
    with pytest.raises(BadSignal) as refused:
        Backtest(bars(), Planted(weight)).run()
    told = str(refused.value)
    assert told.startswith(
        f"weight of B by model {refused.value.model} is {weight:g} at 1970-01-01"
    )
    assert told.endswith("; |weight| <= 1 must hold")
    assert refused.value.close_time == (BAD_ROW + 1) * HOUR


@pytest.mark.parametrize("confidence", [-0.1, 1.1, np.nan, np.inf])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(BadSignal, match=r"confidence of B .*; it must be 0 to 1"):
        Backtest(bars(), Planted(confidence=confidence)).run()


@pytest.mark.parametrize("weight", [1.0, -1.0, 0.0, np.nan])
def test_weights_up_to_the_bound_and_unknown_ones_run(weight: float) -> None:
    assert Backtest(bars(), Planted(weight)).run().metrics["trades"] >= 0


def test_the_bound_is_how_often_the_portfolio_may_borrow() -> None:
    twice = RiskLimits(gross=2.0)
    assert Backtest(bars(), Planted(2.0), limits=twice).run().metrics["trades"] >= 0
    with pytest.raises(BadSignal, match=r"is 2\.1 at .*\|weight\| <= 2 must hold"):
        Backtest(bars(), Planted(2.1), limits=twice).run()


def test_an_unknown_weight_runs_under_a_limit_that_is_a_decimal() -> None:
    limits = RiskLimits(gross=Decimal("1.5"))  # type: ignore[arg-type]
    assert Backtest(bars(), Planted(np.nan), limits=limits).run().metrics["trades"] >= 0
