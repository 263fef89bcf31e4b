"""What only the run shows, told on its result."""

from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from stratvector.backtest import Backtest, Result, RiskLimits
from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.instruments import Instrument
from stratvector.trading.strategy import Strategy

DAY_NS = 86_400_000_000_000
FIRST = 18_263 * DAY_NS


class AllIn(Strategy):
    """The whole account, spread over all symbols."""

    name = "all_in"

    @property
    def history(self) -> int:
        """One close."""
        return 1

    def features(self, bars: Bars) -> NDArray[np.float64]:
        """Equal weights."""
        return np.full((*bars.close.shape, 1), 1.0 / bars.close.shape[1])


def panel(close: list[float], opened: list[float] | None = None, symbols: int = 1) -> Bars:
    closes = np.repeat(np.array(close)[:, None], symbols, axis=1)
    opens = closes if opened is None else np.repeat(np.array(opened)[:, None], symbols, axis=1)
    times = FIRST + np.arange(len(closes), dtype=np.int64) * DAY_NS
    high, low = np.maximum(opens, closes), np.minimum(opens, closes)
    names = tuple(f"S{n}" for n in range(symbols))
    return Bars(names, times, opens, high, low, closes, np.full(closes.shape, 1e9))


def told(result: Result, code: str) -> list[Caveat]:
    return [caveat for caveat in result.caveats if caveat.code == code]


GAP = panel([100.01, 150.01, 150.01, 150.01], [100.01, 150.01, 150.01, 150.01])


def test_cash_below_zero_without_leverage_names_the_lowest_and_the_days() -> None:
    result = Backtest(GAP, AllIn()).run()
    (caveat,) = told(result, "cash_below_zero")
    below = [entry for entry in result.entries if entry.cash < 0]
    lowest = min(entry.cash for entry in below)
    assert lowest < -50_000
    assert f"the lowest is {lowest:,.2f}" in str(caveat)
    assert caveat.count == len(below)
    assert (caveat.first, caveat.last) == (below[0].close_time, below[-1].close_time)


def test_cash_below_zero_says_nothing_where_leverage_is_allowed() -> None:
    assert told(Backtest(GAP, AllIn(), limits=RiskLimits(gross=2.0)).run(), "cash_below_zero") == []


def test_strict_cash_needs_no_caveat() -> None:
    result = Backtest(GAP, AllIn(), limits=RiskLimits(gross=1.0, cash="strict")).run()
    assert len(result.fills) > 0
    assert min(entry.cash for entry in result.entries) >= 0
    assert told(result, "cash_below_zero") == []


def test_a_model_that_can_never_pass_the_minimum_order_is_told_with_its_counts() -> None:
    limits = RiskLimits(gross=1.0, minimum_order_notional=10_000.0)
    result = Backtest(panel([20.01] * 5, symbols=40), AllIn(), limits=limits).run()
    (caveat,) = told(result, "below_minimum_order")
    assert (caveat.subject, caveat.count) == ("all_in", 200)
    assert str(caveat) == (
        "all_in wanted S0, S1, S2 and 37 more 200 times and never got an order: the largest target "
        "was 2,500.00, and minimum_order_notional is 10,000"
    )
    assert len(result.fills) == 0


def test_a_lot_that_is_larger_than_the_account_is_told() -> None:
    whole = {"S0": Instrument("S0", "S0", "any", lot_size=Decimal(1_000))}
    result = Backtest(panel([250.25] * 4), AllIn(), instruments=whole).run()
    (caveat,) = told(result, "lot_too_large")
    assert caveat.count == 4
    assert "the largest target was 100,000.00, and one lot costs more than that" in str(caveat)


@pytest.mark.parametrize("code", ["below_minimum_order", "lot_too_large"])
def test_a_symbol_that_was_ordered_once_is_no_doubt(code: str) -> None:
    limits = RiskLimits(gross=1.0, rebalance_band=0.1, minimum_order_notional=10.0)
    assert told(Backtest(panel([20.0, 21.0, 20.5, 20.0]), AllIn(), limits=limits).run(), code) == []
