"""`Backtest(bars, signals=...)`: target weights that were computed before, as a strategy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stratvector.trading import columns
from stratvector.trading.bars import Bars
from stratvector.trading.columns import Values
from stratvector.trading.nearest import suggestion
from stratvector.trading.strategy import Strategy
from stratvector.trading.timestamps import Nanoseconds, utc_text

TIMESTAMP = "timestamp"
LONG, SHORT = "long", "short"


class BadSignals(ValueError):
    """Signals that don't fit the bars; the message is one sentence with the value and the rule."""


@dataclass(frozen=True, eq=False)
class GivenSignals(Strategy):
    """Weights by close time. close_times : int64[T], ns UTC. weights : float64[T, symbols]."""

    close_times: Nanoseconds = field(repr=False)
    weights: Values = field(repr=False)

    name: ClassVar[str] = "signals"

    @property
    def history(self) -> int:
        """The close itself."""
        return 1

    def parameters(self) -> Values:
        """None."""
        return np.zeros(0)

    def features(self, bars: Bars) -> Values:
        """The weights of these closes; NaN at another close and where a bar is missing."""
        rows = np.searchsorted(self.close_times, bars.close_times)
        rows = np.minimum(rows, len(self.close_times) - 1)
        is_known = (self.close_times[rows] == bars.close_times)[:, np.newaxis]
        weights: Values = np.where(is_known & ~np.isnan(bars.close), self.weights[rows], np.nan)
        return weights[:, :, np.newaxis]


def given_signals(signals: Any, bars: Bars) -> GivenSignals:
    """Signals checked against the bars that they are for.

    signals : a float64 array of shape (closes, symbols), or a pandas or polars frame with a column
    per symbol and the close times in its index or in a column `timestamp`: target weights, as
    fractions of the whole; NaN keeps the last one, a close without a row too; before the first, and
    for a symbol without a column, it is 0. Booleans instead of numbers: True holds an equal part
    (1/n), False nothing. {"long": booleans, "short": booleans}: the same with parts of -1/n.
    Raises BadSignals.
    """
    if isinstance(signals, Mapping):
        weights = _long_short(signals, bars)
    else:
        weights = _weights(signals, bars, "signals")
    return GivenSignals(bars.close_times, _kept(weights))


def _long_short(signals: Mapping[str, Any], bars: Bars) -> Values:
    for name in signals:
        if name not in (LONG, SHORT):
            near = suggestion(str(name), (LONG, SHORT))
            raise BadSignals(f"signals has {name!r}, but it may have long and short; {near}")
    if not signals:
        raise BadSignals("signals is empty, but it must have long or short")
    sides = {}
    for name, given in signals.items():
        sides[name] = _weights(given, bars, f"signals[{name!r}]", must_be_boolean=True)
    nothing = np.zeros(bars.close.shape)
    long, short = sides.get(LONG, nothing), sides.get(SHORT, nothing)
    for t, s in np.argwhere((long > 0.0) & (short > 0.0))[:1]:
        where = f"{bars.symbols[s]} at {utc_text(int(bars.close_times[t]))}"
        raise BadSignals(f"signals are long and short in {where}; one of them must be False")
    return long - short


def _weights(given: Any, bars: Bars, what: str, must_be_boolean: bool = False) -> Values:
    """One array or frame as weights of shape (closes, symbols), NaN where it says nothing."""
    if isinstance(given, np.ndarray):
        weights = _of_array(given, bars, what, must_be_boolean)
    elif hasattr(given, "columns"):
        weights = _of_frame(given, bars, what, must_be_boolean)
    else:
        form = "a float64 array or a pandas or polars frame with a column per symbol"
        raise BadSignals(f"{what} is a {type(given).__name__}, but it must be {form}")
    for t, s in np.argwhere(np.isinf(weights))[:1]:
        where = f"{bars.symbols[s]} at {utc_text(int(bars.close_times[t]))}"
        raise BadSignals(f"{what} has {weights[t, s]} for {where}; a weight must be finite or NaN")
    return weights


