"""What an examination found, as caveats: one for each kind and symbol, with dates and a count."""

from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from stratvector.trading.bad_bars import BadBars
from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.quality.examination import (
    SILENT_BARS_MIN,
    Quality,
    SymbolQuality,
    examine,
)
from stratvector.trading.quality.jumps import OUTLIER_SIGMAS
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds, utc_text


class DoubtfulBars(BadBars):
    """Bars with flaws where `strict` allows none; `doubts` holds all of them."""

    def __init__(self, doubts: Sequence[Caveat]) -> None:
        self.doubts = tuple(doubts)
        others = len(doubts) - 1
        more = f"; {others} more of this kind or others were found" if others else ""
        super().__init__(
            f"strict data quality is asked for, but {doubts[0].sentence.rstrip('.')}{more}"
        )


def refuse_doubtful(doubts: Sequence[Caveat]) -> None:
    """Raise DoubtfulBars where there is any doubt."""
    if doubts:
        raise DoubtfulBars(doubts)


# Many strategies are run over the same bars, and an examination costs more than a run.
_known: WeakKeyDictionary[Bars, dict[tuple[str, bool], tuple[Caveat, ...]]] = WeakKeyDictionary()


def quality_caveats(bars: Bars, universe: str, scheduled: bool = True) -> tuple[Caveat, ...]:
    """What is doubtful about bars; nothing where they are clean. The same bars are examined once.

    universe : what to call the panel as a whole. scheduled : as in `examine`.
    """
    known = _known.setdefault(bars, {})
    if (universe, scheduled) not in known:
        known[universe, scheduled] = _examined(bars, universe, scheduled)
    return known[universe, scheduled]


def _examined(bars: Bars, universe: str, scheduled: bool) -> tuple[Caveat, ...]:
    quality = examine(bars, scheduled)
    found = [*_of_panel(quality, universe)]
    for symbol in quality.symbols:
        found += _of_symbol(symbol, bars)
    return tuple(found)


def _of_panel(quality: Quality, universe: str) -> Iterator[Caveat]:
    if len(closes := quality.sessions):
        sentence = (
            f"{universe}: no symbol has a bar at {_counted(closes, 'close')} of the schedule, "
            f"{_when(closes)}."
        )
        yield _caveat("missing_sessions", sentence, universe, closes)
    if len(pauses := quality.pauses):
        longest = pauses[int(np.argmax(pauses[:, 1] - pauses[:, 0]))]
        days = float(longest[1] - longest[0]) / NANOSECONDS_PER_DAY
        sentence = (
            f"{universe}: the closes pause longer than usual {len(pauses)} "
            f"time{'s' if len(pauses) > 1 else ''}, the longest for {days:.4g} days "
            f"from {utc_text(longest[0])} to {utc_text(longest[1])}."
        )
        first, last = int(pauses[0, 0]), int(pauses[-1, 1])
        yield Caveat("missing_sessions", sentence, universe, first, last, len(pauses))


def _of_symbol(found: SymbolQuality, bars: Bars) -> Iterator[Caveat]:
    if not found.bars:
        sentence = f"{found.symbol}: it has no bar at all."
        first, last = int(bars.close_times[0]), int(bars.close_times[-1])
        yield Caveat("no_bars", sentence, found.symbol, first, last, len(bars))
    yield from _ends(found, bars)
    yield from _jumps(found)
    silences = (
        ("missing_bars", found.missing, _missing(found)),
        ("zero_volume", found.zero_volume, _untraded(found)),
        ("stale_prices", found.stale, "repeat all prices of the bar before, in runs"),
    )
    for code, closes, what in silences:
        if len(closes):
            noun = "close" if code == "missing_bars" else "bar"
            sentence = f"{found.symbol}: {_counted(closes, noun)} {what}, {_when(closes)}."
            yield _caveat(code, sentence, found.symbol, closes)


def _ends(found: SymbolQuality, bars: Bars) -> Iterator[Caveat]:
    """A symbol that is listed later than others, or delisted before them."""
    if found.first is not None and found.before:
        when, begin = utc_text(found.first), int(bars.close_times[0])
        sentence = (
            f"{found.symbol}: its bars begin at {when}, {found.before:,} closes after others."
        )
        yield Caveat("late_begin", sentence, found.symbol, begin, found.first, found.before)
    if found.last is not None and found.after:
        when, end = utc_text(found.last), int(bars.close_times[-1])
        sentence = (
            f"{found.symbol}: bars end at {when}, {found.after:,} closes before others; what is "
            "held of it then keeps its last price."
        )
        yield Caveat("early_end", sentence, found.symbol, found.last, end, found.after)


def _untraded(found: SymbolQuality) -> str:
    if len(found.zero_volume) == found.bars:
        return "have no volume, which is all of them"
    return f"have no volume, in runs of {SILENT_BARS_MIN} and more"


def _missing(found: SymbolQuality) -> str:
    return f"between its first and last bar have none, at most {found.longest_gap} in a row"


def _jumps(found: SymbolQuality) -> Iterator[Caveat]:
    jumps = found.jumps
    if len(jumps.splits):
        before, after = jumps.split_closes[0]
        (new, old), when = jumps.ratios[0], utc_text(jumps.splits[0])
        kind = "split" if new > old else "reverse split"
        sentence = (
            f"{found.symbol}: the close goes from {before:.10g} to {after:.10g} at {when}, like a "
            f"{new}:{old} {kind} that is not worked into the prices{_others(jumps.splits)}."
        )
        yield _caveat("split_like_jump", sentence, found.symbol, jumps.splits)
    if len(jumps.outliers):
        before, after = jumps.outlier_closes[0]
        sentence = (
            f"{found.symbol}: the close goes from {before:.10g} to {after:.10g} at "
            f"{utc_text(jumps.outliers[0])}, more than {OUTLIER_SIGMAS:g} times its usual "
            f"deviation, without the trading that news brings{_others(jumps.outliers)}."
        )
        yield _caveat("outlier", sentence, found.symbol, jumps.outliers)


def _caveat(code: str, sentence: str, subject: str, closes: Nanoseconds) -> Caveat:
    return Caveat(code, sentence, subject, int(closes[0]), int(closes[-1]), len(closes))


def _others(closes: Nanoseconds) -> str:
    count = len(closes) - 1
    return f" ({count} more until {utc_text(closes[-1])})" if count else ""


def _counted(closes: Nanoseconds, noun: str) -> str:
    return f"{len(closes):,} {noun}{'s' if len(closes) > 1 else ''}"


def _when(closes: Nanoseconds) -> str:
    if len(closes) == 1:
        return utc_text(closes[0])
    return f"the first at {utc_text(closes[0])} and the last at {utc_text(closes[-1])}"
