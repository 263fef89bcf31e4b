"""A column of a sweep is the run of its weights alone, to the bit."""

from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from stratvector.trading.engine.session import indices
from stratvector.trading.engine.sweep import run_columns
from stratvector.trading.engine_rules import cash_of, rules_of
from tests.sessions.interpreted import interpreted_modules
from tests.sessions.scripted_sessions import one_symbol

python_session, python_state = interpreted_modules(
    "stratvector.trading.engine.session", "stratvector.trading.engine.state"
)

CLOSES, COLUMNS = 80, 5  # odd: the last column has none beside it


def alone(session: Any, weights: NDArray[np.float64], rules: Any) -> tuple[bytes, int]:
    """Equity and fills of one column, run by Python."""
    equity = np.zeros(CLOSES)
    book = python_state.new_book(1, 1, *cash_of(session.portfolio))
    plan = python_state.new_plan(1, 1, 1, None)
    fills = python_session.run_bare(
        session.market, weights, np.ones((CLOSES, 1)), book, rules, plan, equity, (0,), (0,)
    )
    return equity.tobytes(), int(fills)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("band", [0.0, 0.02])
def test_a_column_of_a_sweep_equals_its_run_alone(band: float, threads: int) -> None:
    random = np.random.default_rng(5)
    prices = 50.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, CLOSES)))
    session = one_symbol(list(prices), [1.0] * CLOSES)
    rules = rules_of(session.portfolio)._replace(rebalance_band=band)
    weights = random.uniform(-0.5, 1.0, (COLUMNS, CLOSES, 1, 1))
    weights[random.random(weights.shape) < 0.1] = np.nan
    equity, fills = np.zeros((COLUMNS, CLOSES)), np.zeros(COLUMNS, np.int64)
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    try:
        run_columns(
            session.market,
            weights,
            np.ones((CLOSES, 1)),
            *cash_of(session.portfolio),
            rules,
            equity,
            fills,
            indices(1),
            indices(1),
        )
    finally:
        numba.set_num_threads(before)
    assert fills.min() > 10
    assert len({row.tobytes() for row in equity}) == COLUMNS
    for column in range(COLUMNS):
        by_python = alone(session, weights[column], rules)
        assert (equity[column].tobytes(), int(fills[column])) == by_python
