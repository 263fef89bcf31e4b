"""Rows for the readers of bars, and the comparison of what they read with what the rules say."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stratvector.market import BadBars, Bars
from stratvector.trading.bars import FIELDS

Row = list[str]
Reading = dict[tuple[str, int], list[float]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000_000
EXAMPLES = 500
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

SYMBOLS = st.sampled_from(["A", "BTC-USD", "ON", "NO", "TRUE", "1E5", "NaN", "null", "NA", "007"])
PRICES = st.decimals("0.0001", "99999", places=4).map(lambda price: format(price, "f"))
VOLUMES = st.sampled_from(["0", "12", "3.5", "1e3", "18446744073709551615", "123456789012345678"])


@st.composite
def good_rows(draw: Any) -> list[Row]:
    """Rows with moments as whole seconds since 1970, and every rule obeyed but uniqueness."""
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        prices = sorted((draw(PRICES) for _ in range(4)), key=Decimal)
        second = 1_500_000_000 + 1_800 * draw(st.integers(0, 200))
        values = [prices[1], prices[3], prices[0], prices[2], draw(VOLUMES)]
        rows.append([str(second), draw(SYMBOLS), *values])
    return rows


def moment(row: Row) -> datetime:
    return EPOCH + timedelta(seconds=int(row[0]))


def is_bar(values: list[float]) -> bool:
    opened, high, low, close, volume = values
    prices = all(0 < price < float("inf") for price in values[:4])
    return prices and low <= opened <= high and low <= close <= high and 0 <= volume < float("inf")


def panel(bars: Bars) -> Reading:
    return {
        (symbol, int(time)): [float(getattr(bars, name)[row, column]) for name in FIELDS]
        for column, symbol in enumerate(bars.symbols)
        for row, time in enumerate(bars.close_times)
    }


def agree(read: Callable[[], Bars], expected: Reading | None) -> None:
    """The same bars (the rest of the panel missing), or one sentence."""
    if expected is None:
        with pytest.raises(BadBars) as refused:
            read()
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 2_000
        assert "polars" not in str(refused.value)
        return
    found = panel(read())
    for key, values in found.items():
        wanted = expected.get(key, [float("nan")] * 5)
        np.testing.assert_array_equal(values, wanted)
    assert set(expected) <= set(found)
