"""Whoever starts over a log that is finished: a ledger, drift, an archive."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stratvector.drift import DriftRules
from stratvector.runtime.archive import Archive
from stratvector.runtime.archived_log import ArchivedLog, archive_chapters
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Bus, Ports
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.services.drift.session_watch import SessionWatch
from stratvector.services.ledger.wiring import build
from stratvector.trading.parity import check
from tests.sessions.rewritten_log import as_stored, chapters_of, log_of, rewritten
from tests.sessions.simulated_flow import Flow


def run_later(flow: Flow, work: Callable[[Ports, Bus], Tasks]) -> None:
    """Run something to its end over a copy of the log."""
    world, bus = World(), rewritten(flow.world.bus.journal, as_stored)
    world.add("later", lambda ports: work(replace(ports, bus=bus), bus))
    world.run(until=["later"])


def assert_ledger_from_nothing(flow: Flow) -> None:
    """A ledger that starts from nothing writes the same record."""
    store = MemoryLedgerStore()
    run_later(flow, lambda ports, bus: build(Deployment(flow.session, store), ports))
    entries = [store.entries[close] for close in sorted(store.entries)]
    assert repr(entries) == repr(flow.entries)


def drift_over(flow: Flow) -> SessionWatch:
    """Drift that has read all of it."""
    watches = list[SessionWatch]()

    def watch(ports: Ports, bus: Bus) -> Tasks:
        portfolio, start = flow.session.portfolio, flow.session.start
        watches.append(SessionWatch(ports, portfolio, start, DriftRules(reference_closes=100)))
        return Tasks([watches[-1].run()])

    run_later(flow, watch)
    return watches[-1]


def assert_archive_is_proven(flow: Flow, folder: Path) -> None:
    """Every closed chapter is archived, and equal from the files alone and with the log after."""
    archive, portfolio = Archive(folder), flow.session.portfolio
    written = list[int]()

    async def run(bus: Bus) -> None:
        written.extend((await archive_chapters(bus, archive, portfolio.run, portfolio.name))[1])

    run_later(flow, lambda ports, bus: Tasks([run(bus)]))
    assert written == list(range(1, len(flow.openings) + 1))
    for after in (None, flow.world.bus):
        messages = (message for part in archive.parts() for message in part.messages)
        log = log_of(ArchivedLog(messages, after), flow.session)
        closed = [d for d in flow.decisions if after or d.chapter <= len(written)]
        assert len(log.closes) == len(closed)
        assert check(log, flow.session).is_equal
    for proven in range(len(written) + 1):
        left = chapters_of(flow.world.bus, portfolio, archive, proven)
        numbers = [standing.number for standing, _ in left]
        assert numbers == list(range(proven + 1, len(written) + 2))
        closes = sum(len(log.closes) for _, log in left)
        assert closes == sum(d.chapter > proven for d in flow.decisions)
        assert all(check(log, flow.session).is_equal for _, log in left)
