"""What a strategy sees of its bars: read-only arrays, indicators, coarser timeframes.

A function strategy gets a panel of all bars; live, of the last `history` closes. An event strategy
gets one of the last `history` closes at every close.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stratvector.strategies.floats import Floats
from stratvector.strategies.indicators import Indicators
from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.coarser import Coarser, coarser
from stratvector.trading.nearest import suggestion

Map = Callable[[Floats], Floats]


class Panel:
    """T closes of n symbols.

    symbols : their names, in the order of columns. close_times : int64[T], ns UTC.
    open, high, low, close, volume : float64[T, n], read-only; NaN in all five: the bar is missing.
    """

    __slots__ = ("_arrays", "_bars", "_first", "_higher", "_indicators", "_stop", "symbols")

    def __init__(self, bars: Bars) -> None:
        self._bars, self.symbols = bars, bars.symbols
        self._first, self._stop = 0, len(bars)
        self._arrays: dict[str, NDArray[Any]] = {
            name: read_only(getattr(bars, name)) for name in (*FIELDS, "close_times")
        }
        self._indicators: Indicators | None = None
        self._higher: dict[str, HigherPanel] = {}

    def window(self, first: int, stop: int) -> "Panel":
        """Rows first <= t < stop, as views; its indicators are computed from these rows alone."""
        part = Panel.__new__(Panel)
        part._bars, part.symbols, part._arrays = self._bars, self.symbols, self._arrays
        part._first, part._stop = self._first + first, self._first + stop
        part._indicators, part._higher = None, {}
        return part

    def __len__(self) -> int:
        """Number of closes."""
        return self._stop - self._first

    def __repr__(self) -> str:
        return f"Panel of {self.bars!r}"

    @property
    def bars(self) -> Bars:
        """The same as `Bars`."""
        if len(self) == len(self._bars):
            return self._bars
        return self._bars.window(self._first, self._stop)

    @property
    def close_times(self) -> NDArray[np.int64]:
        """Close times, ns UTC, shape (T,)."""
        return self._column("close_times")

    @property
    def open(self) -> Floats:
        """Opening prices."""
        return self._column("open")

    @property
    def high(self) -> Floats:
        """Highest prices."""
        return self._column("high")

    @property
    def low(self) -> Floats:
        """Lowest prices."""
        return self._column("low")

    @property
    def close(self) -> Floats:
        """Closing prices."""
        return self._column("close")

    @property
    def volume(self) -> Floats:
        """Units traded."""
        return self._column("volume")

    @property
    def indicators(self) -> Indicators:
        """Indicators of these bars by name, each computed once: `bars.indicators.z_score(20)`."""
        if self._indicators is None:
            self._indicators = Indicators(self.bars)
        return self._indicators

    def higher(self, timeframe: str) -> "HigherPanel":
        """The same bars at a coarser timeframe ("4H", "1D", "1W"), at each row as far as its bars
        had closed; see `HigherPanel`. Raises UnknownTimeframe.
        """
        found = self._higher.get(timeframe)
        if found is None:
            found = self._higher[timeframe] = HigherPanel(coarser(self.bars, timeframe))
        return found

    def _column(self, name: str) -> NDArray[Any]:
        whole = self._arrays[name]
        # The same array each time where it can be: indicators of an array are known by it.
        return whole if len(self) == len(whole) else whole[self._first : self._stop]


class HigherPanel:
    """Bars of a coarser timeframe, aligned to the rows of the finer ones: row t holds the values of
    the newest coarser bar that had closed at or before t, NaN before the first.

    A coarser bar closes on the UTC grid of its timeframe (1W: Monday 00:00). The first one that the
    bars touch is left out, as they may begin in its middle: to see n of them at every row, a
    strategy needs a history of (n + 1) x the closes in a coarser bar.
    open, high, low, close, volume : float64[T, n], read-only.
    """

    def __init__(self, seen: Coarser) -> None:
        self._seen = seen
        self._columns: dict[str, Floats] = {}
        self.symbols = seen.bars.symbols
        self.indicators = AlignedIndicators(Indicators(seen.bars), seen.aligned)
        """Indicators of the coarser bars by name, aligned: `higher.indicators.z_score(20)`."""

    def __getattr__(self, name: str) -> Floats:
        if name not in FIELDS:
            raise AttributeError(f"coarser bars have no {name!r}; {suggestion(name, FIELDS)}")
        if name not in self._columns:
            self._columns[name] = self._seen.aligned(getattr(self._seen.bars, name))
        return self._columns[name]


class AlignedIndicators:
    """The indicators of coarser bars under the same names, as each row of the finer ones sees them;
    each is computed once.
    """

    def __init__(self, indicators: Indicators, aligned: Map) -> None:
        self._indicators, self._aligned = indicators, aligned
        self._known: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        compute = indicator(self._indicators, name)

        def aligned(*arguments: Any, **named: Any) -> Any:
            key = (name, arguments, tuple(sorted(named.items())))
            if key not in self._known:
                self._known[key] = mapped(compute(*arguments, **named), self._aligned)
            return self._known[key]

        return aligned


def indicator(indicators: Indicators | AlignedIndicators, name: str) -> Callable[..., Any]:
    """The indicator of that name. Raises AttributeError with the nearest one."""
    found = None if name.startswith("_") else getattr(indicators, name, None)
    if not callable(found):
        known = [one for one in dir(indicators) if not one.startswith("_")]
        raise AttributeError(f"there is no indicator {name!r}; {suggestion(name, known)}")
    wanted: Callable[..., Any] = found
    return wanted


def mapped(result: Any, change: Callable[[Any], Any]) -> Any:
    """What an indicator gave, one array or a tuple of them, each changed."""
    if not isinstance(result, tuple):
        return change(result)
    values = [change(one) for one in result]
    return result._make(values) if hasattr(result, "_make") else tuple(values)


def read_only(values: NDArray[Any]) -> NDArray[Any]:
    """A view that can't be written to."""
    view = values.view()
    view.flags.writeable = False
    return view
