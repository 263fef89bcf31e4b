"""Caps that nothing would read, and values that would switch one off, are refused."""

import math
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from stratvector.trading.instruments import Instrument
from stratvector.trading.portfolio import (
    Account,
    Costs,
    ModelAllocation,
    Portfolio,
    RiskLimits,
    Universe,
)

NAMES = (
    *("position", "symbol", "asset", "invested", "gross", "capital", "daily_loss"),
    *("drawdown_trigger", "drawdown_halt", "value_at_risk"),
)
NO_CAPS: tuple[tuple[Any, str], ...] = (
    (math.nan, "nan; it must be finite"),
    (math.inf, "inf; it must be finite"),
    (-math.inf, "-inf; it must be finite"),
    (Decimal("NaN"), "NaN; it must be finite"),
    (-1, "-1; it must be above 0"),
    (0.0, "0.0; it must be above 0"),
    (True, "True; it must be a number"),
    ("0.4", "'0.4'; it must be a number"),
    ([0.4], "[0.4]; it must be a number"),
)


def refused(sentence: str) -> Any:
    return pytest.raises(ValueError, match=f"^{re.escape(sentence)}$")


@pytest.mark.parametrize(("value", "said"), NO_CAPS)
def test_a_limit_that_is_no_finite_number_above_0_is_refused(value: Any, said: str) -> None:
    for name in NAMES:
        with refused(f"risk limit {name} is {said}"):
            RiskLimits(**{name: value})
    with refused(f"risk limit class_caps['any'] is {said}"):
        RiskLimits(class_caps={"any": value})


def test_none_is_no_cap_and_every_number_is_one() -> None:
    assert RiskLimits(class_caps={"any": None}).class_caps == {"any": None}
    numbers: list[Any] = [1, 0.5, Decimal("0.4"), np.float64(0.4), np.float32(0.5), np.int64(2)]
    for value in numbers:
        assert RiskLimits(gross=value).gross == value


def test_other_numbers_of_a_portfolio_are_finite_too() -> None:
    for value, said in ((math.nan, "nan; it must be finite"), (True, "True; it must be a number")):
        for name in ("commission", "slippage", "volume_limit"):
            with refused(f"{name} is {said}"):
                Costs(**{name: value})
        with refused(f"risk limit derisking_factor is {said}"):
            RiskLimits(derisking_factor=value)
        with refused(f"budget_fraction of model m is {said}"):
            portfolio({"A": "equity"}, budget=value)
    for cash in ("NaN", "sNaN", "Infinity"):
        with refused(f"initial_cash is {cash}; it must be finite"):
            portfolio({"A": "equity"}, cash=cash)
    for size in ("NaN", "Infinity", "0"):
        with pytest.raises(ValueError, match=f"^A: lot_size is {size}; it must be"):
            Instrument("A", "A", "equity", 2, Decimal(size))


def portfolio(
    classes: dict[str, str],
    caps: dict[str, float | None] | None = None,
    budget: float = 1.0,
    cash: str = "1000",
) -> Portfolio:
    """One instrument of each class."""
    instruments = tuple(Instrument(symbol, symbol, name) for symbol, name in classes.items())
    return Portfolio(
        "main",
        (Account("simulated", Decimal(cash)),),
        (Universe("u", "1D", "24/7", instruments),),
        (ModelAllocation("m", "u", budget),),
        RiskLimits(class_caps=caps or {}),
    )


def test_a_cap_of_a_class_that_nothing_belongs_to_is_refused_with_the_nearest_class() -> None:
    held = {"A": "equity", "B": "crypto"}
    assert portfolio(held, {"equity": 0.2, "crypto": 0.2}).limits.class_caps["equity"] == 0.2
    for cap, nearest in (
        ("equty", "did you mean equity?"),
        ("Crypto", "did you mean crypto?"),
        ("crypto ", "did you mean crypto?"),
        ("bond", "there are equity, crypto"),
    ):
        with refused(f"class cap {cap!r} caps no asset class of the portfolio; {nearest}"):
            portfolio(held, {cap: 0.2})


def test_classes_that_differ_by_case_alone_are_refused_as_one_would_slip_the_others_cap() -> None:
    for other in ("Crypto", "CRYPTO", "crypto "):
        with refused(
            f"asset classes 'crypto' and {other!r} differ by case or spaces alone; spell one"
        ):
            portfolio({"A": "crypto", "B": other}, {"crypto": 0.2})
