"""Twenty strategies that keep the rules, in every form: none is accused, at length or in short."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from stratvector.strategies import (
    Context,
    CryptoMomentumModel,
    EquityTrendModel,
    EventStrategy,
    IndexMeanReversionModel,
    Indicators,
    IndicatorStrategy,
    MeanReversionStrategy,
    MomentumStrategy,
    create_named,
    ensure_certified,
    strategy,
)
from stratvector.strategies.certificates import BRIEF, THOROUGH, examine
from stratvector.strategies.floats import Floats
from stratvector.strategies.trial_bars import trial_bars
from stratvector.trading.bars import Bars
from stratvector.trading.engine.scan import decide_jit
from stratvector.trading.strategy import Decide, Strategy

WINDOW = 15


def windows(values: Floats) -> Floats:
    """The last WINDOW values of each row that has so many, shape (rows, symbols, WINDOW)."""
    return sliding_window_view(values, WINDOW, axis=0)


def over_windows(values: Floats, fold: Callable[[Floats], Floats]) -> Floats:
    rows = np.full(values.shape, np.nan)
    if len(values) >= WINDOW:
        rows[WINDOW - 1 :] = fold(windows(values))
    return rows


@dataclass(frozen=True)
class OfNumpy(Strategy):
    """Feature 0 is what a function of bars gives."""

    rows: ClassVar[Callable[[Bars], Floats]]
    name: ClassVar[str] = "OfNumpy"

    @property
    def history(self) -> int:
        return WINDOW

    def features(self, bars: Bars) -> Floats:
        with np.errstate(all="ignore"):
            rows = np.array(type(self).rows(bars), dtype=np.float64)
        rows[np.isnan(bars.close)] = np.nan
        rows[: WINDOW - 1] = np.nan
        return rows[:, :, np.newaxis]


def mean_of_window(bars: Bars) -> Floats:
    return np.sign(bars.close - over_windows(bars.close, lambda w: np.nanmean(w, axis=-1)))


def breakout(bars: Bars) -> Floats:
    highest = over_windows(bars.high, lambda w: np.fmax.reduce(w, axis=-1))
    return (bars.high >= highest).astype(np.float64)


def low_volatility(bars: Bars) -> Floats:
    spread = over_windows(bars.close, lambda w: np.nanmax(w, axis=-1) - np.nanmin(w, axis=-1))
    return 1.0 / (1.0 + spread / bars.close)


def middle_reversion(bars: Bars) -> Floats:
    middle = over_windows(bars.close, lambda w: np.partition(w, 7, axis=-1)[:, :, 7])
    return np.sign(middle - bars.close)


def rank_across_symbols(bars: Bars) -> Any:
    past = over_windows(bars.close, lambda w: w[:, :, -1] / w[:, :, 0])
    return np.argsort(np.argsort(past, axis=1), axis=1) / bars.close.shape[1]


def volume_surge(bars: Bars) -> Any:
    return (bars.volume > 2.0 * over_windows(bars.volume, lambda w: np.nanmean(w, axis=-1))) * 1.0


def one_weekday(bars: Bars) -> Floats:
    day = bars.close_times // 86_400_000_000_000
    return np.where((day % 7 == 3)[:, np.newaxis], 1.0, 0.0) * np.ones(bars.close.shape)


def gap_to_the_last_close(bars: Bars) -> Floats:
    rows = np.zeros(bars.close.shape)
    rows[1:] = np.sign(np.nan_to_num(bars.open[1:] - bars.close[:-1]))
    return rows


def after_a_gap_in_the_data(bars: Bars) -> Floats:
    rows = np.zeros(bars.close.shape)
    rows[1:] = np.isnan(bars.close[:-1])
    return rows


def always_the_same(bars: Bars) -> Floats:
    return np.full(bars.close.shape, 1.0 / bars.close.shape[1])


def weighted_by_a_kernel(bars: Bars) -> Floats:
    kernel = np.linspace(0.1, 1.0, WINDOW)
    return np.sign(over_windows(np.nan_to_num(bars.close), lambda w: (w * kernel).sum(axis=-1)))


_kernels: dict[int, Floats] = {}


def with_a_cache_of_its_parameters(bars: Bars) -> Floats:
    """A cache is no leak where nothing in it comes from the bars."""
    kernel = _kernels.setdefault(WINDOW, np.hanning(WINDOW))
    return over_windows(np.nan_to_num(bars.close), lambda w: np.max(w * kernel, axis=-1))


def exponential_from_the_window_start(bars: Bars) -> Floats:
    def fold(window: Floats) -> Floats:
        average = np.nan_to_num(window[:, :, 0])
        for k in range(1, WINDOW):
            average = 0.8 * average + 0.2 * np.nan_to_num(window[:, :, k])
        return average

    return np.sign(np.nan_to_num(bars.close) - over_windows(bars.close, fold))


NUMPY = (
    mean_of_window,
    breakout,
    low_volatility,
    middle_reversion,
    rank_across_symbols,
    volume_surge,
    one_weekday,
    gap_to_the_last_close,
    after_a_gap_in_the_data,
    always_the_same,
    weighted_by_a_kernel,
    with_a_cache_of_its_parameters,
    exponential_from_the_window_start,
)


@decide_jit
def _hold_for_three_closes(state, row, parameters, weights, confidence):  # type: ignore[no-untyped-def]
    for s in range(row.shape[0]):
        if row[s, 0] > 0.0:
            state[s] = 3.0
        weights[s] = 1.0 if state[s] > 0.0 else 0.0
        confidence[s] = 1.0
        state[s] = max(0.0, state[s] - 1.0)


@dataclass(frozen=True)
class WithMemory(IndicatorStrategy):
    """Compiled: what is held is in the state."""

    name: ClassVar[str] = "WithMemory"
    decide: ClassVar[Decide] = staticmethod(_hold_for_three_closes)
    window: int = 9

    @property
    def history(self) -> int:
        return self.window + 1

    def initial_state(self, symbols: int) -> Floats:
        return np.zeros(symbols)

    def rows(self, indicators: Indicators) -> tuple[Floats, ...]:
        return (indicators.roc(self.window),)


@dataclass(frozen=True)
class PerWindow(Strategy):
    """What could never be equal over the whole history, so it is called per window."""

    name: ClassVar[str] = "PerWindow"
    windowed: ClassVar[bool] = True

    @property
    def history(self) -> int:
        return 8

    def features(self, bars: Bars) -> Floats:
        spread = np.nan_to_num(bars.close).std(axis=0)
        return np.broadcast_to(spread, bars.close.shape)[:, :, np.newaxis].copy()


@strategy(history=lambda window: window + 1)
def of_a_function(bars: Any, window: int = 10) -> Any:
    """The short way."""
    return np.sign(bars.indicators.roc(window)) / len(bars.symbols)


@strategy(history="window", windowed=True)
def of_a_windowed_function(bars: Any, window: int = 6) -> Any:
    """Anything over its window."""
    spread = np.nan_to_num(bars.close - np.nan_to_num(bars.close).mean(axis=0))
    return np.sign(spread)


@strategy(history=3)
def of_the_day_before(bars: Any) -> Floats:
    """By hand."""
    rows = np.zeros(bars.close.shape)
    rows[1:] = np.nan_to_num(np.sign(bars.close[1:] - bars.close[:-1]))
    return rows


class OfEvents(EventStrategy):
    """In plain Python: what is held is the last target."""

    window: int = 8

    @property
    def history(self) -> int:
        """Closes of the average."""
        return self.window

    def on_bar(self, context: Context) -> None:
        """Long above the average, out below it."""
        average = context.indicators.sma(self.window)
        for symbol in context.symbols:
            if context.close[symbol] > average[symbol]:
                context.target(symbol, 0.3)
            elif context.position(symbol) > 0.0:
                context.target(symbol, 0.0)


HONEST: list[Strategy] = [
    of_a_function(),
    of_a_windowed_function(),
    of_the_day_before(),
    OfEvents(),
    *(type(f.__name__, (OfNumpy,), {"rows": staticmethod(f)})() for f in NUMPY),
    WithMemory(),
    PerWindow(),
    MomentumStrategy(3, 8),
    MeanReversionStrategy(6, 0.8),
    EquityTrendModel(12, 4, 5, max_positions=2),
    IndexMeanReversionModel(rsi_period=2, bb_period=6),
    CryptoMomentumModel(2, 5, 3),
]


LONG = replace(THOROUGH, panels=2, long=1_200, windows=1_200)


def test_there_are_twenty() -> None:
    assert len(HONEST) >= 20


@pytest.mark.parametrize("one", HONEST, ids=lambda one: type(one).__name__)
def test_an_honest_strategy_is_not_accused(one: Strategy) -> None:
    certificate = examine(one, effort=LONG)
    assert certificate.holds, str(certificate)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("one", HONEST, ids=lambda one: type(one).__name__)
def test_nor_in_short_form_on_any_bars(one: Strategy, seed: int) -> None:
    certificate = examine(one, trial_bars(40, symbols=1 + seed, seed=seed), seed, BRIEF)
    assert certificate.holds, str(certificate)


def test_what_holds_is_remembered_by_content_and_a_changed_parameter_is_another(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATVECTOR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "own.py").write_text(OWN)
    remembered = tmp_path / "cache" / "certificates"
    counts = []
    for value in (10, 10, 12):
        made = create_named("own.py:Own", {"window": value}, 1, tmp_path)
        assert ensure_certified(made, trial_bars(80)) == ()
        counts.append(len(list(remembered.iterdir())))
    (tmp_path / "own.py").write_text(OWN.replace("> 0", "< 0"))
    ensure_certified(create_named("own.py:Own", {}, 1, tmp_path), trial_bars(80))
    assert [*counts, len(list(remembered.iterdir()))] == [1, 1, 2, 3]


def test_a_strategy_that_made_up_bars_break_gives_a_caveat(tmp_path: Any) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("rows(self, i):", "rows(self, i):\n        1 / 0"))
    (caveat,) = ensure_certified(create_named("own.py", {}, 1, tmp_path), trial_bars(80))
    assert caveat.code == "unchecked_strategy"
    assert "it raises on made-up bars, ZeroDivisionError" in caveat.sentence


OWN = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from stratvector.strategies import IndicatorStrategy

@dataclass(frozen=True)
class Own(IndicatorStrategy):
    name: ClassVar[str] = "Own"
    window: int = 20

    @property
    def history(self):
        return self.window + 1

    def rows(self, i):
        return (np.where(i.roc(self.window) > 0, 1.0, 0.0),)
"""
