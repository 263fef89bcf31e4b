"""What every strategy's parameters must satisfy, checked once, when the strategy is made."""

from dataclasses import fields
from numbers import Integral, Real
from typing import get_type_hints

from stratvector.strategies.bad_strategy import ImpossibleParameter, WrongParameterType
from stratvector.trading.strategy import Strategy


def check_types(strategy: Strategy) -> None:
    """Refuse a parameter of another type than its field: WrongParameterType.

    A whole number serves as a float, a truth value serves as nothing else.
    """
    hints = get_type_hints(type(strategy))
    for field in fields(strategy):
        value, kind = getattr(strategy, field.name), hints[field.name]
        expected = _EXPECTED.get(kind)
        if expected is not None and not _fits(value, kind):
            raise WrongParameterType(strategy.name, field.name, value, expected)


def require(holds: bool, strategy: Strategy, rule: str) -> None:
    """Raise ImpossibleParameter with `rule`, a sentence, unless it holds."""
    if not holds:
        raise ImpossibleParameter(strategy.name, rule)


def require_at_least(least: int, strategy: Strategy, *names: str) -> None:
    """Raise ImpossibleParameter unless each named parameter is at least `least`."""
    for name in names:
        value = getattr(strategy, name)
        require(value >= least, strategy, f"{name} is {value}, but it must be at least {least}")


_EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}
_ACCEPTED: dict[type, type] = {int: Integral, float: Real}


def _fits(value: object, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, _ACCEPTED.get(kind, kind))
