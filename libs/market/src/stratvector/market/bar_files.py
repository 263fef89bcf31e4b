"""Bars from CSV and Parquet files of any dialect, or one sentence that says why not.

A path is a file, a folder of files, or a pattern with `{symbol}`. Files whose rows are all good
become bars; bad rows refuse the whole, every kind named at once, unless a repair was asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from stratvector.market.bar_rows import BarRows, judged_rows
from stratvector.market.bar_sources import (
    BadFile,
    BarSource,
    UnfitFile,
    sources_of,
    suffix_of,
)
from stratvector.market.calendars import ALWAYS_OPEN
from stratvector.market.csv_rows import read_csv_rows
from stratvector.market.judgement import Judgement, Mask, by_kind
from stratvector.market.parquet_columns import parquet_names, read_parquet_columns
from stratvector.market.read_options import ReadOptions
from stratvector.market.reading_report import (
    DUPLICATE,
    RAGGED,
    BadRows,
    ReadingReport,
    RefusedRows,
)
from stratvector.trading.bad_bars import BadBars, BadSymbol, DuplicateBar, EmptyBars, MissingColumn
from stratvector.trading.bars import COLUMNS, FIELDS, Bars
from stratvector.trading.header import choose

if TYPE_CHECKING:
    import polars as pl


def read_bars(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    tz: str | None = None,
    date_format: str | None = None,
    times: Literal["close", "open"] = "close",
    timeframe: str | None = None,
    calendar_name: str = ALWAYS_OPEN,
    symbol: str | None = None,
    drop: tuple[str, ...] = (),
    keep: Literal["first", "last"] | None = None,
) -> Bars:
    """Bars of files with timestamp (UTC), symbol, open, high, low, close and volume.

    path : a .csv, .csv.gz or .parquet file, a folder of them, or a pattern such as
        "data/{symbol}.csv", whose files need no column of symbols.
    The other arguments : see `ReadOptions`.
    Raises BadFile, RefusedRows and the other kinds of BadBars; BadOption, UnknownTimeframe and
    BadCalendar.
    """
    options = ReadOptions(
        columns=columns or {},
        tz=tz,
        date_format=date_format,
        times=times,
        timeframe=timeframe,
        calendar_name=calendar_name,
        symbol=symbol,
        drop=drop,
        keep=keep,
    )
    return read_bars_reported(path, options)[0]


def read_bars_reported(
    path: str | Path, options: ReadOptions, wanted: Sequence[str] | None = None
) -> tuple[Bars, ReadingReport]:
    """The bars of `read_bars`, and what was found and repaired on the way; raises the same.

    wanted : where a pattern names files by symbol, the symbols whose files are read; None: all.
    """
    sources = sources_of(path, wanted)
    files = [_read(source, options) for source in sources]
    fine, duplicates = _without_duplicates(files, options.keep)
    found = [bad for file in files for bad in file.judgement.found] + duplicates
    removed = (*options.drop, *((DUPLICATE,) if options.keep else ()))
    report = ReadingReport(
        tuple(source.path for source in sources),
        rows=sum(len(file.judgement.numbers) for file in files),
        missing=sum(int(file.is_missing().sum()) for file in files),
        bad=by_kind(found, removed),
    )
    if any(not each.removed for each in report.bad):
        raise RefusedRows(str(path), report)
    if not fine.any():
        raise UnfitFile(Path(path), EmptyBars())
    return _bars(files, fine), report


@dataclass(frozen=True, eq=False)
class _File:
    """One file's rows and what was judged of them."""

    rows: BarRows
    judgement: Judgement

    def is_missing(self) -> Mask:
        return np.isnan(self.rows.values["close"]) & self.judgement.fine


def _read(source: BarSource, options: ReadOptions) -> _File:
    try:
        if suffix_of(source.path) == ".parquet":
            table, judgement = _parquet_table(source, options)
        else:
            table, judgement = _csv_table(source, options)
        return _File(judged_rows(table, options, judgement), judgement)
    except BadFile:
        raise
    except BadBars as error:
        raise UnfitFile(source.path, error) from error


