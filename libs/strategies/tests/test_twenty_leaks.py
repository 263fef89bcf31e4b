"""Twenty ways to know the future, or to remember what live can't: `examine` finds every one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from stratvector.strategies import find_strategy
from stratvector.strategies.bad_strategy import Uncertified
from stratvector.strategies.certificates import (
    BRIEF,
    THOROUGH,
    ensure_certified,
    examine,
)
from stratvector.strategies.floats import Floats
from stratvector.strategies.trial_bars import trial_bars
from stratvector.trading.bars import Bars
from stratvector.trading.strategy import Strategy

Rows = Callable[[Bars], Floats]
AHEAD, MEMORY, AGAIN = "causality", "bounded_memory", "repeatability"

LEAKS: dict[str, tuple[str, Rows]] = {}


def leak(broken: str) -> Callable[[Rows], Rows]:
    """Plant it. broken : the property that the certificate must name."""

    def plant(rows: Rows) -> Rows:
        LEAKS[rows.__name__] = broken, rows
        return rows

    return plant


@dataclass(frozen=True)
class Planted(Strategy):
    """Feature 0 is what a planted function gives; rows before the history are NaN."""

    rows: ClassVar[Rows]
    name: ClassVar[str] = "Planted"

    @property
    def history(self) -> int:
        return 12

    def features(self, bars: Bars) -> Floats:
        with np.errstate(all="ignore"):
            rows = np.array(type(self).rows(bars), dtype=np.float64)
        rows[: self.history - 1] = np.nan
        return rows[:, :, np.newaxis]


def planted(rows: Rows) -> Any:
    """As in a process that has run nothing else."""
    _longest.clear()
    _by_time.clear()
    return type("Planted", (Planted,), {"rows": staticmethod(rows)})()


def change(close: Floats) -> Floats:
    rows = np.full(close.shape, np.nan)
    rows[1:] = np.sign(close[1:] - close[:-1])
    return rows


def averages(close: Floats, window: int = 12) -> Floats:
    rows = np.full(close.shape, np.nan)
    if len(close) >= window:
        rows[window - 1 :] = sliding_window_view(close, window, axis=0).mean(axis=-1)
    return rows


def shifted(values: Floats, by: int) -> Floats:
    """As pandas shifts: by < 0 brings the future here."""
    rows = np.full(values.shape, np.nan)
    if by >= 0:
        rows[by:] = values[: len(values) - by]
    else:
        rows[:by] = values[-by:]
    return rows


@leak(AHEAD)
def tomorrows_change(bars: Bars) -> Floats:
    return np.nan_to_num(shifted(change(bars.close), -1))


@leak(AHEAD)
def normalised_over_all(bars: Bars) -> Any:
    return (bars.close - np.nanmean(bars.close, axis=0)) / np.nanstd(bars.close, axis=0)


@leak(AHEAD)
def centred_window(bars: Bars) -> Floats:
    return np.nan_to_num(np.sign(bars.close - shifted(averages(bars.close), -6)))


@leak(AHEAD)
def weekly_close_at_its_first_day(bars: Bars) -> Floats:
    """A resample that stamps a week with its beginning."""
    week = bars.close_times // (7 * 86_400_000_000_000)
    last = np.searchsorted(week, week, side="right") - 1
    return np.nan_to_num(np.sign(bars.close[last] - bars.close))


@leak(AHEAD)
def target_among_the_features(bars: Bars) -> Floats:
    target = shifted(bars.close, -1) / bars.close - 1.0
    return np.nan_to_num(0.1 * change(bars.close) + 0.001 * target)


@leak(AHEAD)
def at_one_bar_in_a_thousand(bars: Bars) -> Floats:
    fires = (np.nan_to_num(bars.volume).astype(np.int64) % 1000) == 7
    return np.where(fires, np.nan_to_num(shifted(bars.close, -1)), change(bars.close))


@leak(AHEAD)
def at_one_row_in_a_thousand(bars: Bars) -> Floats:
    day = bars.close_times // 86_400_000_000_000
    ahead = np.nan_to_num(shifted(change(bars.close), -1))
    return np.where((day % 1000 == 983)[:, np.newaxis], ahead, change(bars.close))


@leak(AHEAD)
def difference_off_by_one(bars: Bars) -> Floats:
    rows = np.zeros(bars.close.shape)
    rows[:-1] = np.nan_to_num(np.diff(bars.close, axis=0))
    return rows


@leak(AHEAD)
def filled_backward(bars: Bars) -> Floats:
    close = bars.close.copy()
    for t in range(len(close) - 2, -1, -1):
        close[t] = np.where(np.isnan(close[t]), close[t + 1], close[t])
    return np.nan_to_num(close)


@leak(AHEAD)
def share_of_the_highest_ever(bars: Bars) -> Any:
    return bars.close / np.nanmax(bars.close, axis=0)


@leak(AHEAD)
def rank_in_the_sorted_whole(bars: Bars) -> Floats:
    return np.argsort(np.argsort(bars.close, axis=0), axis=0).astype(np.float64)


@leak(AHEAD)
def tomorrows_volume(bars: Bars) -> Floats:
    more = np.nan_to_num(shifted(bars.volume, -1)) > np.nan_to_num(bars.volume) * 3.0
    return np.where(more, 1.0, change(bars.close))


@leak(AHEAD)
def tomorrows_gap(bars: Bars) -> Floats:
    missing = np.zeros(bars.close.shape, dtype=bool)
    missing[:-1] = np.isnan(bars.close[1:])
    return np.where(missing, 0.0, change(bars.close))


@leak(AHEAD)
def best_day_of_all(bars: Bars) -> Floats:
    rows = change(bars.close)
    rows[np.nanargmax(np.nan_to_num(bars.high), axis=0), range(rows.shape[1])] = 9.0
    return rows


@leak(AHEAD)
def anothers_tomorrow(bars: Bars) -> Floats:
    return np.nan_to_num(shifted(change(np.roll(bars.close, 1, axis=1)), -1))


@leak(AHEAD)
def quantile_of_all(bars: Bars) -> Floats:
    return (bars.close > np.nanquantile(bars.close, 0.8, axis=0)).astype(np.float64)


@leak(AHEAD)
def sum_of_what_comes(bars: Bars) -> Floats:
    return np.cumsum(np.nan_to_num(bars.volume)[::-1], axis=0)[::-1].copy()


@leak(AGAIN)
def drawn_anew(bars: Bars) -> Floats:
    return np.random.normal(size=bars.close.shape)


@leak(AHEAD)
def share_of_the_days(bars: Bars) -> Floats:
    return change(bars.close) * np.arange(len(bars))[:, np.newaxis] / len(bars)


@leak(MEMORY)
def exponential_from_the_first_close(bars: Bars) -> Floats:
    close = np.nan_to_num(bars.close, nan=1.0)
    average = close.copy()
    for t in range(1, len(close)):
        average[t] = 0.9 * average[t - 1] + 0.1 * close[t]
    return np.sign(close - average) + 1e-9 * average


@leak(AHEAD)
def crash_warning(bars: Bars) -> Floats:
    """Out of the market on the eve of a crash, and honest on every other day."""
    ahead = np.nan_to_num(shifted(bars.close, -1), nan=np.inf)
    return np.where(ahead < 0.3 * bars.close, 0.0, change(bars.close))


_longest: dict[str, Bars] = {}


@leak(AGAIN)
def from_the_longest_bars_so_far(bars: Bars) -> Any:
    """Bars that were seen before, looked up by their times."""
    known = _longest.get("bars")
    if known is None or len(known) < len(bars):
        _longest["bars"] = known = bars
    ahead = dict(zip(known.close_times[:-1].tolist(), known.close[1:], strict=True))
    width = len(bars.symbols)
    rows = [ahead.get(t, np.zeros(len(known.symbols)))[:1] for t in bars.close_times.tolist()]
    return np.nan_to_num(np.array(rows)) * np.ones(width)


_by_time: dict[int, float] = {}


@leak(AGAIN)
def from_a_shared_cache(bars: Bars) -> Floats:
    """Each run leaves its closes where the next one finds them."""
    found = [_by_time.get(t + 86_400_000_000_000, 0.0) for t in bars.close_times.tolist()]
    _by_time.update((t, float(np.nan_to_num(c[0]))) for t, c in zip(
        bars.close_times.tolist(), bars.close, strict=True))  # fmt: skip
    return np.array(found)[:, np.newaxis] * np.ones(len(bars.symbols))


def test_there_are_at_least_twenty() -> None:
    assert len(LEAKS) >= 20


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_found_and_told(name: str) -> None:
    broken, rows = LEAKS[name]
    certificate = examine(planted(rows))
    assert not certificate.holds
    violation: Any = getattr(certificate, broken)
    assert violation is not None, str(certificate)
    assert f"at close {violation.close}" in certificate.complaint
    assert violation.quantity in certificate.complaint
    if violation.symbol is not None:
        assert violation.symbol in certificate.complaint


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", ["at_one_bar_in_a_thousand", "at_one_row_in_a_thousand"])
def test_a_rare_leak_is_found_on_whatever_bars(name: str, seed: int) -> None:
    assert examine(planted(LEAKS[name][1]), seed=seed).causality is not None


RARE = {"at_one_bar_in_a_thousand", "at_one_row_in_a_thousand"}


@pytest.mark.parametrize("name", sorted(LEAKS.keys() - RARE))
def test_the_short_form_finds_every_leak_that_is_not_rare(name: str) -> None:
    assert not examine(planted(LEAKS[name][1]), effort=BRIEF).holds


FIRST_SEEN = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from stratvector.strategies import IndicatorStrategy

_first = {}

@dataclass(frozen=True)
class FirstSeen(IndicatorStrategy):
    name: ClassVar[str] = "FirstSeen"

    @property
    def history(self) -> int:
        return 2

    def rows(self, indicators):
        bars = indicators.bars
        if not _first:
            _first.update(zip(bars.close_times[:-1].tolist(), bars.close[1:]))
        nothing = np.zeros(len(bars.symbols))
        found = [_first.get(t, nothing) for t in bars.close_times.tolist()]
        return (np.nan_to_num(np.array(found)),)
"""


def test_a_file_that_keeps_the_first_bars_it_sees_is_loaded_anew_and_found(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(FIRST_SEEN)
    kind = find_strategy("first.py", tmp_path)
    certificate = examine(kind(), effort=BRIEF)
    assert certificate.repeatability is not None
    assert "when the first bars it sees differ after close" in certificate.complaint


def test_a_leak_stops_a_backtest_before_it_runs() -> None:
    with pytest.raises(Uncertified, match=r"^Planted looks ahead: feature 0 of TRIAL"):
        ensure_certified(planted(LEAKS["tomorrows_change"][1]), trial_bars(60))


def test_the_thorough_form_looks_at_thousands_of_windows() -> None:
    assert THOROUGH.windows >= 5_000
