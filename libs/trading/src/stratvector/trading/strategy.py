"""What a strategy is: pure features of a bounded history, and a compiled decide for its memory.

    features(bars)      pure; row t depends on the last `history` closes only
    decide(state, row, parameters, weights, confidence)
                        njit; writes state, weights and confidence in place

A backtest computes all rows at once; live, the strategy service computes the last row of the last
`history` closes. Both give the same bits: the causality and bounded-memory certificates demand it
of every strategy. `fold` is where rows become weights, for everyone; a strategy that decides in
plain Python has a fold of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from stratvector.trading.bad_strategy import BadFeatures, BadPart
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import Scan, decide_jit, decide_row, run_scan

Decide = Callable[[Any, Any, Any, Any, Any], None]


@decide_jit
def follow_first_feature(state, row, parameters, weights, confidence):  # type: ignore[no-untyped-def]
    """The memoryless decide: feature 0 is the weight, its size the confidence; 0 if it is NaN."""
    for symbol in range(row.shape[0]):
        weight = row[symbol, 0]
        weights[symbol] = weight
        confidence[symbol] = min(1.0, abs(weight)) if weight == weight else 0.0


@dataclass(frozen=True)
class Strategy(ABC):
    """A strategy's parameters; subclasses are frozen dataclasses, one per file.

    bars_per_day : closes of the universe in a day, so that `*_days` mean days on any timeframe.
    windowed : True for a strategy that can't give equal rows over the full history (TA-Lib, an ML
        model): the backtest then calls `features` once per window, exactly as live does.
    """

    bars_per_day: int = field(default=1, kw_only=True)

    name: ClassVar[str]
    version: ClassVar[str] = "1.0.0"
    windowed: ClassVar[bool] = False
    decide: ClassVar[Decide] = staticmethod(follow_first_feature)

    @property
    @abstractmethod
    def history(self) -> int:
        """Scheduled closes that one row of features needs, at least 1."""

    @abstractmethod
    def features(self, bars: Bars) -> NDArray[np.float64]:
        """Rows of shape (len(bars), symbols, features); rows before `history` - 1 are NaN.

        Row t may depend on closes t - history + 1 .. t only, summed in a fixed order. A symbol
        whose bar at t is missing has a NaN row; missing bars inside the window are skipped. Every
        run raises BadFeatures for another shape or type than float64.
        """

    @classmethod
    def features_of_each(
        cls, strategies: Iterable[Self], bars: Bars
    ) -> Iterator[NDArray[np.float64]]:
        """The rows of many parameter sets over the same bars, in order, for a sweep.

        A strategy whose parameter sets share work (moving averages, say) does that work here once.
        """
        for strategy in strategies:
            yield feature_rows(strategy, bars)

    @classmethod
    def scans_of_each(cls, strategies: Sequence[Self], bars: Bars) -> Iterator[Scan]:
        """The scans of many parameter sets over the same bars, in order, for a sweep."""
        rows_of_each = cls.features_of_each(strategies, bars)
        for strategy, rows in zip(strategies, rows_of_each, strict=True):
            check_parts(strategy, len(bars.symbols))
            yield fold(strategy, rows, bars, _initial(strategy, bars), strategy.history - 1)

    def fold(
        self, rows: NDArray[np.float64], bars: Bars, state: NDArray[np.float64], first: int
    ) -> Scan:
        """Weights, confidence and memory over rows[first:]; what the function `fold` calls."""
        if len(rows) > 1 or first:
            return run_scan(self.decide, rows, self.parameters(), state, first)
        weights, confidence = decide_row(self.decide, rows[0], self.parameters(), state)
        return Scan(*(values[np.newaxis] for values in (weights, confidence, state.copy())))

    def initial_state(self, symbols: int) -> NDArray[np.float64]:
        """The memory before the first decision; zero-length where the model has none."""
        return np.zeros(0)

    def parameters(self) -> NDArray[np.float64]:
        """The parameters in field order as float64, what `decide` receives."""
        values = [float(getattr(self, f.name)) for f in fields(self) if f.name != "bars_per_day"]
        return np.array(values, dtype=np.float64)


def feature_rows(strategy: Strategy, bars: Bars) -> NDArray[np.float64]:
    """All rows of a strategy's features; a windowed one is called once per window.

    Raises BadFeatures: nothing is broadcast, shifted or converted.
    """
    if not strategy.windowed:
        return checked_features(strategy, strategy.features(bars), bars)
    closes, symbols = bars.close.shape
    whole = np.full((closes, symbols, 1), np.nan)
    for t in range(strategy.history - 1, closes):
        window = bars.window(t - strategy.history + 1, t + 1)
        row = checked_features(strategy, strategy.features(window), window)[-1]
        if t == strategy.history - 1:
            whole = np.full((closes, *row.shape), np.nan)
        if row.shape != whole.shape[1:]:
            found = f"{row.shape[1]} in one window and {whole.shape[2]} in the first"
            raise BadFeatures(strategy.name, found, *window.close.shape)
        whole[t] = row
    return whole


def checked_features(strategy: Strategy, rows: object, bars: Bars) -> NDArray[np.float64]:
    """What `features` gave over these bars, if it is what the contract says. Raises BadFeatures."""
    closes, symbols = bars.close.shape
    found = unlike(rows, (closes, symbols, None))
    if found is not None:
        raise BadFeatures(strategy.name, found, closes, symbols)
    return np.ascontiguousarray(rows)


def unlike(values: object, shape: tuple[int | None, ...]) -> str | None:
    """What `values` are where they are not a float64 array of that shape, else None.

    shape : None stands for any length but 0. A masked array is refused: what its mask hides would
    be read.
    """
    if not isinstance(values, np.ndarray) or isinstance(values, np.ma.MaskedArray):
        return f"a {type(values).__module__}.{type(values).__qualname__}"
    fits = len(values.shape) == len(shape) and all(
        found == wanted if wanted is not None else found > 0
        for found, wanted in zip(values.shape, shape, strict=True)
    )
    if values.dtype == np.float64 and fits:
        return None
    return f"{values.dtype} of shape {values.shape}"


def check_parts(strategy: Strategy, symbols: int) -> None:
    """Refuse what no run over that many symbols can use. Raises BadPart."""
    history: object = strategy.history
    if not isinstance(history, int | np.integer) or isinstance(history, bool) or history < 1:
        expected = "a whole number of closes, at least 1"
        raise BadPart(strategy.name, "the history", repr(history), expected)
    for part, values in (
        ("the initial state", strategy.initial_state(symbols)),
        ("the parameters array", strategy.parameters()),
    ):
        found = unlike(values, (np.size(values),))
        if found is not None:
            raise BadPart(strategy.name, part, found, "float64 of one dimension")
    # Where the house's own decide is run by Python, so is every other one.
    is_compiled = hasattr(follow_first_feature, "signatures")
    if is_compiled and not hasattr(strategy.decide, "signatures"):
        found = type(strategy.decide).__name__
        raise BadPart(strategy.name, "decide", f"a plain {found}", "compiled by decide_jit")


def scan(strategy: Strategy, bars: Bars, state: NDArray[np.float64] | None = None) -> Scan:
    """Weights, confidence and state at every close of `bars`.

    state : memory before the first close, None for the initial one. While t < history - 1 the model
    is warming up: weight and confidence 0, `decide` not called. Raises ValueError for a state of
    another length than the initial one, such as that of other symbols, BadFeatures and BadPart.
    """
    check_parts(strategy, len(bars.symbols))
    start = _initial(strategy, bars)
    if state is not None:
        if state.shape != start.shape:
            raise ValueError(
                f"the state of {strategy.name} has {state.size} numbers; "
                f"over {len(bars.symbols)} symbols it must have {start.size}"
            )
        start = state.copy()
    return fold(strategy, feature_rows(strategy, bars), bars, start, strategy.history - 1)


def fold(
    strategy: Strategy,
    rows: NDArray[np.float64],
    bars: Bars,
    state: NDArray[np.float64],
    first: int,
) -> Scan:
    """Weights, confidence and memory of a strategy: the one way from features to them, whether it
    decides in compiled code or in Python, for backtests, sweeps, certificates and live models.

    rows : features of the last len(rows) closes of `bars`, as `feature_rows` gives them; a live
    model gives the last row alone, with the last `history` closes. state : the memory before them,
    float64, advanced in place. first : rows before it warm up: weight and confidence 0, the memory
    untouched. Shapes of what is returned: (len(rows), symbols), (len(rows), len(state)).
    """
    return strategy.fold(rows, bars, state, first)


def _initial(strategy: Strategy, bars: Bars) -> NDArray[np.float64]:
    """A copy: `decide` writes in place, and a strategy may give the same array each time."""
    return np.array(strategy.initial_state(len(bars.symbols)))
