"""A strategy in a function of bars: `@strategy(history=100)`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from inspect import signature
from types import new_class
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from stratvector.strategies.bad_strategy import BadDeclaration, BadWeights
from stratvector.strategies.declaring import (
    DAY,
    History,
    check_rule,
    declared_parameters,
    history_of,
    history_rule,
    numbers,
    obey,
)
from stratvector.strategies.floats import Floats
from stratvector.strategies.panel import Panel
from stratvector.strategies.parameters import check_types, require_at_least
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy, unlike


@dataclass(frozen=True)
class FunctionStrategy(Strategy):
    """What `@strategy` makes of a function: its parameters are the function's.

    Feature 0 is the weight, and confidence its size. A symbol whose bar is missing has a NaN
    weight, whatever the function says of it; closes before `history` - 1 warm up.
    """

    function: ClassVar[Callable[..., Any]]
    history_rule: ClassVar[History]
    check: ClassVar[Callable[..., Any] | None] = None
    takes_day: ClassVar[bool] = False

    if TYPE_CHECKING:
        # The parameters of each class are its function's, which no type checker sees.
        def __init__(self, *parameters: Any, **named: Any) -> None: ...

    def __post_init__(self) -> None:
        check_types(self)
        require_at_least(1, self, DAY)
        history_of(self, self.history_rule)
        if self.check is not None:
            obey(self, self.check)

    @property
    def history(self) -> int:
        """By the rule that `@strategy` was given."""
        return history_of(self, self.history_rule)

    def parameters(self) -> Floats:
        """Those that are numbers; the compiled decide reads none."""
        return np.array(numbers(self), dtype=np.float64)

    def features(self, bars: Bars) -> Floats:
        """The weights, shape (len(bars), symbols, 1). Raises BadWeights."""
        return self._rows(Panel(bars))

    @classmethod
    def features_of_each(cls, strategies: Iterable[Self], bars: Bars) -> Iterator[Floats]:
        """The weights of each parameter set, in order; indicators they share are computed once."""
        if cls.windowed:
            yield from super().features_of_each(strategies, bars)
            return
        panel = Panel(bars)
        for one in strategies:
            yield one._rows(panel)

    def _rows(self, panel: Panel) -> Floats:
        values = {name: getattr(self, name) for name in self._parameter_names()}
        weights: Any = type(self).function(panel, **values)
        shape = panel.close.shape
        found = unlike(weights, shape)
        if found is not None:
            raise BadWeights(self.name, found, *shape)
        rows = np.where(np.isnan(panel.close), np.nan, weights)
        rows[: self.history - 1] = np.nan
        return rows[:, :, np.newaxis]

    @classmethod
    def _parameter_names(cls) -> list[str]:
        names = [field.name for field in fields(cls) if field.name != DAY]
        return [*names, DAY] if cls.takes_day else names


def strategy(
    *misplaced: object,
    history: History | None = None,
    windowed: bool = False,
    check: Callable[..., Any] | None = None,
    version: str = "1.0.0",
) -> Callable[[Callable[..., Any]], type[FunctionStrategy]]:
    """Make a strategy of a function from bars and parameters to weights.

    The function takes a `Panel` and its own parameters, each with a default; it gives target
    weights, float64[T, symbols], fractions of the model's budget; NaN keeps the last target.
    Row t may depend on the last `history` closes only. A parameter `bars_per_day` is given the
    closes of the universe in a day.

    history : closes that one row needs: a number, the name of a parameter, or a function of
    parameters (`lambda window: window + 1`). windowed : call it once per window of `history`
    closes, as live does, where whole history and window could differ. check : a function of
    parameters that is false, or raises ValueError, for what they must not be.
    Raises BadDeclaration for what declares no strategy.
    """
    if misplaced:
        name = getattr(misplaced[0], "__name__", repr(misplaced[0]))
        raise BadDeclaration(name, "write @strategy(history=N) above it, N closes")

    def declare(function: Callable[..., Any]) -> type[FunctionStrategy]:
        return _class_of(function, history, check, {"windowed": windowed, "version": version})

    return declare


def _class_of(
    function: Callable[..., Any], history: object, check: Any, facts: dict[str, object]
) -> type[FunctionStrategy]:
    name = getattr(function, "__name__", repr(function))
    if isinstance(function, type):
        raise BadDeclaration(name, "@strategy stands above a function of bars")
    declared = declared_parameters(name, function, FunctionStrategy)
    rule = history_rule(name, history, declared)
    check_rule(name, check, declared)
    parts = {
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__ or f"The function {name} of bars.",
        "__annotations__": {parameter: kind for parameter, (kind, _) in declared.items()},
        "name": name,
        "function": staticmethod(function),
        "history_rule": staticmethod(rule) if callable(rule) else rule,
        "check": staticmethod(check) if check is not None else None,
        "takes_day": DAY in signature(function).parameters,
    }
    defaults = {parameter: default for parameter, (_, default) in declared.items()}
    values = parts | facts | defaults
    try:
        made = new_class(name, (FunctionStrategy,), {}, lambda body: body.update(values))
        return dataclass(frozen=True)(made)
    except ValueError as error:  # a default that could change, such as a list
        raise BadDeclaration(name, str(error)) from None
