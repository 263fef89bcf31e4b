"""Endless sessions over scripted live feeds through the simulated services, changed while they run.

A minute of the world is a close of 1M; every service is the real one, market_data with its feed
lanes, and the venue behind these is a script.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import cast

from stratvector.market.live import LiveSource
from stratvector.runtime.applying import unloadable
from stratvector.runtime.deployment import Deployment, installed_services
from stratvector.runtime.documents import Wish, endless_wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Ports
from stratvector.runtime.run_clock import RunClock
from stratvector.runtime.session_document import EndlessSession
from stratvector.runtime.simulation.clock import UTC_ORIGIN
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.services.market_data.live_feeds import LiveFeeds
from stratvector.services.market_data.recordings import MemoryRecordings
from stratvector.services.market_data.universe_feeds import Pace, UniverseFeeds
from stratvector.services.market_data.venues import Venues
from stratvector.trading.chapters import CLOSES_PER_CHAPTER, ChapterBars
from stratvector.trading.instruments import Instrument
from stratvector.trading.logged import SessionLog
from stratvector.trading.portfolio import Account, ModelAllocation, Portfolio, Universe
from tests.sessions.changed_sessions import Applying
from tests.sessions.hand_fed import let_pass
from tests.sessions.late_flow import CountingStrategy
from tests.sessions.rewritten_log import log_of
from tests.sessions.scripted_feed import Script, close_at
from tests.sessions.scripted_venues import ScriptedVenues

KNOWN = "ABCDEF"  # each letter is a symbol of the venue
WARMUP = 3  # closes
FIRST_CLOSE = 2
FRAMES = {"coins": "1M", "metals": "2M"}


def live_session(name: str = "main", models: str = "counts", **symbols: str) -> EndlessSession:
    """Of universes by their names, each with its symbols as one word and a model that counts
    closes: one that it misses, or meets twice, shows for ever. models : what their names begin
    with.
    """
    universes = tuple(_universe(one, listed) for one, listed in symbols.items())
    share = 1.0 / len(FRAMES)
    portfolio = Portfolio(
        name,
        (Account("simulated", Decimal(1_000_000)),),
        universes,
        tuple(ModelAllocation(f"{models}_{one}", one, share) for one in symbols),
        run="paper.1",
    )
    sources = [
        LiveSource(u.name, f"venue of {u.name}", u.symbols, u.timeframe, WARMUP) for u in universes
    ]
    return EndlessSession(
        portfolio,
        close_at(FIRST_CLOSE),
        {model.name: CountingStrategy(1) for model in portfolio.models},
        tuple(ChapterBars(one.universe, one.hash, 0) for one in sources),
        {
            one.universe: {"source": "ccxt", "total_return": False, "load": one.document()}
            for one in sources
        },
    )


def _universe(name: str, symbols: str) -> Universe:
    instruments = tuple(Instrument(one, one, "crypto", 2) for one in symbols)
    return Universe(name, FRAMES[name], "24/7", instruments)


def wished(session: EndlessSession, number: int = 1) -> Wish:
    """number : of the change, for a time of its own."""
    return endless_wish_of(session, "ada", number)


@dataclass(frozen=True)
class Change:
    """A document that is applied at a minute of the world."""

    minute: float
    session: EndlessSession


@dataclass
class LivePlay:
    """Portfolios over live feeds, each universe of a venue of its own. scripts : of universes whose
    venue is not punctual. changes : to any portfolio. seen : effects so far, by the minutes that
    were asked for. away : minutes between which market_data is dead. refusals : of what was
    feeds : of each market_data process that there was.
    """

    world: World
    sessions: Sequence[EndlessSession]
    changes: Sequence[Change] = ()
    scripts: Mapping[str, Script] = field(default_factory=dict)
    instances: int = 1
    closes_per_chapter: int = CLOSES_PER_CHAPTER
    away: tuple[float, float] | None = None
    feeds: list[LiveFeeds] = field(default_factory=list)
    stores: dict[str, MemoryLedgerStore] = field(default_factory=dict)
    seen: dict[float, Counter[tuple[str, str]]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def run(self, minutes: float, *looks: float) -> "LivePlay":
        """Let so many minutes pass. looks : minutes at which effects are counted."""
        self.world.add("market_data", self._market_data, self.instances)
        for session in self.sessions:
            self._add(session)
        for number, change in enumerate(self.changes, 1):
            applying = Applying([wished(change.session, number)], 0.0, self.refusals)
            self.world.add(f"apply {number}", applying, start_seconds=change.minute * 60.0)
        if self.away is not None:
            gone, back = (minute * 60.0 for minute in self.away)
            self.world.at(gone, partial(self.world.remove, "market_data"))
            self.world.add("market_data", self._market_data, start_seconds=back)
        for look in looks:
            self.world.at(look * 60.0, partial(self._look, look))
        let_pass(self.world, minutes * 60.0)
        return self

    def session(self, name: str = "main") -> LoggedSession:
        """As its log began."""
        (one,) = (s for s in self.sessions if s.portfolio.name == name)
        return LoggedSession(wished(one, 0).chapter())

    def log(self, name: str = "main") -> SessionLog:
        return log_of(self.world.bus, self.session(name))

    def why_not(self, change: int) -> str:
        """Why a change, counted from 1, can't be loaded; empty while nobody says so."""
        found: list[tuple[str, str] | None] = []
        wish = wished(self.changes[change - 1].session, change)

        async def read(ports: Ports) -> None:
            found.append(await unloadable(self.world.bus, self.world.key_value, wish))

        world = World()
        world.add("reader", lambda ports: Tasks([read(ports)]))
        world.run(until=["reader"])
        return "" if found[0] is None else ": ".join(found[0])

    def _look(self, minute: float) -> None:
        self.seen[minute] = Counter(self.world.effects)

    def _add(self, session: EndlessSession) -> None:
        name = session.portfolio.name
        store = self.stores[name] = MemoryLedgerStore()
        deployment = Deployment(
            self.session(name), store, closes_per_chapter=self.closes_per_chapter
        )
        for service, build in installed_services().items():
            if service != "market_data":
                of = f"{service} of {name}"
                self.world.add(of, partial(build, deployment), self.instances)

    def _market_data(self, ports: Ports) -> Tasks:
        """One process for all portfolios, as `serve` makes it."""
        feeds = UniverseFeeds(ports, MemoryRecordings([]), Pace(64))
        feeds.live = LiveFeeds(ports, self._venues)
        self.feeds.append(feeds.live)
        return Tasks([self._begin(ports, feeds, one.portfolio.name) for one in self.sessions])

    def _venues(self, clock: RunClock, seed: int) -> Venues:
        return cast("Venues", ScriptedVenues(self.scripts, KNOWN, clock, self._venue_now))

    def _venue_now(self) -> int:
        return UTC_ORIGIN + round(self.world.now * 1e9)

    async def _begin(self, ports: Ports, feeds: UniverseFeeds, name: str) -> None:
        session = self.session(name)
        tasks = await feeds.begin(Deployment(session, self.stores[name]))
        ports.begin(f"{session.portfolio.run}.{name}", tasks)
