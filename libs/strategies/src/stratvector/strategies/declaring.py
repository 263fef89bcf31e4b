"""What functions and classes declare of a strategy: parameters by signature, history by a rule."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

import numpy as np

from stratvector.strategies.bad_strategy import BadDeclaration, ImpossibleParameter
from stratvector.trading.nearest import suggestion
from stratvector.trading.strategy import Strategy

History = int | str | Callable[..., int]
"""A number of closes, the name of the parameter that says it, or a function of parameters."""

DAY = "bars_per_day"  # of every strategy; a function that names it is given it
_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def declared_parameters(
    name: str, function: Callable[..., Any], base: type
) -> dict[str, tuple[Any, Any]]:
    """Type and default of each parameter after the first, which is the bars. Without a type, the
    default's. Raises BadDeclaration.
    """
    listed = list(inspect.signature(function).parameters.values())
    if not listed or listed[0].kind not in _KINDS or listed[0].default is not inspect._empty:
        raise BadDeclaration(name, "its first parameter must be the bars, as in (bars, window=100)")
    hints = _hints(function)
    found: dict[str, tuple[Any, Any]] = {}
    for one in listed[1:]:
        if one.kind not in _KINDS:
            raise BadDeclaration(name, f"parameter {one} has no name of its own")
        if one.name == DAY:
            continue
        if one.default is inspect._empty:
            raise BadDeclaration(name, f"parameter {one.name} has no default")
        refuse_taken(name, one.name, base)
        found[one.name] = (hints.get(one.name, _type_of(one.default)), one.default)
    return found


def refuse_taken(strategy: str, parameter: str, base: type) -> None:
    """Refuse a parameter that would hide a part of every such strategy. Raises BadDeclaration."""
    parts = {name for kind in base.__mro__ for name in (*vars(kind), *_annotated(kind))}
    if parameter in parts - {DAY}:
        rule = f"{parameter!r} is a part of every strategy, so no parameter can have that name"
        raise BadDeclaration(strategy, rule)


def history_rule(strategy: str, rule: object, parameters: Mapping[str, Any]) -> History:
    """`rule`, if it is one for these parameters. Raises BadDeclaration."""
    if isinstance(rule, str):
        _refuse_unknown(strategy, "its history", rule, parameters)
    elif callable(rule):
        for name in _names(rule):
            _refuse_unknown(strategy, "its history", name, parameters)
    elif not isinstance(rule, int | np.integer) or isinstance(rule, bool):
        form = "a number of closes, the name of a parameter or a function of parameters"
        raise BadDeclaration(strategy, f"its history is {rule!r}, but it must be {form}")
    return rule  # type: ignore[return-value]


def history_of(strategy: Strategy, rule: History) -> int:
    """The closes that a strategy needs, by its rule. Raises ImpossibleParameter."""
    if isinstance(rule, str):
        closes: object = getattr(strategy, rule)
    else:
        closes = called(strategy, rule) if callable(rule) else rule
    is_whole = isinstance(closes, int | np.integer) and not isinstance(closes, bool)
    if not is_whole or not closes >= 1:  # type: ignore[operator]
        raise ImpossibleParameter(
            strategy.name,
            f"its history is {closes!r}{_given(strategy)}, but it must be a whole number of "
            "closes, at least 1",
        )
    return int(closes)  # type: ignore[call-overload,no-any-return]


def check_rule(
    strategy: str, check: Callable[..., Any] | None, parameters: Mapping[str, Any]
) -> None:
    """Refuse a `check` that names what is no parameter. Raises BadDeclaration."""
    for name in _names(check) if check is not None else ():
        _refuse_unknown(strategy, "its check", name, parameters)


def obey(strategy: Strategy, check: Callable[..., Any]) -> None:
    """Refuse parameters that `check` says are wrong: by False, or by a ValueError of its own.

    Raises ImpossibleParameter.
    """
    try:
        holds = called(strategy, check)
    except ImpossibleParameter:
        raise
    except ValueError as error:
        raise ImpossibleParameter(strategy.name, str(error)) from None
    if holds is not None and not holds:
        raise ImpossibleParameter(strategy.name, f"its check fails{_given(strategy)}")


def called(strategy: Strategy, function: Callable[..., Any]) -> Any:
    """A function of some of the parameters, with what they are."""
    return function(**{name: getattr(strategy, name) for name in _names(function)})


def numbers(strategy: Strategy) -> list[float]:
    """The parameters that are numbers, in field order."""
    values = (getattr(strategy, f.name) for f in fields(strategy) if f.name != DAY)
    return [float(v) for v in values if isinstance(v, int | float | np.number)]


def _annotated(kind: type) -> list[str]:
    return list(vars(kind).get("__annotations__", ()))


def _names(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _given(strategy: Strategy) -> str:
    listed = [f"{f.name}={getattr(strategy, f.name)!r}" for f in fields(strategy) if f.name != DAY]
    return f" for {', '.join(listed)}" if listed else ""


def _refuse_unknown(strategy: str, what: str, name: str, parameters: Mapping[str, Any]) -> None:
    if name not in parameters and name != DAY:
        near = suggestion(name, parameters)
        raise BadDeclaration(strategy, f"{what} names {name!r}, which is no parameter; {near}")


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError):  # a type that is only imported for the type checker
        return {}


def _type_of(default: object) -> Any:
    return type(default) if isinstance(default, bool | int | float | str) else Any
