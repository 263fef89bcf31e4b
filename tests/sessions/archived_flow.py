"""Whoever archives and purges a log while it runs, as the `archive` command does with a house's."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stratvector.runtime.archive import Archive
from stratvector.runtime.archived_log import archive_chapters
from stratvector.runtime.chapters import opened_chapters
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.purging import KEEP_CHAPTERS, kept_chapter, purge_log
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.scheduler import Scheduler
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.trading.lanes import positions_lane
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.session import Session
from tests.sessions.rewritten_log import as_stored, rewritten
from tests.sessions.simulated_flow import Flow

LOOK_SECONDS = 0.25
REAL_WRITE = MemoryLedgerStore._write


def noted_commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every close that the ledger commits from now on, as it is asked over gRPC in a house."""
    closes = list[int]()

    def noted(self: MemoryLedgerStore, entry: LedgerEntry) -> None:
        REAL_WRITE(self, entry)
        closes.append(entry.close_time)

    monkeypatch.setattr(MemoryLedgerStore, "_write", noted)
    return closes


@dataclass
class Archiving:
    """Archives each chapter that is closed and purges what is before the one that has to stay.

    committed : see `noted_commits`. keep : how many chapters before the newest stay. begins : the
    chapter that the log begins with after each purge. seen : what the world's services had come to
    by then. purged : messages by lane.
    """

    session: Session
    archive: Archive
    committed: list[int]
    keep: int = KEEP_CHAPTERS
    begins: list[int] = field(default_factory=list)
    seen: list[Counter[tuple[str, str]]] = field(default_factory=list)
    purged: Counter[str] = field(default_factory=Counter)

    def __call__(self, ports: Ports) -> Tasks:
        return Tasks([self.run(ports)])

    async def run(self, ports: Ports) -> None:
        """Look for as long as the world runs."""
        bus = ports.bus
        assert isinstance(bus, SimulatedBus)
        while True:
            await ports.clock.sleep(LOOK_SECONDS)
            await self._look(bus)

    async def _look(self, bus: SimulatedBus) -> None:
        run, name = self.session.portfolio.run, self.session.portfolio.name
        opened = await opened_chapters(bus, run, name)
        if not opened:
            return
        listed, _ = await archive_chapters(bus, self.archive, run, name)
        newest = max(self.committed, default=None)
        kept = await kept_chapter(bus, run, name, newest, self.keep, len(listed.chapters))
        if kept is None:
            return
        portfolio = opened[-1].portfolio
        lane = positions_lane(portfolio)
        places = {lane: listed.chapters[kept.number - 2].read[lane]}
        gone = await purge_log(bus, bus.purge, kept, portfolio, places)
        if sum(gone.values()):
            self.purged.update(gone)
            self.begins.append(kept.number)
            scheduler = bus._scheduler
            assert isinstance(scheduler, Scheduler)
            self.seen.append(Counter(scheduler.seen))


def archive_in(folder: Path) -> Archive:
    """A new one, in a folder of its own."""
    return Archive(folder / str(len(list(folder.iterdir()))))


def with_whole_log(flow: Flow) -> Flow:
    """The flow with its log as it was stored, what was purged included."""
    flow.world.bus = rewritten(flow.world.bus.journal, as_stored)
    return flow
