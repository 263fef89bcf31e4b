"""The Parquet store: one file per symbol, `root/<universe>/<timeframe>/<symbol>.parquet`.

Rows are sorted by close time; `timestamp` is int64 UTC ns (a Parquet timestamp), prices and volume
are float64, compression is zstd; missing bars have no row. The file's metadata tells the source and
whether prices are adjusted. A file is replaced by renaming a complete, synced one over it, so a
reader, or a crash at any instruction, sees the old file or the new one. One writer per universe.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from stratvector.market.provenance import Loaded, Provenance
from stratvector.market.timeframes import timeframe as parse_timeframe
from stratvector.trading.bars import FIELDS, Bars
from stratvector.trading.timestamps import utc_text

if TYPE_CHECKING:
    import polars as pl

_METADATA_KEY = "stratvector"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class StoreError(ValueError):
    """The store cannot do what was asked.

    StoreError(ValueError)
    ├── BadUniverseName    a universe whose name makes no safe folder
    ├── NotStored          symbols that the store has no file of
    ├── DamagedFile        a file that is not a store's file
    ├── RevisedBar         a bar that is stored with other values
    └── MixedProvenance    adjusted prices to be joined to raw ones, or two sources
    """


class BadUniverseName(StoreError):
    """A universe whose name makes no safe folder."""

    def __init__(self, universe: str) -> None:
        self.universe = universe
        super().__init__(
            f"universe {universe!r} makes no folder: use letters, digits, '_', '-' and '.' only"
        )


class NotStored(StoreError):
    """Symbols that the store has no file of."""

    def __init__(self, folder: Path, symbols: tuple[str, ...]) -> None:
        self.folder, self.symbols = folder, symbols
        super().__init__(f"the store has no bars of {', '.join(symbols)} in {folder}")


class DamagedFile(StoreError):
    """A file that is not a store's file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} is not a file of the store: {reason}")


class RevisedBar(StoreError):
    """A bar that is stored with other values."""

    def __init__(self, symbol: str, close_time: int, field: str, stored: float, new: float) -> None:
        self.symbol, self.close_time, self.field = symbol, close_time, field
        self.stored, self.new = stored, new
        super().__init__(
            f"{symbol} at {utc_text(close_time)}: {field} is stored as {stored!r} and would become "
            f"{new!r}; append with revise=True when the source has corrected it"
        )


class MixedProvenance(StoreError):
    """Adjusted prices to be joined to raw ones, or two sources."""

    def __init__(self, symbol: str, stored: Provenance, new: Provenance) -> None:
        self.symbol, self.stored, self.new = symbol, stored, new
        super().__init__(
            f"{symbol} is stored from {_told(stored)} and cannot be joined with {_told(new)}: "
            "write it anew instead"
        )


@dataclass(frozen=True)
class BarStore:
    """Bars on disk, by universe, timeframe and symbol."""

    root: Path

    def write(self, universe: str, timeframe: str, loaded: Loaded) -> None:
        """Replace what is stored of the loaded symbols. Raises BadUniverseName."""
        for symbol, rows in _by_symbol(loaded.bars):
            _replace(self._path(universe, timeframe, symbol), rows, loaded.provenance)

    def append(self, universe: str, timeframe: str, loaded: Loaded, revise: bool = False) -> None:
        """Merge bars into what is stored; bars that are stored already change nothing.

        revise : let differing values replace stored ones. Without it they raise RevisedBar, and
        nothing is written. Raises MixedProvenance and BadUniverseName.
        """
        merged = []
        for symbol, rows in _by_symbol(loaded.bars):
            path = self._path(universe, timeframe, symbol)
            if path.is_file():
                stored, provenance = _open(path)
                _refuse_mixture(symbol, provenance, loaded.provenance)
                if not revise:
                    _refuse_revision(symbol, stored, rows)
                rows = _merged(stored, rows)
            merged.append((path, rows))
        for path, rows in merged:
            _replace(path, rows, loaded.provenance)

    def read(
        self,
        universe: str,
        timeframe: str,
        symbols: Sequence[str] | None = None,
        start: int | None = None,
        end: int | None = None,
    ) -> Loaded:
        """Bars whose close lies in start ≤ t ≤ end (UTC ns), of all stored symbols by default.

        Symbols come in the asked order. A range without any bar has no rows.
        Raises NotStored and DamagedFile.
        """
        chosen = tuple(symbols) if symbols is not None else self.symbols(universe, timeframe)
        folder = self._folder(universe, timeframe)
        absent = tuple(s for s in chosen if not self._path(universe, timeframe, s).is_file())
        if absent or not chosen:
            raise NotStored(folder, absent or ("any symbol",))
        opened = {name: _open(self._path(universe, timeframe, name)) for name in chosen}
        bars = _panel({name: rows for name, (rows, _) in opened.items()}).select(chosen)
        first = bars.close_times[0] if start is None else start
        last = bars.close_times[-1] if end is None else end
        provenance = _joined([known for _, known in opened.values()])
        return Loaded(bars.between(int(first), int(last)), provenance)

    def series(self) -> tuple[tuple[str, str], ...]:
        """The universes and timeframes that hold a file, in alphabetical order."""
        folders = {path.parent for path in Path(self.root).glob("*/*/*.parquet")}
        return tuple(sorted((folder.parent.name, folder.name) for folder in folders))

    def symbols(self, universe: str, timeframe: str) -> tuple[str, ...]:
        """The stored symbols, in alphabetical order."""
        found = self._folder(universe, timeframe).glob("*.parquet")
        return tuple(sorted(unquote(path.stem) for path in found))

    def _folder(self, universe: str, timeframe: str) -> Path:
        if not _NAME.fullmatch(universe):
            raise BadUniverseName(universe)
        return Path(self.root) / universe / parse_timeframe(timeframe).name

    def _path(self, universe: str, timeframe: str, symbol: str) -> Path:
        # Symbols such as BTC/USDT hold characters that a file name must not.
        return self._folder(universe, timeframe) / f"{quote(symbol, safe='')}.parquet"


