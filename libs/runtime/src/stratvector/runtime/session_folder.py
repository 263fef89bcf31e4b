"""session_folder: a session on disk, from which every process reads the same values.

    session.json                 portfolio, start, strategies by class and parameters, sources
    bars/<universe>.times.npy    int64[T, 2]: when each bar closed and opened, warm-up first
    bars/<universe>.values.npy   float64[T, 5, S]: open, high, low, close, volume

Written once, by whoever starts the session, after the user's configuration was checked; defaults
are worked in, so that no two processes can read them differently.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from stratvector.trading.bars import FIELDS, Bars, ClosedBars
from stratvector.trading.caveats import Caveat
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import Schedule, merge

# Whole sessions and strategies load the compiler; most processes read only bars and portfolio.
if TYPE_CHECKING:
    from stratvector.trading.session import History, Session
    from stratvector.trading.strategy import Strategy

DOCUMENT = "session.json"
BARS = "bars"
CHUNK_ROWS = 256
FORMAT = 3
PORTFOLIO = TypeAdapter(Portfolio)
CAVEATS = TypeAdapter(tuple[Caveat, ...])


class BadSession(ValueError):
    """A folder that holds no session which can be run here; the message is one sentence."""


def write_session(folder: Path, session: "Session") -> None:
    """Write a session to a folder that holds none. Raises BadSession or OSError.

    session.json comes last and whole: a folder without it holds nothing.
    """
    place = folder / DOCUMENT
    if place.exists():
        raise BadSession(f"{place}: a session is there already; it is never overwritten")
    (folder / BARS).mkdir(parents=True, exist_ok=True)
    for name, history in session.histories.items():
        bars = history.bars
        np.save(_times(folder, name), np.stack([bars.close_times, history.open_times], axis=1))
        values = np.stack([getattr(bars, field) for field in FIELDS], axis=1)
        np.save(_values(folder, name), values)
    draft = folder / f".{DOCUMENT}.draft"
    draft.write_text(json.dumps(_document(session), indent=1) + "\n", encoding="utf-8")
    draft.replace(place)


def _times(folder: Path, universe: str) -> Path:
    return folder / BARS / f"{universe}.times.npy"


def _values(folder: Path, universe: str) -> Path:
    return folder / BARS / f"{universe}.values.npy"


def _document(session: "Session") -> dict[str, Any]:
    return {
        "format": FORMAT,
        "portfolio": PORTFOLIO.dump_python(session.portfolio, mode="json"),
        "start": session.start,
        "strategies": {name: _described(s) for name, s in session.strategies.items()},
        "caveats": CAVEATS.dump_python(session.caveats, mode="json"),
        "sources": {
            name: {"source": h.source, "total_return": h.total_return}
            for name, h in session.histories.items()
        },
    }


def _described(strategy: "Strategy") -> dict[str, Any]:
    kind = type(strategy)
    return {
        "class": f"{kind.__module__}:{kind.__qualname__}",
        "version": strategy.version,
        "parameters": {f.name: getattr(strategy, f.name) for f in fields(strategy) if f.init},
    }


@dataclass(frozen=True)
class RecordedSession:
    """A session read from its folder, each part when it is first asked for.

    Raises BadSession from any part whose file is missing or holds something else.
    """

    folder: Path

    @cached_property
    def portfolio(self) -> Portfolio:
        """Universes, models, limits, costs."""
        return PORTFOLIO.validate_python(self._document["portfolio"], strict=False)

    @cached_property
    def start(self) -> int:
        """First close that may trade, ns UTC."""
        return int(self._document["start"])

    @cached_property
    def caveats(self) -> tuple[Caveat, ...]:
        """What every report of the session says about its data."""
        return CAVEATS.validate_python(self._document["caveats"])

    @cached_property
    def schedule(self) -> Schedule:
        """The merged close times from `start` on."""
        closes = {u.name: self._times(u.name)[:, 0].copy() for u in self.portfolio.universes}
        return merge({name: times[times >= self.start] for name, times in closes.items()})

    @cached_property
    def strategies(self) -> Mapping[str, "Strategy"]:
        """Per model of the portfolio."""
        return {name: self._strategy(name, d) for name, d in self._document["strategies"].items()}

    @cached_property
    def histories(self) -> Mapping[str, "History"]:
        """Recorded bars per universe; reads their files."""
        return {
            universe.name: self._history(universe.name) for universe in self.portfolio.universes
        }

    def sections(self, universe: str, after: int) -> Iterator[ClosedBars]:
        """A universe's cross-sections later than a close (ns UTC), warm-up included, in order.

        Reads a few hundred rows at a time: a long session takes no more memory than a short one.
        """
        times, described = self._times(universe), self.portfolio.universe(universe)
        first = int(np.searchsorted(times[:, 0], after, side="right"))
        for begin in range(first, len(times), CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            values = self._array(_values(self.folder, universe))[rows].copy()
            for (closed, opened), row in zip(times[rows].tolist(), values, strict=True):
                fields = dict(zip(FIELDS, row, strict=True))
                yield ClosedBars(
                    universe,
                    described.timeframe,
                    closed,
                    described.symbols,
                    **fields,
                    open_time=opened,
                )

    def whole(self) -> "Session":
        """The session with everything in memory, as the backtest takes it."""
        from stratvector.trading.session import Session

        return Session(self.portfolio, self.start, self.histories, self.strategies, self.caveats)

    @cached_property
    def _document(self) -> dict[str, Any]:
        place = self.folder / DOCUMENT
        try:
            document = json.loads(place.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadSession(f"{place}: no such file; a session's folder holds it") from None
        except ValueError as error:
            raise BadSession(f"{place}: it is not JSON: {error}") from None
        found = document.get("format") if isinstance(document, dict) else None
        if found != FORMAT:
            raise BadSession(f"{place}: format is {found!r}; this version reads {FORMAT}")
        return dict(document)

    def _history(self, universe: str) -> "History":
        from stratvector.trading.session import History

        source = self._document["sources"][universe]
        times, values = self._times(universe), self._array(_values(self.folder, universe))
        fields = {f: np.ascontiguousarray(values[:, n]) for n, f in enumerate(FIELDS)}
        bars = Bars(self.portfolio.universe(universe).symbols, times[:, 0].copy(), **fields)
        return History(bars, times[:, 1].copy(), source["total_return"], source["source"])

    def _times(self, universe: str) -> NDArray[np.int64]:
        return np.array(self._array(_times(self.folder, universe)))

    def _array(self, place: Path) -> NDArray[Any]:
        """A file's array, mapped, so that only what is asked for is read."""
        try:
            array: NDArray[Any] = np.load(place, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BadSession(f"{place}: the recorded bars can't be read: {error}") from None
        return array

    def _strategy(self, model: str, described: dict[str, Any]) -> "Strategy":
        from stratvector.trading.strategy import Strategy

        module, _, name = described["class"].partition(":")
        place = f"{self.folder / DOCUMENT}: strategies.{model}"
        try:
            kind = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise BadSession(f"{place}: {described['class']} can't be imported: {error}") from None
        if not (isinstance(kind, type) and issubclass(kind, Strategy)):
            raise BadSession(f"{place}: {described['class']} is not a strategy")
        if kind.version != described["version"]:
            rule = f"the session was made with {described['version']}"
            raise BadSession(f"{place}: the installed version is {kind.version}; {rule}")
        return kind(**described["parameters"])
