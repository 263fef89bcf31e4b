"""A backtest runs no strategy of one's own that looks ahead, unless it is told to."""

from typing import Any

import numpy as np
import pytest

from stratvector.backtest import Backtest
from stratvector.strategies import (
    Context,
    EventStrategy,
    MomentumStrategy,
    certify,
    strategy,
    trial_bars,
)
from stratvector.strategies.bad_strategy import Uncertified

BARS = trial_bars(120, seed=3)


@strategy(history=5)
def tomorrow(bars: Any) -> Any:
    """Long what rises tomorrow."""
    rows = np.zeros(bars.close.shape)
    rows[:-1] = np.nan_to_num(np.sign(bars.close[1:] - bars.close[:-1])) / 3.0
    return rows


class PeeksBehindTheWindow(EventStrategy):
    """numpy shows the array that a window is cut out of."""

    @property
    def history(self) -> int:
        """Closes."""
        return 5

    def on_bar(self, context: Context) -> None:
        """Long what rises next, where the whole array is at hand."""
        window = context.bars.close
        whole = window.base if window.base is not None else window
        at = context._row + 1
        for n, symbol in enumerate(context.symbols):
            ahead = whole[at, n] if at < len(whole) else np.nan
            context.target(symbol, 0.3 if ahead > window[-1, n] else 0.0)


class RemembersOutsideItsState(EventStrategy):
    """A counter that live would begin anew after each start."""

    @property
    def history(self) -> int:
        """Closes."""
        return 3

    def on_bar(self, context: Context) -> None:
        """In the market at every other call."""
        _calls.append(context.time)
        for symbol in context.symbols:
            context.target(symbol, 0.3 if len(_calls) % 2 else 0.0)


_calls: list[int] = []


@pytest.mark.parametrize("kind", [tomorrow, PeeksBehindTheWindow])
def test_a_look_ahead_is_told_before_the_run(kind: Any) -> None:
    with pytest.raises(Uncertified, match=rf"^{kind.__name__} looks ahead: .* at close "):
        Backtest(BARS, kind()).run()


def test_a_memory_outside_the_state_is_told_too() -> None:
    certificate = certify(RemembersOutsideItsState())
    assert not certificate.holds
    assert certificate.repeatability is not None


def test_told_not_to_check_it_runs_and_that_is_a_caveat() -> None:
    result = Backtest(BARS, tomorrow(), check=False).run()
    (caveat,) = [one for one in result.caveats if one.code == "unchecked_strategy"]
    assert caveat.subject == "tomorrow"
    assert "the backtest was told not to check it" in caveat.sentence


@pytest.mark.parametrize("check", [True, False])
def test_a_house_strategy_is_certified_by_its_tests(check: bool) -> None:
    result = Backtest(BARS, MomentumStrategy(3, 8), check=check).run()
    assert "unchecked_strategy" not in {one.code for one in result.caveats}
