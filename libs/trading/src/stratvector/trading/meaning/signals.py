"""What signals may say."""

import math

from stratvector.trading.meaning.own import Own
from stratvector.trading.meaning.rules import check_close, check_known, check_once, check_same
from stratvector.trading.signals import Signals
from stratvector.trading.unfit import Absurd, OtherRows


def check_signals(signals: Signals) -> None:
    """Weights are numbers or unknown (NaN), confidences 0 to 1. Raises Absurd."""
    check_close("close_time", signals.close_time)
    check_once("symbol", [row.symbol for row in signals.rows])
    for row in signals.rows:
        if math.isinf(row.weight):
            raise Absurd(f"weight of {row.symbol} is {row.weight}; it must be finite, or NaN")
        if not 0.0 <= row.confidence <= 1.0:
            raise Absurd(f"confidence of {row.symbol} is {row.confidence}; it must be 0 to 1")


def check_signals_of(signals: Signals, own: Own, model: str) -> None:
    """A model's own signals: rows of its universe, weights within its budget. Raises Absurd,
    OtherRows.
    """
    check_same("portfolio", signals.portfolio, own.portfolio)
    check_known("model", [signals.model], own.rows)
    check_same("model", signals.model, model)
    found = tuple([row.symbol for row in signals.rows])
    if found != own.rows[model]:
        raise OtherRows(model, own.rows[model], found)
    for row in signals.rows:
        if abs(row.weight) > own.weight_max:
            raise Absurd(
                f"weight of {row.symbol} by model {model} is {row.weight:g}; "
                f"|weight| <= {own.weight_max:g} must hold"
            )
