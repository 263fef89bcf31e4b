"""What is doubtful about bars is found and told, and clean bars are left alone."""

import numpy as np
import pytest

from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.columns import Values
from stratvector.trading.quality import (
    DoubtfulBars,
    SymbolQuality,
    examine,
    quality_caveats,
    refuse_doubtful,
)
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds, utc_text

NAN = np.nan
MONDAY = 18_260 * NANOSECONDS_PER_DAY  # 2019-12-30


def days(count: int, weekend: bool = False) -> Nanoseconds:
    """Closes at midnight: every day, or Monday to Friday only."""
    numbers = np.arange(count, dtype=np.int64)
    if weekend:
        numbers = numbers // 5 * 7 + numbers % 5
    return MONDAY + numbers * NANOSECONDS_PER_DAY


def swings(count: int = 120, seed: int = 7) -> Values:
    """Closes of a series that moves by 1 % a day."""
    steps = np.random.default_rng(seed).normal(0.0, 0.01, count)
    closes: Values = 100 * np.exp(np.cumsum(steps))
    return closes


def panel(closes: Values, volumes: Values | None = None, times: Nanoseconds | None = None) -> Bars:
    """Bars of symbols A, B, … whose opens are the closes before, jumps overnight aside."""
    close = np.ascontiguousarray(closes.reshape(len(closes), -1), dtype=np.float64)
    opened = close * 1.001
    volume = np.where(np.isnan(close), NAN, 1000.0)
    if volumes is not None:
        volume = np.ascontiguousarray(volumes.reshape(close.shape), dtype=np.float64)
    symbols = tuple("ABCDEFGH"[: close.shape[1]])
    times = days(len(close)) if times is None else times
    return Bars(symbols, times, opened, opened, close, close, volume)


def one(closes: Values, volumes: Values | None = None) -> SymbolQuality:
    return examine(panel(closes, volumes)).symbols[0]


def told(bars: Bars, scheduled: bool = True) -> list[Caveat]:
    return list(quality_caveats(bars, "stocks", scheduled))


def codes(bars: Bars, scheduled: bool = True) -> list[tuple[str, str | None, int | None]]:
    return [(each.code, each.subject, each.count) for each in told(bars, scheduled)]


@pytest.mark.parametrize(
    ("new", "old"), [(2, 1), (3, 1), (7, 1), (20, 1), (3, 2), (5, 4), (1, 4), (1, 10), (1, 100)]
)
def test_a_split_that_is_not_worked_into_the_prices_is_told(new: int, old: int) -> None:
    closes, volumes = swings(), np.full(120, 1000.0)
    closes[60:] *= old / new
    volumes[60:] *= new / old
    (caveat,) = told(panel(closes, volumes))
    kind = "split" if new > old else "reverse split"
    when = days(120)[60]
    assert f"{utc_text(when)}, like a {new}:{old} {kind} that" in caveat.sentence
    assert caveat == Caveat("split_like_jump", caveat.sentence, "A", when, when, 1)


def test_two_splits_of_one_symbol_are_one_caveat_with_both_dates() -> None:
    closes = swings()
    closes[40:] /= 2
    closes[90:] /= 3
    (caveat,) = told(panel(closes))
    assert (caveat.code, caveat.count) == ("split_like_jump", 2)
    assert (caveat.first, caveat.last) == (days(120)[40], days(120)[90])
    assert caveat.sentence.endswith(f"(1 more until {utc_text(int(days(120)[90]))}).")


def test_a_fall_by_a_fifth_on_many_times_the_usual_trading_is_news() -> None:
    closes, volumes = swings(), np.full(120, 1000.0)
    closes[60:] *= 0.8
    assert codes(panel(closes, volumes)) == [("split_like_jump", "A", 1)]
    volumes[60] = 6000
    assert codes(panel(closes, volumes)) == []


def test_a_wrong_price_that_is_taken_back_is_an_outlier_and_no_split() -> None:
    closes = swings()
    closes[60] *= 10
    assert codes(panel(closes)) == [("outlier", "A", 2)]
    assert one(closes).jumps.outliers.tolist() == days(120)[60:62].tolist()


