"""The ways in which a question for an indicator can be wrong.

BadIndicator(BadStrategy)
├── UnknownColumn         a column, or a symbol to compare with, that the bars do not have
├── BadColumn             an array that does not fit the bars
└── BadParameter          a window, width, tolerance or factor that breaks its rule
"""

from difflib import get_close_matches

from stratvector.trading.bad_strategy import BadStrategy


class BadIndicator(BadStrategy):
    """A question that no indicator can answer."""


class UnknownColumn(BadIndicator):
    """The bars have no `column`; `known` are the names that they have."""

    def __init__(self, column: str, known: tuple[str, ...]) -> None:
        self.column, self.known = column, known
        nearest = get_close_matches(column, known, n=1, cutoff=0.0)
        meant = f"did you mean {nearest[0]!r}? " if nearest else ""
        super().__init__(f"there is no column {column!r}: {meant}there are {', '.join(known[:20])}")


class BadColumn(BadIndicator):
    """An array that is not float64[closes, symbols]; `found` says what it is."""

    def __init__(self, found: str, shape: tuple[int, ...]) -> None:
        self.found, self.shape = found, shape
        super().__init__(f"a column is {found}: it must be float64 {shape}, closes x symbols")


class BadParameter(BadIndicator):
    """`parameter` of `indicator` is `value`, which breaks `rule`."""

    def __init__(self, indicator: str, parameter: str, value: object, rule: str) -> None:
        self.indicator, self.parameter, self.value, self.rule = indicator, parameter, value, rule
        super().__init__(f"{indicator}: {parameter} {value!r}: it must be {rule}")
