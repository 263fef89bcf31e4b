"""The ways in which a strategy can't be run, each an exception that carries its facts as fields.

BadStrategy(ValueError)
├── BadFeatures   features that are not float64[closes, symbols, features]
├── BadWeights    weights of a function that are not float64[closes, symbols]
├── BadPart       a history, memory, parameters or decide that no run can use
└── BadSignal     a weight or confidence that no model may say
"""

from stratvector.trading.timestamps import utc_text


class BadStrategy(ValueError):
    """A strategy that breaks a rule; the message is one sentence with the value and the rule."""


class BadFeatures(BadStrategy):
    """The features of `model` are a `found`, not a float64 array of the right shape."""

    def __init__(self, model: str, found: str, closes: int, symbols: int) -> None:
        self.model, self.found, self.closes, self.symbols = model, found, closes, symbols
        super().__init__(
            f"features of {model} are {found}; they must be float64 of shape "
            f"({closes} closes, {symbols} symbols, at least 1 feature)"
        )


class BadWeights(BadStrategy):
    """The weights of `model` are a `found`, not a float64 array of the right shape."""

    def __init__(self, model: str, found: str, closes: int, symbols: int) -> None:
        self.model, self.found, self.closes, self.symbols = model, found, closes, symbols
        super().__init__(
            f"weights of {model} are {found}; they must be float64 of shape "
            f"({closes} closes, {symbols} symbols)"
        )


class BadPart(BadStrategy):
    """`part` of `model` (its history, memory, parameters or decide) is `found`, not `expected`."""

    def __init__(self, model: str, part: str, found: str, expected: str) -> None:
        self.model, self.part, self.found, self.expected = model, part, found, expected
        super().__init__(f"{part} of {model} is {found}; it must be {expected}")


class BadSignal(BadStrategy):
    """The weight or confidence (`name`) of `symbol` by `model` is `value` at `close_time` (ns UTC),
    which no live model may say either.
    """

    def __init__(
        self, name: str, symbol: str, model: str, close_time: int, value: float, rule: str
    ) -> None:
        self.name, self.symbol, self.model = name, symbol, model
        self.close_time, self.value, self.rule = close_time, value, rule
        super().__init__(
            f"{name} of {symbol} by model {model} is {value:g} at {utc_text(close_time)}; {rule}"
        )
