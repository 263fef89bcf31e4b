"""Bars on their way into the Parquet store: read, examined, repaired only where asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stratvector.market.alignment import align
from stratvector.market.bar_files import read_bars_reported
from stratvector.market.bar_sources import UnfitFile
from stratvector.market.calendars import calendar
from stratvector.market.provenance import Loaded, Provenance
from stratvector.market.read_options import ReadOptions
from stratvector.market.reading_report import DROPPABLE, ReadingReport, RefusedRows
from stratvector.market.store import BarStore
from stratvector.trading.bars import Bars
from stratvector.trading.caveats import Caveat
from stratvector.trading.quality import quality_caveats
from stratvector.trading.timestamps import utc_text


@dataclass(frozen=True)
class Target:
    """Where imported bars go. source : what the store calls where they come from."""

    store: Path
    universe: str
    timeframe: str
    source: str
    adjusted: bool


@dataclass(frozen=True, eq=False)
class Read:
    """Bars of one path, what reading found, and what is doubtful about them.

    bars : None where no good row is left.
    """

    path: Path
    bars: Bars | None
    report: ReadingReport
    doubts: tuple[Caveat, ...]

    @property
    def is_clean(self) -> bool:
        """Whether there is no bad row and no doubt."""
        return not self.report.bad and not self.doubts

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "path": str(self.path),
            "rows": self.report.rows,
            "missing": self.report.missing,
            "bad": [
                {
                    "kind": each.kind,
                    "count": each.count,
                    "removed": each.removed,
                    "examples": [str(example) for example in each.examples],
                }
                for each in self.report.bad
            ],
            "symbols": [] if self.bars is None else list(symbols_of(self.bars)),
            "quality": [each.document() for each in self.doubts],
        }


def symbols_of(bars: Bars) -> Iterator[dict[str, Any]]:
    """Each symbol's first and last bar and how many it has."""
    for column, symbol in enumerate(bars.symbols):
        times = bars.close_times[bars.close[:, column] == bars.close[:, column]]
        ends = (utc_text(int(times[0])), utc_text(int(times[-1]))) if len(times) else (None, None)
        yield {"symbol": symbol, "first": ends[0], "last": ends[1], "bars": len(times)}


def read_paths(
    paths: Sequence[Path], options: ReadOptions, calendar_name: str | None
) -> list[Read]:
    """Files, folders or patterns, each with its report. Raises BadBars and BadOption.

    calendar_name : where it is given, holes are looked for on its closes.
    """
    return [_read(path, options, calendar_name) for path in paths]


def examine_paths(
    paths: Sequence[Path], options: ReadOptions, calendar_name: str | None
) -> list[Read]:
    """As `read_paths`, but bad rows are counted instead of refused."""
    lenient = replace(options, drop=DROPPABLE, keep=options.keep or "first")
    asked = set(options.drop) | ({"duplicate"} if options.keep else set())
    found = []
    for path in paths:
        try:
            one = _read(path, lenient, calendar_name)
        except UnfitFile:
            # Where no good row is left, the strict reader tells of the bad ones.
            try:
                one = _read(path, options, calendar_name)
            except RefusedRows as refused:
                one = Read(path, None, refused.report, ())
        bad = tuple(replace(each, removed=each.kind in asked) for each in one.report.bad)
        found.append(replace(one, report=replace(one.report, bad=bad)))
    return found


def import_bars(found: Sequence[Read], target: Target, revise: bool) -> None:
    """Append what was read to the store. Raises StoreError before anything of a path is written."""
    store = BarStore(target.store)
    for one in found:
        if one.bars is not None:
            notes = tuple(f"{one.path.name}: {each}" for each in one.report.sentences())
            provenance = Provenance(target.source, target.adjusted, notes=notes)
            loaded = Loaded(one.bars, provenance)
            store.append(target.universe, target.timeframe, loaded, revise)


def stored(
    store: Path, universe: str | None = None, timeframe: str | None = None
) -> list[tuple[str, str, Loaded]]:
    """Everything in a store, or one universe or timeframe of it. Raises StoreError."""
    bars = BarStore(store)
    return [
        (name, step, bars.read(name, step))
        for name, step in bars.series()
        if universe in (None, name) and timeframe in (None, step)
    ]


def doubts_of(
    bars: Bars, name: str, timeframe: str | None, calendar_name: str | None
) -> tuple[Caveat, ...]:
    """What is doubtful about bars, on a calendar's closes where one is given. Raises BadBars."""
    if calendar_name is None or timeframe is None:
        return quality_caveats(bars, name, scheduled=False)
    first, last = int(bars.close_times[0]), int(bars.close_times[-1])
    closes = calendar(calendar_name).closes(first, last, timeframe)
    return quality_caveats(align(bars, closes), name)


def _read(path: Path, options: ReadOptions, calendar_name: str | None) -> Read:
    bars, report = read_bars_reported(path, options)
    doubts = doubts_of(bars, path.name, options.timeframe, calendar_name)
    return Read(path, bars, report, doubts)
