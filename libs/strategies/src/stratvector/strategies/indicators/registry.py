"""`@indicator(closes)` above a method of a family: its row in INDICATORS, its checks and its memo.

Each parameter's rule stands in its annotation. A new indicator is one method in one family's file;
this decorator is its registry row.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from types import MappingProxyType
from typing import Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar, get_type_hints

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators.bad_indicator import BadParameter

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Method = Callable[Concatenate[Any, Parameters], Result]


@dataclass(frozen=True)
class Whole:
    """The rule of a number of closes."""

    least: int

    def check(self, value: object) -> int | None:
        """The number, None where it breaks the rule."""
        whole = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
        if not whole or isinstance(value, bool) or value < self.least:  # type: ignore[operator]
            return None
        return int(value)  # type: ignore[call-overload, no-any-return]

    def __str__(self) -> str:
        return f"a whole number of closes, at least {self.least}"


@dataclass(frozen=True)
class Between:
    """The rule of a number strictly between two bounds."""

    low: float
    high: float

    def check(self, value: object) -> float | None:
        """The number, None where it breaks the rule."""
        fits = isinstance(value, Real) and not isinstance(value, bool)
        return float(value) if fits and self.low < value < self.high else None  # type: ignore[arg-type, operator]

    def __str__(self) -> str:
        below = "" if self.high == math.inf else f" and below {self.high:g}"
        return f"a finite number above {self.low:g}{below}"


@dataclass(frozen=True)
class Choice:
    """The rule of a word out of a few."""

    words: tuple[str, ...]

    def check(self, value: object) -> str | None:
        """The word, None where it is not one of them."""
        return value if isinstance(value, str) and value in self.words else None

    def __str__(self) -> str:
        return " or ".join(repr(word) for word in self.words)


Closes = Annotated[int, Whole(1)]
SpreadCloses = Annotated[int, Whole(2)]
Positive = Annotated[float, Between(0.0, math.inf)]
Tolerance = Annotated[float, Between(0.0, 1.0)]
Returns = Annotated[Literal["log", "simple"], Choice(("log", "simple"))]
Column = str | Floats


@dataclass(frozen=True)
class Indicator:
    """One row: `closes(**parameters)` says how many closes one of its values reads."""

    name: str
    family: str
    signature: inspect.Signature
    rules: Mapping[str, Whole | Between | Choice]
    closes: Callable[..., int]

    def closes_read(self, **parameters: Any) -> int:
        """Closes that a value reads with these parameters, defaults for the others."""
        bound = self.signature.bind(None, **parameters)
        bound.apply_defaults()
        return self._closes(bound.arguments)

    def checked(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The parameters by name, each as its rule wants it. Raises BadParameter."""
        bound = self.signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])
        for name, rule in self.rules.items():
            value = rule.check(given[name])
            if value is None:
                raise BadParameter(self.name, name, given[name], str(rule))
            given[name] = value
        return given

    def _closes(self, arguments: Mapping[str, Any]) -> int:
        names = inspect.signature(self.closes).parameters
        return self.closes(**{name: arguments[name] for name in names})


_indicators: dict[str, Indicator] = {}

INDICATORS: Mapping[str, Indicator] = MappingProxyType(_indicators)
"""Every indicator by its name, the method of `Indicators` that gives it."""


def window_itself(window: int) -> int:
    """A window of closes reads that many."""
    return window


def indicator(
    closes: Callable[..., int] = window_itself,
) -> Callable[[Method[Parameters, Result]], Method[Parameters, Result]]:
    """Register the method below it. closes : how many closes one value reads, by its parameters.

    The method finds its parameters checked, and runs once for each set of them.
    """

    def register(method: Method[Parameters, Result]) -> Method[Parameters, Result]:
        name = method.__name__
        hints = get_type_hints(method, include_extras=True)
        rules = {n: h.__metadata__[0] for n, h in hints.items() if hasattr(h, "__metadata__")}
        family = method.__module__.rpartition(".")[2]
        row = Indicator(name, family, inspect.signature(method), rules, closes)
        _indicators[name] = row

        @functools.wraps(method)
        def answer(self: Any, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            key = (name, args, *kwargs.items()) if kwargs else (name, args)
            try:
                return self._answers[key]  # type: ignore[no-any-return]
            except (KeyError, TypeError):  # not asked yet, or of an array: kernels are memoised
                given = row.checked(*args, **kwargs)
            result = method(self, **given)  # type: ignore[call-arg]
            self.note_closes(result, row._closes(given), given)
            if not any(isinstance(value, type(self.bars.close)) for value in given.values()):
                self._answers[key] = result
            return result

        return answer

    return register
