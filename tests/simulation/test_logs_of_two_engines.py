"""A log in which engines have come and gone, read by whoever starts later."""

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
from stratvector.services.drift.board import ModelRecord
from stratvector.services.drift.session_watch import SessionWatch
from stratvector.services.ledger.wiring import build
from stratvector.trading.parity import check
from tests.sessions.engine_flow import NEW, SHAPE, Stay, breaches, engines_of, run_engines
from tests.sessions.generated_sessions import Shape
from tests.sessions.late_flow import paper_session
from tests.sessions.rewritten_log import as_stored, log_of, rewritten
from tests.sessions.simulated_flow import Flow
from tests.simulation.test_engines import flapping

LONG = Shape(universes=1, symbols=2, models=2, closes=130, warmup=2)


@pytest.fixture(scope="module")
def flow() -> Flow:
    """Nine chapters of two engines; in one of them nothing was decided."""
    found = run_engines(paper_session(1, SHAPE), flapping(1), 1, closes_per_chapter=6)
    assert breaches(found) == []
    assert NEW in engines_of(found)
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


def test_drift_finds_what_it_finds_where_one_engine_decided() -> None:
    stays = [Stay("risk", NEW, 2.0), *flapping(3)]
    two, one = (run_engines(paper_session(2, LONG), each, 2) for each in (stays, []))
    assert (len(engines_of(two)) > 1, len(engines_of(one))) == (True, 1)
    assert drift_of(two) == drift_of(one)


def drift_of(flow: Flow) -> tuple[ModelRecord, ...]:
    watches = list[SessionWatch]()

    def watch(ports: Ports, bus: Bus) -> Tasks:
        portfolio, start = flow.session.portfolio, flow.session.start
        watches.append(SessionWatch(ports, portfolio, start, DriftRules(reference_closes=100)))
        return Tasks([watches[-1].run()])

    later(flow, watch)
    return watches[-1].board.records()


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
