"""What `on_bar` is given: one close of the bars, what the model holds and what it remembers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stratvector.strategies.bad_strategy import BadTarget
from stratvector.strategies.floats import Floats
from stratvector.strategies.memory import Declared, State, columns_of, unknown_symbol
from stratvector.strategies.panel import HigherPanel, Panel, indicator, mapped

CHUNK_NUMBERS = 8192  # as many at a time become Python numbers: they fit into the nearest caches


Values = dict[str, float]
"""A number per symbol at one close, NaN where there is none."""


class Context:
    """One close, as a strategy sees it. It never shows the account.

    symbols : the names. state : what the class declares in `state`, by name.
    indicators : `context.indicators.NAME(...)[symbol]` is the value at this close; each indicator
    is computed once for the whole run.
    """

    __slots__ = (
        "_close", "_columns", "_equal", "_higher", "_history", "_memory", "_model", "_panel",
        "_row", "_times", "indicators", "state", "symbols",
    )  # fmt: skip

    def __init__(
        self, model: str, history: int, declared: Declared, panel: Panel, memory: list[float]
    ) -> None:
        self._model, self._history, self._panel, self._memory = model, history, panel, memory
        self.symbols = panel.symbols
        self._columns = columns_of(panel.symbols)
        self._equal = 1.0 / max(1, len(panel.symbols))
        self._row = 0
        self._times = panel.close_times
        self._close = _Series(panel.close, panel.symbols)
        self._higher: dict[str, HigherNow] = {}
        self.state = State(model, declared, memory, self._columns)
        self.indicators = IndicatorsNow(self, panel)

    @property
    def time(self) -> int:
        """This close, ns UTC."""
        return int(self._times[self._row])

    @property
    def close(self) -> Values:
        """The close of each symbol, NaN where its bar is missing."""
        return self._close.at(self._row)

    @property
    def bars(self) -> Panel:
        """The last `history` closes, this one last: `context.bars.high` has shape (history, n)."""
        stop = self._row + 1
        return self._panel.window(stop - self._history, stop)

    def higher(self, timeframe: str) -> "HigherNow":
        """The newest bar of a coarser timeframe that had closed: `context.higher("1D").close`."""
        found = self._higher.get(timeframe)
        if found is None:
            found = self._higher[timeframe] = HigherNow(self, self._panel.higher(timeframe))
        return found

    def position(self, symbol: str) -> float:
        """The model's own last target, a fraction of its budget; 0 before the first."""
        try:
            return self._memory[self._columns[symbol]]
        except (KeyError, TypeError):
            raise unknown_symbol(self._model, symbol, self.symbols) from None

    def target(self, symbol: str, weight: float) -> None:
        """Aim at a weight, a fraction of the model's budget; it stays until it is changed.

        Raises BadTarget for an unknown symbol and for what is not a finite number.
        """
        if weight.__class__ is not float or weight - weight != 0.0:  # not finite
            weight = self._finite(symbol, weight)
        try:
            self._memory[self._columns[symbol]] = weight
        except (KeyError, TypeError):
            raise unknown_symbol(self._model, symbol, self.symbols) from None

    def buy(self, symbol: str, weight: float | None = None) -> None:
        """Raise the target by `weight`; without one, to an equal part of the budget (1/n) if it is
        less.
        """
        held = self.position(symbol)
        if weight is None:
            self.target(symbol, max(held, self._equal))
        else:
            self.target(symbol, held + self._positive(symbol, weight))

    def sell(self, symbol: str, weight: float | None = None) -> None:
        """Lower the target by `weight`, below 0 if it is more than is held; without one, to 0 if it
        is more.
        """
        held = self.position(symbol)
        if weight is None:
            self.target(symbol, min(held, 0.0))
        else:
            self.target(symbol, held - self._positive(symbol, weight))

    def _finite(self, symbol: str, weight: object) -> float:
        is_number = isinstance(weight, int | float | np.integer | np.floating)
        if is_number and not isinstance(weight, bool) and np.isfinite(weight):  # type: ignore[call-overload]
            return float(weight)  # type: ignore[arg-type]
        rule = f"weight of {symbol} is {weight!r}, but it must be a finite number"
        raise BadTarget(self._model, rule)

    def _positive(self, symbol: str, weight: float) -> float:
        finite = self._finite(symbol, weight)
        if not finite > 0.0:
            rule = f"weight of {symbol} is {weight!r}, but what is bought or sold must be above 0"
            raise BadTarget(self._model, rule)
        return finite


class IndicatorsNow:
    """The indicators of the bars under their names; a call gives the values at this close."""

    def __init__(self, context: Context, panel: Panel | HigherPanel) -> None:
        self._context, self._panel = context, panel

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        reader = _reader(self._context, indicator(self._panel.indicators, name))
        self.__dict__[name] = reader
        return reader


class HigherNow:
    """Bars of a coarser timeframe as seen from this close. open, high, low, close, volume : by
    symbol, of the newest one that had closed. indicators : as the context's.
    """

    def __init__(self, context: Context, panel: HigherPanel) -> None:
        self._context, self._panel = context, panel
        self._columns: dict[str, _Series] = {}
        self.indicators = IndicatorsNow(context, panel)

    def __getattr__(self, name: str) -> Values:
        if name not in self._columns:
            self._columns[name] = _Series(getattr(self._panel, name), self._panel.symbols)
        return self._columns[name].at(self._context._row)


def _reader(context: Context, compute: Callable[..., Any]) -> Callable[..., Any]:
    """One indicator: for each set of its parameters a series, read at the context's close."""
    known: dict[Any, _Series | _Several] = {}

    def read(*arguments: Any, **named: Any) -> Any:
        key = (arguments, *named.items()) if named else arguments
        try:
            series = known.get(key)
        except TypeError:
            rule = "in on_bar it takes numbers and names of columns"
            raise TypeError(f"an indicator was given {key!r}; {rule}") from None
        if series is not None:
            return series.at(context._row)
        found = compute(*arguments, **named)
        made: Any = mapped(found, lambda one: _Series(one, context.symbols))
        known[key] = _Several(made) if isinstance(made, tuple) else made
        return known[key].at(context._row)

    return read


class _Series:
    """Values of shape (T, n), handed out close by close as Python floats."""

    __slots__ = ("_chunk", "_closes", "_first", "_stop", "_symbols", "_values")

    def __init__(self, values: Floats, symbols: tuple[str, ...]) -> None:
        self._values, self._symbols = values, symbols
        self._closes = max(1, CHUNK_NUMBERS // max(1, len(symbols)))
        self._first = self._stop = 0
        self._chunk: list[Values] = []

    def at(self, row: int) -> Values:
        """The values of one row by symbol."""
        if not self._first <= row < self._stop:
            rows = self._values[row : row + self._closes].tolist()
            self._chunk = [dict(zip(self._symbols, one, strict=True)) for one in rows]
            self._first, self._stop = row, row + len(rows)
        return self._chunk[row - self._first]


class _Several:
    """An indicator of several lines, such as a band's three."""

    __slots__ = ("_lines",)

    def __init__(self, lines: tuple[_Series, ...]) -> None:
        self._lines = lines

    def at(self, row: int) -> Any:
        """The values of each line."""
        return mapped(self._lines, lambda line: line.at(row))
