"""replay_store: bars that replays publish, on market_data's own disk, each panel under its hash.

    <folder>/<hash>/times.npy    int64[T, 2]: when each bar closed and opened, warm-up first
    <folder>/<hash>/values.npy   float64[T, 5, S]: open, high, low, close, volume

A panel is there whole or not at all, and what lies there is held against its hash before any of it
is published.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from stratvector.trading.bars import FIELDS, Bars, ClosedBars
from stratvector.trading.chapters import BarsHash
from stratvector.trading.portfolio import Universe
from stratvector.trading.timestamps import Nanoseconds

TIMES, VALUES = "times.npy", "values.npy"
HASH = re.compile("[0-9a-f]{64}")
DRAFT, LOCK = ".draft", ".lock"
CHUNK_ROWS = 256


class BadPanel(ValueError):
    """What lies in the store is not what was put there; the message is one sentence."""


class Recording(Protocol):
    """The bars of one universe, warm-up first."""

    @property
    def hash(self) -> str:
        """Of all of them, see `trading.chapters`."""

    @property
    def close_times(self) -> Nanoseconds:
        """ns UTC, increasing."""

    def sections(self, after: int) -> Iterator[ClosedBars]:
        """Cross-sections later than a close (ns UTC), in order."""


class ReplayStore:
    """Panels by hash, put there by one writer at a time. folder : made when the first is put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, hash: str) -> bool:
        """Whether a panel lies there. Raises BadPanel for what is no hash."""
        return self._place(hash).is_dir()

    def put(self, bars: Bars, open_times: Nanoseconds) -> str:
        """Put a panel there, so that it survives the machine; its hash. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / DRAFT
        with self._only_writer():
            # Of a writer that was killed: a living one would hold the lock.
            rmtree(draft, ignore_errors=True)
            draft.mkdir()
            try:
                hash = _write(draft, bars, open_times)
                if not self.has(hash):
                    draft.rename(self._place(hash))
            finally:
                rmtree(draft, ignore_errors=True)
            _sync(self.folder)
        return hash

    def remove(self, hash: str) -> None:
        """Forget a panel."""
        rmtree(self._place(hash))

    def open(self, hash: str, universe: Universe) -> "StoredPanel":
        """A panel as the bars of a universe, held against its hash. Raises BadPanel."""
        panel = StoredPanel(self._place(hash), hash, universe)
        panel.verify()
        return panel

    def _place(self, hash: str) -> Path:
        # It comes from a message, and a path is made of it.
        if not HASH.fullmatch(hash):
            raise BadPanel(f"{hash!r} is no hash of bars: it must be 64 hexadecimal digits")
        return self.folder / hash

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        """The kernel lets go of the lock when a writer dies."""
        with (self.folder / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class StoredPanel:
    """A panel on disk; a few hundred rows are in memory at a time, however long it is."""

    folder: Path
    hash: str
    universe: Universe

    @property
    def close_times(self) -> Nanoseconds:
        """ns UTC, increasing."""
        return self._times[:, 0]

    def sections(self, after: int) -> Iterator[ClosedBars]:
        """Cross-sections later than a close (ns UTC), in order."""
        times = self._times
        first = int(np.searchsorted(times[:, 0], after, side="right"))
        for begin in range(first, len(times), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            values = self._values()[rows].copy()
            next_closes = [*times[begin + 1 : rows.stop + 1, 0].tolist(), 0][: len(values)]
            for (closed, opened), next_close, row in zip(
                times[rows].tolist(), next_closes, values, strict=True
            ):
                yield ClosedBars(
                    self.universe.name,
                    self.universe.timeframe,
                    closed,
                    self.universe.symbols,
                    **dict(zip(FIELDS, row, strict=True)),
                    open_time=opened,
                    next_close=next_close,
                )

    def verify(self) -> None:
        """Hold what lies there against its hash. Raises BadPanel."""
        times, values, folded = self._times, self._values(), BarsHash()
        for begin in range(0, len(times), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            folded.add(times[rows], values[rows])
        if folded.hex() != self.hash:
            raise BadPanel(f"{self.folder}: the bars are not those that were put there")

    @cached_property
    def _times(self) -> NDArray[np.int64]:
        place = self.folder / TIMES
        times = np.array(_array(place))
        if times.dtype != np.int64 or times.ndim != 2 or times.shape[1] != 2:
            found = f"{times.dtype}{list(times.shape)}"
            raise BadPanel(f"{place}: it holds {found} instead of int64[T, 2]")
        return times

    def _values(self) -> NDArray[np.float64]:
        """Mapped anew, so that only what is asked for is read, and read pages can go."""
        place = self.folder / VALUES
        values = _array(place)
        shape = (len(self._times), len(FIELDS), len(self.universe.symbols))
        if values.dtype != np.float64 or values.shape != shape:
            found = f"{values.dtype}{list(values.shape)}"
            raise BadPanel(f"{place}: it holds {found} instead of float64{list(shape)}")
        return values


def _write(draft: Path, bars: Bars, open_times: Nanoseconds) -> str:
    """Write both files a few hundred rows at a time; the hash of what they hold."""
    folded, times = BarsHash(), np.stack([bars.close_times, open_times], axis=1)
    with (draft / TIMES).open("xb") as times_file, (draft / VALUES).open("xb") as values_file:
        _head(times_file, "<i8", (len(bars), 2))
        _head(values_file, "<f8", (len(bars), len(FIELDS), len(bars.symbols)))
        for begin in range(0, len(bars), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            values = np.stack([getattr(bars, field)[rows] for field in FIELDS], axis=1)
            folded.add(times[rows], values)
            times_file.write(times[rows].astype("<i8").tobytes())
            values_file.write(values.astype("<f8").tobytes())
        for file in (times_file, values_file):
            file.flush()
            os.fsync(file.fileno())
    _sync(draft)
    return folded.hex()


def _head(file: BinaryIO, kind: str, shape: tuple[int, ...]) -> None:
    write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})


def _sync(folder: Path) -> None:
    """Let the names in a folder survive the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _array(place: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(place, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001  an edited header ends in anything inside numpy
        why = str(error).partition("\n")[0]
        raise BadPanel(f"{place}: the bars can't be read: {why}") from None
    return array
