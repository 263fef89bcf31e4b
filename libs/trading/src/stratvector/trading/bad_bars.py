"""The ways in which bars can be wrong, each an exception that carries its facts as fields.

BadBars(ValueError)
├── EmptyBars            no row at all
├── MissingColumn        a column that bars need is absent
├── RepeatedColumn       a name that bars need heads two columns
├── AmbiguousColumn      two columns could be meant, and nobody said which
├── NotUtcTime           a timestamp whose UTC instant is unknown
├── BadSymbol            a symbol that is not a name
├── NotNumeric           a price or volume that is not a number
├── BadShape             arrays that do not fit together as a panel
├── UnorderedCloses      close times that do not strictly increase
├── BadBar               one bar that breaks a rule
│   ├── DuplicateBar         two rows for one symbol and close time
│   ├── BadPrice             a price that is not finite and positive
│   ├── InconsistentRange    high or low that does not enclose open and close
│   └── BadVolume            a volume that is not finite and at least zero
├── UnknownSymbol        a symbol that the panel does not hold
└── UnknownClose         a close time that the panel does not hold
"""

from typing import Any

from stratvector.trading.timestamps import utc_text


class BadBars(ValueError):
    """Bars that break a rule; the message is one sentence that names the value and the rule."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the sentence alone; errors cross processes whole.
        return _restore, (type(self), str(self), vars(self))


def _shown(value: object) -> str:
    """A value in a sentence: one line, and not longer than a line."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # more digits than Python writes
        text = f"of type {type(value).__name__}"
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else text[:_SHOWN_CHARACTERS_MAX] + "…"


_SHOWN_CHARACTERS_MAX = 80


def _restore(kind: type[BadBars], sentence: str, fields: dict[str, Any]) -> BadBars:
    error = kind.__new__(kind, sentence)
    error.__dict__.update(fields)
    return error


class EmptyBars(BadBars):
    """No row at all."""

    def __init__(self) -> None:
        super().__init__("there are no bars: at least one row is needed")


class MissingColumn(BadBars):
    """A column that bars need is absent; `column` and `present` say which and what there was."""

    def __init__(self, column: str, present: tuple[str, ...], hint: str = "") -> None:
        self.column, self.present = column, present
        super().__init__(
            f"column {column!r} is missing: bars need timestamp, symbol, open, high, low, close "
            f"and volume, and there is {', '.join(present[:_SHOWN_MAX]) or 'no column'}"
            + (f"; {hint}" if hint else "")
        )


_SHOWN_MAX = 30


class RepeatedColumn(BadBars):
    """A name that bars need heads more than one column."""

    def __init__(self, column: str, count: int) -> None:
        self.column, self.count = column, count
        super().__init__(
            f"column {column!r} is there {count} times: a name may head one column only"
        )


class AmbiguousColumn(BadBars):
    """Several columns could be the one that bars need; `choices` are their names."""

    def __init__(self, column: str, choices: tuple[str, ...], how: str) -> None:
        self.column, self.choices = column, choices
        super().__init__(
            f"{column} could be any of {', '.join(repr(one) for one in choices)}: {how}"
        )


class NotUtcTime(BadBars):
    """A timestamp whose UTC instant is unknown."""

    def __init__(self, value: object, rule: str) -> None:
        self.value, self.rule = value, rule
        super().__init__(f"timestamp {_shown(value)} is not a UTC time: {rule}")


class BadSymbol(BadBars):
    """A symbol that is not a name."""

    def __init__(self, value: object, rule: str = "a symbol must be non-empty text") -> None:
        self.value, self.rule = value, rule
        super().__init__(f"symbol {_shown(value)} is not a name: {rule}")


class NotNumeric(BadBars):
    """A price or volume that is not a number."""

    def __init__(self, column: str, value: object) -> None:
        self.column, self.value = column, value
        super().__init__(
            f"{column} {_shown(value)} is not a number: prices and volume must be numeric"
        )


class BadShape(BadBars):
    """Arrays that do not fit together as a panel."""

    def __init__(self, field: str, rule: str) -> None:
        self.field, self.rule = field, rule
        super().__init__(f"{field} does not fit the panel: {rule}")


class UnorderedCloses(BadBars):
    """Close times that do not strictly increase."""

    def __init__(self, earlier: int, later: int) -> None:
        self.earlier, self.later = earlier, later
        super().__init__(
            f"close time {utc_text(later)} follows {utc_text(earlier)}: "
            "close times must strictly increase"
        )


class BadBar(BadBars):
    """One bar that breaks a rule: `symbol` and `close_time` (UTC ns) say which."""

    def __init__(self, symbol: str, close_time: int, sentence: str) -> None:
        self.symbol, self.close_time = symbol, close_time
        super().__init__(f"{symbol} at {utc_text(close_time)}: {sentence}")


class DuplicateBar(BadBar):
    """Two rows for one symbol and close time."""

    def __init__(self, symbol: str, close_time: int) -> None:
        super().__init__(
            symbol, close_time, "there are two rows, but a symbol has one bar per close time"
        )


class BadPrice(BadBar):
    """A price that is not finite and positive, or one of an only partly missing bar."""

    def __init__(self, symbol: str, close_time: int, column: str, value: float) -> None:
        self.column, self.value = column, value
        rule = "a price must be finite and above 0; a missing bar has all five values missing"
        super().__init__(symbol, close_time, f"{column} is {value!r}, but {rule}")


class InconsistentRange(BadBar):
    """High or low that does not enclose open and close."""

    def __init__(
        self, symbol: str, close_time: int, column: str, value: float, other: str, bound: float
    ) -> None:
        self.column, self.value, self.other, self.bound = column, value, other, bound
        relation = "high must be at least" if column == "high" else "low must be at most"
        super().__init__(
            symbol,
            close_time,
            f"{column} is {value!r} and {other} is {bound!r}, but {relation} {other}",
        )


class BadVolume(BadBar):
    """A volume that is not finite and at least zero."""

    def __init__(self, symbol: str, close_time: int, value: float) -> None:
        self.value = value
        super().__init__(
            symbol, close_time, f"volume is {value!r}, but it must be finite and at least 0"
        )


class UnknownSymbol(BadBars):
    """A symbol that the panel does not hold."""

    def __init__(self, symbol: str, present: tuple[str, ...]) -> None:
        self.symbol, self.present = symbol, present
        super().__init__(f"there are no bars of {symbol!r}: there are {', '.join(present)}")


class UnknownClose(BadBars):
    """A close time that the panel does not hold."""

    def __init__(self, close_time: int) -> None:
        self.close_time = close_time
        super().__init__(f"no bar closes at {utc_text(close_time)}")
