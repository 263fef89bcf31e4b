"""The ways in which a strategy can be wrong, each an exception that carries its facts as fields.

BadStrategy(ValueError)
├── UnknownModel           no strategy is registered under that id
├── NotRegistrable         a class that cannot be registered, or an id that is taken
├── UnknownParameter       a parameter that the model does not have
├── WrongParameterType     a parameter of another type than the model's
├── ImpossibleParameter    a parameter, or two together, that break a rule of the model
├── Uncertified            it looks ahead, or remembers more than its history
├── TooFewCloses           bars that are too short to certify the strategy on
├── StrategyNotFound       a file or module in which there is none: `bad_file`
├── BadDeclaration         a function or class that declares no strategy
├── BadTarget              what `on_bar` asks of its context and no model may have
├── UndeclaredState        a memory that the class does not declare
└── BadFeatures, BadWeights, BadPart   what no run can use: `stratvector.trading.bad_strategy`
"""

from collections.abc import Iterable

from stratvector.trading.bad_strategy import BadFeatures, BadPart, BadStrategy, BadWeights
from stratvector.trading.nearest import suggestion

__all__ = [
    "BadDeclaration",
    "BadFeatures",
    "BadPart",
    "BadStrategy",
    "BadTarget",
    "BadWeights",
    "ImpossibleParameter",
    "NotRegistrable",
    "TooFewCloses",
    "Uncertified",
    "UndeclaredState",
    "UnknownModel",
    "UnknownParameter",
    "WrongParameterType",
]


class UnknownModel(BadStrategy):
    """No strategy is registered under `model`; `known` are those that are."""

    def __init__(self, model: str, known: tuple[str, ...]) -> None:
        self.model, self.known = model, known
        super().__init__(
            f"there is no model {model!r}; registered are {', '.join(known)}, and one of your own "
            "is named package.module:Class or path/file.py:name"
        )


class NotRegistrable(BadStrategy):
    """The class named `strategy` cannot be registered; `rule` says why."""

    def __init__(self, strategy: str, rule: str) -> None:
        self.strategy, self.rule = strategy, rule
        super().__init__(f"{strategy} cannot be registered: {rule}")


class UnknownParameter(BadStrategy):
    """`model` has no parameter `parameter`; `known` are those that it has."""

    def __init__(self, model: str, parameter: str, known: tuple[str, ...]) -> None:
        self.model, self.parameter, self.known = model, parameter, known
        listed = ", ".join(known) or "none"
        super().__init__(f"model {model} has no parameter {parameter!r}; it has {listed}")


class WrongParameterType(BadStrategy):
    """`parameter` of `model` is `value`, which is not of the `expected` type."""

    def __init__(self, model: str, parameter: str, value: object, expected: str) -> None:
        self.model, self.parameter, self.value, self.expected = model, parameter, value, expected
        super().__init__(f"parameter {parameter} of {model} is {value!r}; it must be {expected}")


class ImpossibleParameter(BadStrategy):
    """Parameters of `model` that break `rule`, a sentence with the values and the inequality."""

    def __init__(self, model: str, rule: str) -> None:
        self.model, self.rule = model, rule
        super().__init__(f"model {model} is impossible: {rule}")


class TooFewCloses(BadStrategy):
    """`closes` closes cannot certify a strategy that needs `needed`."""

    def __init__(self, model: str, closes: int, needed: int) -> None:
        self.model, self.closes, self.needed = model, closes, needed
        super().__init__(
            f"{closes} closes are too few to certify {model}: it needs at least {needed}, "
            "its history and one more"
        )


class Uncertified(BadStrategy):
    """`model` breaks what every strategy must keep; `found` says where it does."""

    def __init__(self, model: str, found: str) -> None:
        self.model, self.found = model, found
        super().__init__(found)


class BadDeclaration(BadStrategy):
    """`strategy` can't be made into one; `rule`, a sentence, says why."""

    def __init__(self, strategy: str, rule: str) -> None:
        self.strategy, self.rule = strategy, rule
        super().__init__(f"{strategy} is no strategy yet: {rule}")


class BadTarget(BadStrategy):
    """What `on_bar` of `model` asks for breaks `rule`, a sentence with the value."""

    def __init__(self, model: str, rule: str) -> None:
        self.model, self.rule = model, rule
        super().__init__(f"on_bar of {model}: {rule}")


class UndeclaredState(BadStrategy):
    """`on_bar` of `model` uses a memory `name` that the class does not declare."""

    def __init__(self, model: str, name: object, declared: Iterable[str]) -> None:
        self.model, self.name, self.declared = model, name, tuple(declared)
        near = suggestion(str(name), self.declared) if self.declared else "it declares none"
        super().__init__(
            f"context.state has no {name!r}: {model} must declare what it remembers in its "
            f"`state`; {near}"
        )