def _of_array(given: NDArray[Any], bars: Bars, what: str, must_be_boolean: bool) -> Values:
    shape = bars.close.shape
    is_boolean = given.dtype == np.bool_
    fits = is_boolean or (given.dtype == np.float64 and not must_be_boolean)
    if given.shape != shape or not fits or isinstance(given, np.ma.MaskedArray):
        wanted = "booleans" if must_be_boolean else "float64 or booleans"
        raise BadSignals(
            f"{what} is {given.dtype} of shape {given.shape}, but it must be {wanted} of shape "
            f"({shape[0]} closes, {shape[1]} symbols)"
        )
    return given / max(1, shape[1]) if is_boolean else given.astype(np.float64)


def _of_frame(frame: Any, bars: Bars, what: str, must_be_boolean: bool) -> Values:
    named = [str(name) for name in frame.columns]
    place = {symbol: column for column, symbol in enumerate(bars.symbols)}
    rows = _rows(_stamps(frame, named, what), bars, what)
    weights = np.full(bars.close.shape, np.nan)
    weights[0] = 0.0
    for label, name in zip(frame.columns, named, strict=True):
        if name == TIMESTAMP:
            continue
        if name not in place:
            near = suggestion(name, bars.symbols)
            raise BadSignals(f"{what} has {name!r}, of which there are no bars; {near}")
        column = columns.array(frame[label])
        weights[rows, place.pop(name)] = _numbers(
            column, len(bars.symbols), f"{what}[{name!r}]", must_be_boolean
        )
    return weights


def _stamps(frame: Any, named: list[str], what: str) -> Nanoseconds:
    """The close times of a frame's rows."""
    if TIMESTAMP in named:
        column = frame[frame.columns[named.index(TIMESTAMP)]]
    elif getattr(getattr(frame, "index", None), "dtype", np.dtype(int)).kind == "M":
        column = frame.index
    else:
        rule = "a column `timestamp` or an index of times must say which closes its rows are of"
        raise BadSignals(f"{what} has no times: {rule}")
    zone = getattr(column.dtype, "tz", None) or getattr(column.dtype, "time_zone", None)
    return columns.times(columns.array(column), zone)


def _rows(stamps: Nanoseconds, bars: Bars, what: str) -> NDArray[np.intp]:
    """The row of the bars for each row of the frame."""
    rows = np.searchsorted(bars.close_times, stamps)
    found = bars.close_times[np.minimum(rows, len(bars) - 1)] == stamps
    for stamp in stamps[~found][:1]:
        raise BadSignals(
            f"{what} has a row at {utc_text(int(stamp))}, when no bar closes; "
            "its times must be close times of the bars"
        )
    repeated = np.flatnonzero(np.bincount(rows, minlength=1) > 1)
    for row in repeated[:1]:
        when = utc_text(int(bars.close_times[row]))
        raise BadSignals(f"{what} has two rows at {when}; a close may have one")
    return rows


def _numbers(column: NDArray[Any], symbols: int, what: str, must_be_boolean: bool) -> Values:
    """One column as weights: numbers as they are, booleans as equal parts."""
    is_boolean = column.dtype == np.bool_
    if column.dtype == object:
        known = [one for one in column.tolist() if one is not None and one == one]
        if known and all(isinstance(one, bool | np.bool_) for one in known):
            told = [np.nan if one is None or one != one else float(one) for one in column.tolist()]
            column, is_boolean = np.array(told), True
    if must_be_boolean and not is_boolean:
        raise BadSignals(f"{what} is {column.dtype}, but it must be booleans")
    if is_boolean:
        return np.asarray(column, dtype=np.float64) / symbols
    try:
        return columns.numbers(column, what)
    except ValueError as error:
        raise BadSignals(f"{what} is not of numbers or booleans: {error}") from None


def _kept(weights: Values) -> Values:
    """NaN as the last number before it, 0 before the first."""
    known = ~np.isnan(weights)
    newest = np.maximum.accumulate(np.where(known, np.arange(len(weights))[:, np.newaxis], -1))
    kept = np.take_along_axis(weights, np.maximum(newest, 0), axis=0)
    result: Values = np.where(newest < 0, 0.0, kept)
    return result
