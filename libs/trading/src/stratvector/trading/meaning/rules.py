"""Rules that several nouns share."""

import math
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from stratvector.trading.nearest import suggestion
from stratvector.trading.unfit import Absurd

PRICE_MAX = 1e15  # beyond 15 digits a float64 no longer holds a price exactly
LOTS_MAX = 2**53  # the engine's largest number of whole lots


def check_close(what: str, close_time: int) -> None:
    """A close is an instant after 1970."""
    if close_time <= 0:
        raise Absurd(f"{what} is {close_time} ns; it must be above 0")


def check_number(what: str, value: float, low: float = -math.inf, high: float = math.inf) -> None:
    """A number is finite and within its bounds, which may be reached."""
    if not (math.isfinite(value) and low <= value <= high):
        raise Absurd(f"{what} is {value}; {_range(low, high)}")


def check_price(what: str, price: Decimal) -> None:
    """A price is above 0, and no larger than floats hold exactly."""
    if not 0 < price <= PRICE_MAX:
        raise Absurd(f"{what} is {price:f}; 0 < price <= {PRICE_MAX:g} must hold")


def check_lots(what: str, lots: int) -> None:
    """A number of lots is not 0 and within the engine's range."""
    if lots == 0 or abs(lots) > LOTS_MAX:
        raise Absurd(f"{what} is {lots}; 0 < |lots| <= 2^53 must hold")


def check_once(what: str, names: Sequence[str]) -> None:
    """Every name is there, and none comes twice."""
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Absurd(f"{what} {twice!r} comes twice")
    if "" in names:
        raise Absurd(f"a {what} has no name")


def check_same(what: str, found: str, own: str) -> None:
    """The noun is of the reader's own portfolio, account, universe …"""
    if found != own:
        raise Absurd(f"{what} is {found!r}; this lane is of {own!r}")


def check_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """Every name is one that the reader's portfolio has."""
    for name in names:
        if name not in known:
            hint = suggestion(name, known)
            raise Absurd(f"there is no {what} {name!r} in this portfolio: {hint}")


def _range(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "it must be finite"
    if math.isinf(high):
        return f"it must be finite and at least {low:g}"
    return f"it must be {low:g} to {high:g}"
