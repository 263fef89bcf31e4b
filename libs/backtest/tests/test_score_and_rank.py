import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratvector.backtest.metrics import rank
from stratvector.backtest.metrics.score import balanced_performance_score

scores = st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=30)


def test_the_score_weighs_sharpe_growth_win_rate_and_drawdown() -> None:
    assert balanced_performance_score(1.5, 0.2, 0.55, -0.15) == pytest.approx(
        0.6 + 0.06 + 0.11 - 0.015
    )


@pytest.mark.parametrize("missing", range(4))
def test_the_score_needs_all_its_parts(missing: int) -> None:
    parts = [1.0, 0.1, 0.5, -0.1]
    parts[missing] = math.nan
    assert math.isnan(balanced_performance_score(*parts))


def test_undefined_sorts_last_in_both_directions() -> None:
    values = np.array([np.nan, 1.0, 3.0, np.nan, 2.0])
    assert rank(values).tolist() == [2, 4, 1, 0, 3]
    assert rank(values, highest_first=False).tolist() == [1, 4, 2, 0, 3]


def test_equal_values_keep_their_order() -> None:
    assert rank(np.array([1.0, 2.0, 1.0, 2.0])).tolist() == [1, 3, 0, 2]


@given(scores)
def test_the_order_agrees_with_sorting_what_is_defined(values: list[float]) -> None:
    order = rank(np.array(values, dtype=np.float64)).tolist()
    defined = sorted((v for v in values if not math.isnan(v)), reverse=True)
    assert [values[i] for i in order[: len(defined)]] == defined
    assert sorted(order) == list(range(len(values)))
