"""A log in which a symbol was sold and has gone, read by whoever starts later."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

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
from tests.sessions.changed_sessions import without_symbol
from tests.sessions.generated_sessions import generated_session
from tests.sessions.rewritten_log import as_stored, log_of, rewritten
from tests.sessions.simulated_flow import Flow, breaches_in_the_log
from tests.sessions.symbol_flow import SHAPE, applied

LOST = "EQUITY0"


@pytest.fixture(scope="module")
def flow() -> Flow:
    """Chapters of a few closes; the symbol is held, closing and gone in some of them."""
    session = generated_session(3, SHAPE)
    found = applied(session, [without_symbol(session, LOST)], 1.2, closes_per_chapter=9)
    assert breaches_in_the_log(found) == []
    chapters = [one.portfolio for one in log_of(found.world.bus, session).chapters]
    assert any(LOST in one.closing_symbols for one in chapters)
    assert LOST not in chapters[-1].symbols
    return found


def later(flow: Flow, work: Callable[[Ports, Bus], Tasks]) -> None:
    """Run something to its end over a copy of the log."""
    world, bus = World(), rewritten(flow.world.bus.journal, as_stored)
    world.add("later", lambda ports: work(replace(ports, bus=bus), bus))
    world.run(until=["later"])


def test_a_ledger_that_starts_from_nothing_writes_the_same_record(flow: Flow) -> None:
    store = MemoryLedgerStore()
    later(flow, lambda ports, bus: build(Deployment(flow.session, store), ports))
    entries = [store.entries[close] for close in sorted(store.entries)]
    assert repr(entries) == repr(flow.entries)


def test_drift_follows_its_models_over_it(flow: Flow) -> None:
    watches = list[SessionWatch]()

    def watch(ports: Ports, bus: Bus) -> Tasks:
        portfolio, start = flow.session.portfolio, flow.session.start
        watches.append(SessionWatch(ports, portfolio, start, DriftRules(reference_closes=100)))
        return Tasks([watches[-1].run()])

    later(flow, watch)
    last = dict.fromkeys(flow.session.portfolio.model_names, 0)
    for entry in flow.entries:
        last |= {one.model: one.close_time for one in entry.signals}
    assert {one.model: one.close_time for one in watches[-1].check("")} == last


def test_its_archive_is_proven_from_the_files_alone(flow: Flow, tmp_path: Path) -> None:
    archive, portfolio = Archive(tmp_path), flow.session.portfolio
    written = list[int]()

    async def run(bus: Bus) -> None:
        written.extend((await archive_chapters(bus, archive, portfolio.run, portfolio.name))[1])

    later(flow, lambda ports, bus: Tasks([run(bus)]))
    assert written == list(range(1, len(flow.openings) + 1))
    for after in (None, flow.world.bus):
        log = log_of(ArchivedLog(archive.messages(), after), flow.session)
        closed = [d for d in flow.decisions if after or d.chapter <= len(written)]
        assert len(log.closes) == len(closed)
        assert check(log, flow.session).is_equal