def _csv_table(source: BarSource, options: ReadOptions) -> "tuple[pl.DataFrame, Judgement]":
    rows = read_csv_rows(source.path)
    places = _places(rows.header, source, options)
    judgement = Judgement(source.path, rows.numbers)
    width = len(rows.header)
    judgement.refuse(
        RAGGED,
        rows.fields > 0,
        lambda row: f"it has {rows.fields[row]} fields, but the header has {width}",
    )
    columns = {ours: rows.frame[str(at)] for ours, at in places.items()}
    return _table(columns, source, options), judgement


def _parquet_table(source: BarSource, options: ReadOptions) -> "tuple[pl.DataFrame, Judgement]":
    names = parquet_names(source.path)
    places = _places(names, source, options)
    frame = read_parquet_columns(source.path, [names[at] for at in places.values()])
    judgement = Judgement(source.path, np.arange(1, len(frame) + 1, dtype=np.int64))
    columns = {ours: frame[names[at]] for ours, at in places.items()}
    return _table(columns, source, options), judgement


def _places(names: Sequence[str], source: BarSource, options: ReadOptions) -> dict[str, int]:
    """Positions of our columns; symbol is absent where the path or an option names it."""
    known = options.symbol or source.name
    if options.symbol and source.is_symbol_certain:
        raise BadSymbol(options.symbol, "the path names the symbol, so nothing reads symbol=")
    try:
        places = choose(names, ("symbol",), options.columns)
    except MissingColumn:
        if known is None or "symbol" in options.columns:
            # The other columns' names say more when they are missing too.
            choose(names, COLUMNS, options.columns)
            raise
        places = {}
    if places and options.symbol:
        rule = "the file has a column of symbols, so nothing reads symbol="
        raise BadSymbol(options.symbol, rule)
    return places | choose(names, [name for name in COLUMNS if name != "symbol"], options.columns)


def _table(
    columns: "dict[str, pl.Series]", source: BarSource, options: ReadOptions
) -> "pl.DataFrame":
    import polars as pl

    table = pl.DataFrame([column.alias(ours) for ours, column in columns.items()])
    if not len(table):
        raise EmptyBars
    if "symbol" not in columns:
        return table.with_columns(symbol=pl.lit(options.symbol or source.name, pl.String))
    if source.is_symbol_certain and table["symbol"].dtype == pl.String:
        others = set(table["symbol"].str.strip_chars().unique().to_list()) - {source.name}
        if others:
            rule = f"the file's name says {source.name!r}"
            raise BadSymbol(min(others, key=str), rule)
    return table


def _without_duplicates(
    files: list[_File], keep: Literal["first", "last"] | None
) -> tuple[Mask, list[BadRows]]:
    """Which rows of all files, in their order, become bars; and those that repeat one of them."""
    import polars as pl

    fine = np.concatenate([file.judgement.fine for file in files])
    keys = pl.concat(
        [pl.DataFrame({"symbol": f.rows.symbols, "stamp": f.rows.stamps}) for f in files]
    )
    rows = keys.with_row_index("at").filter(fine)
    kept = rows.unique(["symbol", "stamp"], keep=keep or "first")["at"].to_numpy()
    chosen = np.zeros(len(fine), dtype=np.bool_)
    chosen[kept] = True
    found: list[BadRows] = []
    begin = 0
    for file in files:
        span = slice(begin, begin + len(file.judgement.fine))
        begin = span.stop
        again = Judgement(file.judgement.path, file.judgement.numbers)
        again.refuse(DUPLICATE, fine[span] & ~chosen[span], _repeated(file))
        found += again.found
    return chosen, found


def _repeated(file: _File) -> Callable[[int], str]:
    return lambda row: str(DuplicateBar(str(file.rows.symbols[row]), int(file.rows.stamps[row])))


def _bars(files: list[_File], fine: Mask) -> Bars:
    import polars as pl

    stamps = np.concatenate([file.rows.stamps for file in files])[fine]
    symbols = pl.concat([file.rows.symbols for file in files]).filter(fine)
    values = (np.concatenate([file.rows.values[name] for file in files])[fine] for name in FIELDS)
    return Bars.from_columns(stamps.view("datetime64[ns]"), symbols.to_numpy(), *values)
