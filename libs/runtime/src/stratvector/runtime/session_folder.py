"""session_folder: a session on disk, from which every process reads the same values.

    session.json                 the document (see `session_document`), and a hash of each
                                 universe's times and bars
    bars/<universe>.times.npy    int64[T, 2]: when each bar closed and opened, warm-up first
    bars/<universe>.values.npy   float64[T, 5, S]: open, high, low, close, volume

Written once, by whoever starts the session, after the user's configuration was checked. Whoever
reads it holds the times against their hash, and market_data the bars before it publishes any.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stratvector.runtime.session_document import BadSession, SessionDocument, canonical, document_of
from stratvector.trading.bars import FIELDS, BadBars, Bars, ClosedBars
from stratvector.trading.benchmark import Benchmark
from stratvector.trading.caveats import Caveat
from stratvector.trading.chapters import FIRST, BarsHash, Chapter, ChapterBars, hash_of_bars
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import BadSchedule, Schedule, merge

# Whole sessions and strategies load the compiler; most processes read only bars and portfolio.
if TYPE_CHECKING:
    from stratvector.trading.session import History, Session
    from stratvector.trading.strategy import Strategy

DOCUMENT = "session.json"
BARS = "bars"
CHUNK_ROWS = 256


def write_session(folder: Path, session: "Session") -> None:
    """Write a session to a folder that holds none. Raises BadSession or OSError.

    session.json comes last and whole: a folder without it holds nothing.
    """
    place = folder / DOCUMENT
    if place.exists():
        raise BadSession(f"{place}: a session is there already; it is never overwritten")
    (folder / BARS).mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name, history in session.histories.items():
        bars = history.bars
        times = np.stack([bars.close_times, history.open_times], axis=1)
        values = np.stack([getattr(bars, field) for field in FIELDS], axis=1)
        np.save(_times(folder, name), times)
        np.save(_values(folder, name), values)
        hashes[name] = {
            "times": _hash_of_times(times),
            "bars": hash_of_bars(bars, history.open_times),
        }
    try:
        text = json.dumps(document_of(session) | {"bars": hashes}, indent=1)
    except TypeError as error:
        raise BadSession(f"{place}: a strategy's parameter can't be written: {error}") from None
    draft = folder / f".{DOCUMENT}.draft"
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(place)


def _times(folder: Path, universe: str) -> Path:
    return folder / BARS / f"{universe}.times.npy"


def _values(folder: Path, universe: str) -> Path:
    return folder / BARS / f"{universe}.values.npy"


def _hash_of_times(times: NDArray[np.int64]) -> str:
    return hashlib.sha256(np.ascontiguousarray(times, np.dtype("<i8")).tobytes()).hexdigest()


@dataclass(frozen=True)
class RecordedSession:
    """A session read from its folder, each part when it is first asked for.

    Raises BadSession from any part whose file is missing, or holds something else than what was
    written.
    """

    folder: Path

    @property
    def portfolio(self) -> Portfolio:
        """Universes, models, limits, costs."""
        return self._document.portfolio

    @property
    def start(self) -> int:
        """First close that may trade, ns UTC."""
        return self._document.start

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What every report of the session says about its data."""
        return self._document.caveats

    @property
    def benchmark(self) -> Benchmark | None:
        """What results are compared with, None for buy and hold of all symbols."""
        return self._document.benchmark

    @property
    def risk_free_rate(self) -> float:
        """Effective, fraction per year."""
        return self._document.risk_free_rate

    @cached_property
    def schedule(self) -> Schedule:
        """The merged close times from `start` on."""
        closes = {u.name: self._times(u.name)[:, 0].copy() for u in self.portfolio.universes}
        try:
            return merge({name: times[times >= self.start] for name, times in closes.items()})
        except BadSchedule as error:
            raise BadSession(f"{self.folder / BARS}: {error}") from None

    @cached_property
    def strategies(self) -> Mapping[str, "Strategy"]:
        """Per model of the portfolio, whose code is still what it was."""
        for sentence in self._document.other_sources():
            raise BadSession(f"{self.folder / DOCUMENT}: {sentence}")
        return self._document.strategies

    @cached_property
    def histories(self) -> Mapping[str, "History"]:
        """Recorded bars per universe; reads their files."""
        return {
            universe.name: self._history(universe.name) for universe in self.portfolio.universes
        }

    @cached_property
    def chapter(self) -> Chapter:
        """What a log of this session begins with, as it was written down; the files of bars are not
        read.
        """
        from stratvector.trading.engine.compiling import engine_hash

        document = {key: value for key, value in self._document.values.items() if key != BARS}
        return Chapter(
            portfolio=self.portfolio.name,
            number=FIRST,
            engine_hash=engine_hash(),
            document=canonical(document),
            bars=tuple(
                ChapterBars(
                    universe.name,
                    tuple(self._times(universe.name)[:, 0].tolist()),
                    self._promised(universe.name, "bars"),
                )
                for universe in self.portfolio.universes
            ),
            run=self.portfolio.run,
        )

    def bars_file(self, universe: str) -> Path:
        """Where a universe's bars lie."""
        return _values(self.folder, universe)

    def bars_hash(self, universe: str) -> str:
        """The hash of the bars as they lie there now."""
        times, values = self._times(universe), self._panel(universe)
        folded = BarsHash()
        for begin in range(0, len(times), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            folded.add(times[rows], values[rows])
        return folded.hex()

    def refuse_edited_bars(self) -> None:
        """Hold every universe's bars against what was written. Raises BadSession."""
        for universe in self.portfolio.universes:
            if self.bars_hash(universe.name) != self._promised(universe.name, "bars"):
                place = _values(self.folder, universe.name)
                raise BadSession(f"{place}: the recorded bars are not those that were written")

    def sections(self, universe: str, after: int) -> Iterator[ClosedBars]:
        """A universe's cross-sections later than a close (ns UTC), warm-up included, in order.

        Reads a few hundred rows at a time: a long session takes no more memory than a short one.
        """
        times, described = self._times(universe), self.portfolio.universe(universe)
        first = int(np.searchsorted(times[:, 0], after, side="right"))
        for begin in range(first, len(times), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            values = self._panel(universe)[rows].copy()
            next_closes = [*times[begin + 1 : rows.stop + 1, 0].tolist(), 0][: len(values)]
            told = zip(times[rows].tolist(), next_closes, values, strict=True)
            for (closed, opened), next_close, row in told:
                fields = dict(zip(FIELDS, row, strict=True))
                yield ClosedBars(
                    universe,
                    described.timeframe,
                    closed,
                    described.symbols,
                    **fields,
                    open_time=opened,
                    next_close=next_close,
                )

    def whole(self) -> "Session":
        """The session with everything in memory, as the backtest takes it."""
        from stratvector.trading.session import Session

        return Session(
            self.portfolio,
            self.start,
            self.histories,
            self.strategies,
            self.caveats,
            self.benchmark,
            self.risk_free_rate,
        )

    @cached_property
    def _document(self) -> SessionDocument:
        place = self.folder / DOCUMENT
        try:
            text = place.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise BadSession(f"{place}: no such file; a session's folder holds it") from None
        except UnicodeDecodeError as error:
            raise BadSession(f"{place}: it is not JSON: {error}") from None
        return SessionDocument.parsed(str(place), text)

    def _promised(self, universe: str, what: str) -> str:
        try:
            return str(self._document.values[BARS][universe][what])
        except (KeyError, TypeError):
            place = f"{self.folder / DOCUMENT}: {BARS}.{universe}.{what}"
            raise BadSession(f"{place}: the hash is missing") from None

    def _history(self, universe: str) -> "History":
        from stratvector.trading.session import History

        source, total_return = self._document.source(universe)
        times, values = self._times(universe), self._panel(universe)
        fields = {f: np.ascontiguousarray(values[:, n]) for n, f in enumerate(FIELDS)}
        try:
            bars = Bars(self.portfolio.universe(universe).symbols, times[:, 0].copy(), **fields)
        except BadBars as error:
            raise BadSession(f"{_values(self.folder, universe)}: {error}") from None
        return History(bars, times[:, 1].copy(), total_return, source)

    @cached_property
    def _known_times(self) -> dict[str, NDArray[np.int64]]:
        return {}

    def _times(self, universe: str) -> NDArray[np.int64]:
        if universe not in self._known_times:
            self._known_times[universe] = self._read_times(universe)
        return self._known_times[universe]

    def _read_times(self, universe: str) -> NDArray[np.int64]:
        place = _times(self.folder, universe)
        times = np.array(_array(place))
        fits = times.dtype == np.int64 and times.ndim == 2 and times.shape[1] == 2
        if not fits or _hash_of_times(times) != self._promised(universe, "times"):
            raise BadSession(f"{place}: the recorded times are not those that were written")
        return times

    def _panel(self, universe: str) -> NDArray[np.float64]:
        """A universe's values, mapped, so that only what is asked for is read."""
        place = _values(self.folder, universe)
        values = _array(place)
        rows = len(self._times(universe))
        shape = (rows, len(FIELDS), len(self.portfolio.universe(universe).symbols))
        if values.dtype != np.float64 or values.shape != shape:
            found = f"{values.dtype}{list(values.shape)}"
            raise BadSession(f"{place}: it holds {found} instead of float64{list(shape)}")
        return values


def _array(place: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(place, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001  an edited header ends in anything inside numpy
        why = str(error).partition("\n")[0]
        raise BadSession(f"{place}: the recorded bars can't be read: {why}") from None
    return array
