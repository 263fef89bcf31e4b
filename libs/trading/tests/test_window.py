"""The window gives the last closes as bars, however long it has been running."""

import numpy as np
import pytest

from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.window import Window

SYMBOLS = ("A", "B")


def panel(closes: int) -> Bars:
    random = np.random.default_rng(5)
    values = [random.uniform(1, 9, (closes, len(SYMBOLS))) for _ in FIELDS]
    for column in values:
        column[3:4, 1] = np.nan
    return Bars(SYMBOLS, np.arange(1, closes + 1, dtype=np.int64), *values)


@pytest.mark.parametrize("history", [1, 2, 7])
def test_it_is_full_when_as_many_closes_are_there_as_a_row_needs(history: int) -> None:
    window, bars = Window(SYMBOLS, history), panel(history)
    for row in range(history):
        assert not window.is_full()
        window.append(bars.closed(row, "fast", "1H"))
    assert window.is_full()


@pytest.mark.parametrize("history", [1, 2, 30])
def test_it_holds_the_last_closes_at_every_close_of_a_long_run(history: int) -> None:
    bars = panel(5 * (2 * history + 64))
    window = Window(SYMBOLS, history)
    for row in range(len(bars)):
        window.append(bars.closed(row, "fast", "1H"))
        if window.is_full():
            last, expected = window.bars(), bars.window(row - history + 1, row + 1)
            assert last.symbols == SYMBOLS
            np.testing.assert_array_equal(last.close_times, expected.close_times)
            for name in FIELDS:
                np.testing.assert_array_equal(getattr(last, name), getattr(expected, name))