def test_a_jump_far_beyond_the_usual_return_is_told() -> None:
    closes = swings()
    closes[60:] *= 1.15
    assert codes(panel(closes)) == [("outlier", "A", 1)]


def test_a_wild_stretch_is_measured_by_itself() -> None:
    steps = np.random.default_rng(3).normal(0.0, 0.002, 1000)
    steps[500:560] *= 15
    assert codes(panel(100 * np.exp(np.cumsum(steps)))) == []


def test_holes_are_counted_where_another_symbol_has_a_bar() -> None:
    closes = np.stack([swings(seed=1), swings(seed=2)], axis=1)
    closes[[20, 21, 50], 0] = NAN
    closes[80] = NAN
    found = examine(panel(closes)).symbols[0]
    assert (found.bars, found.longest_gap) == (116, 2)
    assert found.missing.tolist() == days(120)[[20, 21, 50]].tolist()
    sessions, holes = told(panel(closes))
    assert (sessions.code, sessions.subject, sessions.count) == ("missing_sessions", "stocks", 1)
    assert (holes.code, holes.subject, holes.count) == ("missing_bars", "A", 3)
    assert (holes.first, holes.last) == (days(120)[20], days(120)[50])
    assert "3 closes between its first and last bar have none, at most 2 in a row" in holes.sentence


def test_a_symbol_that_comes_later_or_goes_earlier_is_told() -> None:
    closes = np.stack([swings(seed=1), swings(seed=2)], axis=1)
    closes[:30, 0] = NAN
    closes[100:, 1] = NAN
    assert codes(panel(closes)) == [("late_begin", "A", 30), ("early_end", "B", 20)]


def test_a_symbol_without_any_bar_is_told() -> None:
    closes = np.stack([swings(), np.full(120, NAN)], axis=1)
    assert codes(panel(closes)) == [("no_bars", "B", 120)]
    assert not examine(panel(closes)).symbols[1].is_clean


def test_runs_without_volume_and_repeated_bars_are_told_single_ones_are_not() -> None:
    closes, volumes = swings(), np.full(120, 1000.0)
    volumes[[5, 30, 31, 32, 33]] = 0
    closes[60:64] = closes[60]
    closes[81] = closes[80]
    assert codes(panel(closes, volumes)) == [("zero_volume", "A", 4), ("stale_prices", "A", 3)]
    assert one(closes, volumes).zero_volume.tolist() == days(120)[30:34].tolist()
    assert one(closes, volumes).stale.tolist() == days(120)[61:64].tolist()


def test_a_series_without_volumes_says_so_once() -> None:
    (caveat,) = told(panel(swings(), np.zeros(120)))
    assert caveat.sentence.startswith("A: 120 bars have no volume, which is all of them, the first")


@pytest.mark.parametrize("weekend", [False, True])
def test_without_a_calendar_a_pause_beyond_the_usual_ones_is_a_missing_session(
    weekend: bool,
) -> None:
    kept = np.r_[:60, 75:120]
    whole = days(120, weekend)
    assert codes(panel(swings(), times=whole), scheduled=False) == []
    bars = panel(swings()[kept], times=whole[kept])
    (caveat,) = told(bars, scheduled=False)
    assert (caveat.code, caveat.first, caveat.last) == ("missing_sessions", whole[59], whole[75])
    assert codes(bars) == []


def test_clean_and_short_bars_are_clean() -> None:
    assert one(swings()).is_clean
    for closes in ([100.0], [100.0, 150.0], [100.0, 101.0, 99.0]):
        assert codes(panel(np.array(closes)), scheduled=False) == []


def test_strict_names_the_first_doubt_and_counts_the_others() -> None:
    refuse_doubtful(())
    closes = swings()
    closes[60:] /= 2
    with pytest.raises(DoubtfulBars, match=r"strict .*, but A: the close goes .* prices$"):
        refuse_doubtful(told(panel(closes)))
    closes[90:95] = closes[90]
    with pytest.raises(DoubtfulBars, match=r"; 1 more of this kind or others were found$") as error:
        refuse_doubtful(told(panel(closes)))
    assert [each.code for each in error.value.doubts] == ["split_like_jump", "stale_prices"]
