"""A universe's bars, ready for the flow: loaded, laid on the calendar, with their warm-up."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stratvector.market.alignment import align
from stratvector.market.bar_files import read_bars_reported
from stratvector.market.bar_sources import UnfitFile
from stratvector.market.calendars import calendar as calendar_of
from stratvector.market.instants import first_instant, last_instant
from stratvector.market.provenance import Loaded, Provenance, Scheduled
from stratvector.market.read_options import BadOption, ReadOptions
from stratvector.market.reading_report import ReadingReport
from stratvector.market.sources import sample
from stratvector.market.store import BarStore
from stratvector.trading.bad_bars import BadBars, MissingColumn
from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.quality import quality_caveats, refuse_doubtful
from stratvector.trading.schedule import Schedule, merge
from stratvector.trading.timestamps import Nanoseconds, utc_text

SAMPLE = "sample"
STORE = "store:"


class NoBarsInRange(BadBars):
    """A universe has no bar between the asked start and end."""

    def __init__(self, universe: str, start: int, end: int, had: Bars) -> None:
        self.universe, self.start, self.end = universe, start, end
        held = f"its bars run from {utc_text(int(had.close_times[0]))} to " + utc_text(
            int(had.close_times[-1])
        )
        super().__init__(
            f"universe {universe} has no bar from {utc_text(start)} to {utc_text(end)}: {held}"
        )


def load_universe(
    universe: str,
    symbols: Sequence[str],
    timeframe: str,
    calendar: str,
    source: str,
    start: int | str,
    end: int | str,
    warmup_closes: int = 0,
    strict: bool = False,
    reading: ReadOptions | None = None,
) -> Scheduled:
    """Scheduled bars from `warmup_closes` closes before the first close ≥ start to the last ≤ end.

    source : "sample", "store:<folder>", or what `read_bars` reads: a file, a folder, a pattern with
        {symbol}. A relative path starts at the working folder. Prices of files are taken as traded.
    reading : a file's dialect and the repairs that it needs. A file without symbols is the
        universe's, if that has one symbol. What repairs left out becomes a caveat.
    start, end : UTC ns, or a date or time as text; an end that is a date includes that whole day.
    warmup_closes : fewer when the source's bars begin later; the result tells how many.
    Symbols come in the given order; a scheduled close without a bar is a NaN row, also before the
    source begins and after it ends, which the caveats tell, as they tell what `trading.quality`
    finds in the bars. strict : refuse such bars instead, with DoubtfulBars.
    Raises the BadBars, BadCalendar, StoreError, SampleUnavailable, UnknownInstant of the parts, and
    NoBarsInRange.
    """
    first, last = _ends(start, end)
    found = _from_source(universe, symbols, timeframe, source, reading)
    if not len(found.bars.between(first, last)):
        raise NoBarsInRange(universe, first, last, found.bars)
    begin = min(first, int(found.bars.close_times[0]))
    times = calendar_of(calendar).times(begin, last, timeframe)
    trading = int(np.searchsorted(times.closes, first))
    warmup = min(trading, warmup_closes)
    closes, opens = times.closes[trading - warmup :], times.opens[trading - warmup :]
    bars = align(found.bars, closes)
    caveats = (*_empty_ends(universe, found.bars, closes), *quality_caveats(bars, universe))
    if strict:
        refuse_doubtful(caveats)
    return Scheduled(bars, found.provenance, opens, warmup, caveats)


def schedule(portfolio: Portfolio, start: int | str, end: int | str) -> Schedule:
    """The merged close times of a portfolio's universes in start ≤ t ≤ end, by their calendars.

    start, end : as in `load_universe`. Raises BadCalendar, UnknownTimeframe and UnknownInstant.
    """
    first, last = _ends(start, end)
    return merge(
        {
            universe.name: calendar_of(universe.calendar).closes(first, last, universe.timeframe)
            for universe in portfolio.universes
        }
    )


def _ends(start: int | str, end: int | str) -> tuple[int, int]:
    first = first_instant(start) if isinstance(start, str) else start
    return first, last_instant(end) if isinstance(end, str) else end


def _from_source(
    universe: str,
    symbols: Sequence[str],
    timeframe: str,
    source: str,
    reading: ReadOptions | None,
) -> Loaded:
    if reading is not None and (source == SAMPLE or source.startswith(STORE)):
        raise BadOption(f"source {source} is no file, so nothing reads how a file is to be read")
    if source == SAMPLE:
        return sample.load(symbols, timeframe)
    if source.startswith(STORE):
        return BarStore(Path(source.removeprefix(STORE))).read(universe, timeframe, symbols)
    bars, report = _from_files(symbols, source, reading or ReadOptions())
    notes = tuple(f"{source}: {sentence}" for sentence in report.sentences())
    return Loaded(bars.select(symbols), Provenance(source, adjusted=False, notes=notes))


def _from_files(
    symbols: Sequence[str], source: str, reading: ReadOptions
) -> tuple[Bars, ReadingReport]:
    try:
        return read_bars_reported(source, reading, symbols)
    except UnfitFile as error:
        cause = error.cause
        nameless = isinstance(cause, MissingColumn) and cause.column == "symbol"
        if not nameless or len(symbols) != 1 or reading.symbol is not None:
            raise
    return read_bars_reported(source, replace(reading, symbol=symbols[0]), symbols)


def _empty_ends(universe: str, bars: Bars, closes: Nanoseconds) -> tuple[Caveat, ...]:
    """Scheduled closes before the source's first and after its last bar."""
    first, last = int(bars.close_times[0]), int(bars.close_times[-1])
    before, after = int((closes < first).sum()), int((closes > last).sum())
    found = []
    if before:
        sentence = f"{universe}: bars begin at {utc_text(first)}, {before} closes after start."
        found.append(Caveat("late_begin", sentence, universe, int(closes[0]), first, before))
    if after:
        sentence = f"{universe}: bars end at {utc_text(last)}, {after} closes before end."
        found.append(Caveat("early_end", sentence, universe, last, int(closes[-1]), after))
    return tuple(found)
