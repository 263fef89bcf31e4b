"""recordings: the bars that a chapter names, from memory or from the store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, cast

from stratvector.runtime.chapters import first_chapter
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.logged_session import LoggedSession
from stratvector.services.market_data.loading import BarsUnavailable, bars_at_hand
from stratvector.services.market_data.replay_store import Recording, ReplayStore
from stratvector.trading.bars import ClosedBars
from stratvector.trading.timestamps import Nanoseconds

if TYPE_CHECKING:
    from stratvector.trading.session import Session


class Recordings(Protocol):
    """Who has recorded bars."""

    async def of(self, session: SessionParts) -> dict[str, Recording]:
        """Of each universe of a session. Raises BarsUnavailable."""


@dataclass(frozen=True)
class InMemory:
    """The bars of one universe of a session in memory."""

    session: "Session"
    universe: str

    @property
    def hash(self) -> str:
        """Of all of them, as they are now."""
        return self.session.bars_hash(self.universe)

    @property
    def close_times(self) -> Nanoseconds:
        """ns UTC, increasing."""
        return self.session.histories[self.universe].bars.close_times

    def sections(self, after: int) -> Iterator[ClosedBars]:
        """Cross-sections later than a close (ns UTC), in order."""
        return self.session.sections(self.universe, after)


class MemoryRecordings:
    """Those of sessions in memory, found by the hashes of their bars: a chapter may have universes
    of several documents.
    """

    def __init__(self, sessions: "Sequence[Session]") -> None:
        self._sessions = sessions

    async def of(self, session: SessionParts) -> dict[str, Recording]:
        """Raises BarsUnavailable."""
        found, chapter = dict[str, Recording](), first_chapter(session)
        for universe in session.portfolio.universes:
            key = universe.name, universe.symbols, chapter.bars_of(universe.name).hash
            if key not in self._known:
                raise BarsUnavailable("the bars of the document are not in memory")
            found[universe.name] = InMemory(self._known[key], universe.name)
        return found

    @cached_property
    def _known(self) -> "Mapping[tuple[str, tuple[str, ...], str], Session]":
        return {
            (one.name, one.symbols, session.bars_hash(one.name)): session
            for session in reversed(self._sessions)
            for one in session.portfolio.universes
        }

    def at(self, session: "Session") -> dict[str, Recording]:
        """Of one of the sessions."""
        universes = session.portfolio.universes
        return {one.name: InMemory(session, one.name) for one in universes}


@dataclass(frozen=True)
class StoredRecordings:
    """Those in a store, loaded from their sources where they are not there yet."""

    store: ReplayStore

    async def of(self, session: SessionParts) -> dict[str, Recording]:
        """Raises BarsUnavailable."""
        logged = cast("LoggedSession", session)
        return {
            universe.name: await bars_at_hand(
                self.store,
                logged.chapter.bars_of(universe.name).hash,
                universe,
                logged.source(universe.name),
            )
            for universe in logged.portfolio.universes
        }