def _by_symbol(bars: Bars) -> "list[tuple[str, pl.DataFrame]]":
    """Each symbol's bars that are there, as rows in time order."""
    import polars as pl

    tables = []
    for column, symbol in enumerate(bars.symbols):
        there = ~np.isnan(bars.close[:, column])
        data: dict[str, Any] = {"timestamp": bars.close_times[there]}
        data |= {name: getattr(bars, name)[there, column] for name in FIELDS}
        rows = pl.DataFrame(data).with_columns(pl.col("timestamp").cast(pl.Datetime("ns", "UTC")))
        tables.append((symbol, rows))
    return tables


def _panel(tables: "dict[str, pl.DataFrame]") -> Bars:
    import polars as pl

    return Bars.from_frame(
        pl.concat([rows.with_columns(symbol=pl.lit(name)) for name, rows in tables.items()])
    )


def _open(path: Path) -> "tuple[pl.DataFrame, Provenance]":
    import polars as pl

    try:
        rows = pl.read_parquet(path)
        known = json.loads(pl.read_parquet_metadata(path)[_METADATA_KEY])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DamagedFile(path, str(error).splitlines()[0].rstrip(".")) from error
    except (KeyError, json.JSONDecodeError):
        raise DamagedFile(path, "it does not tell its source") from None
    return rows, Provenance(**known | {"notes": tuple(known["notes"])})


def _replace(path: Path, rows: "pl.DataFrame", provenance: Provenance) -> None:
    """Write a complete file beside the old one, then rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            known = {_METADATA_KEY: json.dumps(asdict(provenance))}
            rows.write_parquet(file, compression="zstd", metadata=known)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # The rename itself must survive a power cut, and it is the folder that records it.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _merged(stored: "pl.DataFrame", rows: "pl.DataFrame") -> "pl.DataFrame":
    return stored.join(rows, on="timestamp", how="anti").vstack(rows).sort("timestamp")


def _refuse_revision(symbol: str, stored: "pl.DataFrame", rows: "pl.DataFrame") -> None:
    both = stored.join(rows, on="timestamp", how="inner", suffix="_new").sort("timestamp")
    for name in FIELDS:
        changed = both.filter(both[name] != both[f"{name}_new"])
        if len(changed):
            time = int(changed["timestamp"].dt.epoch("ns")[0])
            old, new = changed[name][0], changed[f"{name}_new"][0]
            raise RevisedBar(symbol, time, name, old, new)


def _refuse_mixture(symbol: str, stored: Provenance, new: Provenance) -> None:
    if (stored.source, stored.adjusted) != (new.source, new.adjusted):
        raise MixedProvenance(symbol, stored, new)


def _joined(known: list[Provenance]) -> Provenance:
    """What holds for several symbols together: a caveat of one is a caveat of all."""
    return Provenance(
        source=", ".join(sorted({each.source for each in known})),
        adjusted=any(each.adjusted for each in known),
        survivors=any(each.survivors for each in known),
        notes=tuple(dict.fromkeys(note for each in known for note in each.notes)),
    )


def _told(provenance: Provenance) -> str:
    return f"{provenance.source} ({'adjusted' if provenance.adjusted else 'raw'} prices)"
