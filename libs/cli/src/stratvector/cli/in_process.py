"""The five services in this process, on the simulated bus and its virtual clock, without faults."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from stratvector.backtest import Result
from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.deployment import Deployment, installed_services
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.trading.lanes import bars_lane, signals_lane
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.session import Session

Watch = Callable[[LedgerEntry, int], None]


@dataclass(frozen=True)
class WatchedLedgerStore:
    """A ledger store that tells of each commit: the entry and how many there are."""

    kept: MemoryLedgerStore
    watch: Watch

    async def last_close(self, run: str, portfolio: str) -> int | None:
        """The newest committed close of a portfolio, or None."""
        return await self.kept.last_close(run, portfolio)

    async def verify(self, run: str, portfolio: str, after: int | None) -> None:
        """Memory is as it was committed."""

    async def commit(self, entry: LedgerEntry) -> None:
        """Write one close, then tell."""
        await self.kept.commit(entry)
        self.watch(entry, len(self.kept.entries))

    async def written(self, run: str, portfolio: str) -> None:
        """Every commit is, when it returns."""
        await self.kept.written(run, portfolio)


def run_in_process(session: Session, watch: Watch) -> Result:
    """Run a session through all services and read the result off the ledger and the bus.

    watch : called after each committed close. Raises ServiceMissing.
    """
    store = MemoryLedgerStore()
    deployment = Deployment(session, WatchedLedgerStore(store, watch))
    services = installed_services()
    world = World(seed=0)
    for name, build in services.items():
        world.add(name, partial(build, deployment))
    world.run(until=list(services))
    return Result.of_ledger(
        session, tuple(store.entries.values()), _bars(world, session), _signals(world, session)
    )


def _bars(world: World, session: Session) -> int:
    """Messages of the bars lanes from the session's start on; earlier ones are warm-up."""
    lanes = (bars_lane(session.portfolio, universe) for universe in session.portfolio.universes)
    return sum(
        decode_closed_bars(stored.message.payload).close_time >= session.start
        for lane in lanes
        for stored in world.bus.contents(lane)
    )


def _signals(world: World, session: Session) -> int:
    """Messages of the signals lanes."""
    portfolio = session.portfolio
    lanes = (signals_lane(portfolio, name) for name in portfolio.model_names)
    return sum(len(world.bus.contents(lane)) for lane in lanes)
