"""The ways in which a strategy of one's own can't be found, each with its facts as fields.

BadStrategy(ValueError)
└── StrategyNotFound       a reference that leads to no strategy
    ├── NoSuchFile         there is no such file, or it can't be read
    ├── NoSuchModule       no module of that name is installed
    ├── BrokenFile         the file raises when it is loaded; the user's own line is told
    ├── NoStrategy         the file or module defines none
    ├── SeveralStrategies  it defines several, and the reference names none of them
    ├── UnknownName        it defines none of that name; with the nearest one that it does
    ├── NotAStrategy       what is named is something else
    └── SameName           two strategies of one file have one name
"""

from collections.abc import Sequence

from stratvector.strategies.bad_strategy import BadStrategy
from stratvector.trading.nearest import suggestion


class StrategyNotFound(BadStrategy):
    """A reference that leads to no strategy; `place` is the file or the module that it names."""

    def __init__(self, place: str, sentence: str) -> None:
        self.place = place
        super().__init__(f"{place}: {sentence}")


class NoSuchFile(StrategyNotFound):
    """There is no file `place`, or no text can be read from it."""


class NoSuchModule(StrategyNotFound):
    """No module `place` can be imported here."""

    def __init__(self, place: str, reason: str) -> None:
        rule = "install its package, or name a file: path/file.py:name"
        super().__init__(place, f"the module can't be imported: {reason}; {rule}")


class BrokenFile(StrategyNotFound):
    """The code in `place` raises when it is loaded. line : the user's own, 0 where none is."""

    def __init__(self, place: str, line: int, code: str, reason: str) -> None:
        self.line, self.code, self.reason = line, code, reason
        at = f"line {line}" + (f" `{code}`" if code else "") + ": " if line else ""
        super().__init__(place, f"{at}{reason}")


class NoStrategy(StrategyNotFound):
    """`place` defines no strategy."""

    def __init__(self, place: str) -> None:
        super().__init__(
            place,
            "it defines no strategy: no class of Strategy that says its history and features, and "
            "no function below @strategy",
        )


class SeveralStrategies(StrategyNotFound):
    """`place` defines several, and none is named; `known` are their names."""

    def __init__(self, place: str, known: Sequence[str]) -> None:
        self.known = tuple(known)
        listed = ", ".join(known)
        super().__init__(
            place,
            f"it defines {len(known)} strategies ({listed}); say which, such as {place}:{known[0]}",
        )


class UnknownName(StrategyNotFound):
    """`place` defines nothing that is called `name`; `known` are its strategies."""

    def __init__(self, place: str, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(place, f"it defines no {name!r}; {suggestion(name, known)}")


class NotAStrategy(StrategyNotFound):
    """What is called `name` in `place` is `found`."""

    def __init__(self, place: str, name: str, found: str, rule: str) -> None:
        self.name, self.found, self.rule = name, found, rule
        super().__init__(place, f"{name} is {found}, not a strategy: {rule}")


class SameName(StrategyNotFound):
    """Two strategies of `place` are called `name`."""

    def __init__(self, place: str, name: str, lines: Sequence[int] = ()) -> None:
        self.name, self.lines = name, tuple(lines)
        at = f", in lines {' and '.join(map(str, lines))}" if lines else ""
        super().__init__(
            place, f"two strategies are called {name}{at}; give each a name of its own"
        )
