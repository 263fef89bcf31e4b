"""The log is purged while services crash: nobody stumbles, and no result changes."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from stratvector.runtime import purging
from stratvector.runtime.applying import unloadable
from stratvector.runtime.chapters import (
    Standing,
    chapter_message,
    first_chapter,
    oldest_readable,
)
from stratvector.runtime.documents import Documents, wish_of
from stratvector.runtime.host import ServiceFactory, Tasks
from stratvector.runtime.logged_bars import bars_before
from stratvector.runtime.ports import Ports
from stratvector.runtime.purging import bars_places, kept_chapter, purge_log
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import SimulationError
from stratvector.trading.lanes import bars_lane
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.session import Session
from tests.sessions.archived_flow import noted_commits
from tests.sessions.changed_sessions import Applying, with_model
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.rewritten_log import as_stored, rewritten
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, breaches_of, run_flow

SEEDS = 8
SHAPE = Shape(universes=2, symbols=2, models=2, closes=16, warmup=2)
LOOK_SECONDS = 0.5
REAL_PLACES = purging.own_places


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return noted_commits(monkeypatch)


def purger(portfolio: Portfolio, committed: list[int], purged: list[int]) -> ServiceFactory:
    """Whoever may purge does so as soon as a chapter more is closed."""

    async def run(ports: Ports) -> None:
        bus = ports.bus
        assert isinstance(bus, SimulatedBus)
        while True:
            await ports.clock.sleep(LOOK_SECONDS)
            newest = max(committed, default=None)
            kept = await kept_chapter(bus, portfolio.run, portfolio.name, newest)
            if kept is not None:
                purged.append(sum((await purge_log(bus, bus.purge, kept, portfolio, {})).values()))

    return lambda ports: Tasks([run(ports)])


def purged_flow(seed: int, session: Session, committed: list[int], faults: Faults) -> Flow:
    """A run whose log is purged on the way, with the log as it was stored."""
    committed.clear()
    purged = list[int]()
    beside = purger(session.portfolio, committed, purged)
    flow = run_flow(session, seed, faults, (), None, 1 + seed % 2, 2 + seed % 2, beside)
    assert sum(purged) > 0
    flow.world.bus = rewritten(flow.world.bus.journal, as_stored)
    return flow


def first_breach(committed: list[int], faults: Faults, seeds: int = SEEDS) -> str | None:
    for seed in range(seeds):
        session = generated_session(seed, SHAPE)
        try:
            breaches = breaches_of(purged_flow(seed, session, committed, faults))
        except (SimulationError, AssertionError) as error:
            breaches = [str(error).splitlines()[0]]
        if breaches:
            return f"seed {seed}: {breaches[0]}"
    return None


SLOW_STORM = replace(Faults.stormy(), delay_seconds_max=0.2)


def test_a_log_that_is_purged_changes_no_result_whoever_crashes(committed: list[int]) -> None:
    assert first_breach(committed, SLOW_STORM) is None


def needed_places(kept: Standing, portfolio: Portfolio) -> dict[str, int]:
    """Planted: the last decision before the chapter goes too, so that nobody can start with it."""
    return {lane: place + 2 for lane, place in REAL_PLACES(kept, portfolio).items()}


def newest_chapter_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the log begins with the newest chapter, whatever the ledger has committed."""
    real = purging.kept_chapter

    async def kept(
        bus: SimulatedBus, run: str, portfolio: str, committed: int | None
    ) -> Standing | None:
        return await real(bus, run, portfolio, 2**62, keep=0)

    monkeypatch.setitem(globals(), "kept_chapter", kept)


def test_the_purge_of_a_needed_start_is_caught(
    committed: list[int], monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(purging, "own_places", needed_places)
    breach = first_breach(committed, SLOW_STORM)
    assert breach is not None
    say(f"planted: purge of a needed start, caught by {breach}")


def test_a_purge_that_does_not_ask_the_ledger_is_caught(
    committed: list[int], monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    newest_chapter_is_kept(monkeypatch)
    breach = first_breach(committed, SLOW_STORM)
    assert breach is not None
    say(f"planted: purge of what the ledger lacks, caught by {breach}")


def test_what_is_left_begins_with_the_message_that_a_chapter_begins_after(
    committed: list[int],
) -> None:
    session = generated_session(1, SHAPE)
    portfolio, found = session.portfolio, list[Standing | None]()
    purged = list[int]()
    flow = run_flow(session, 1, SLOW_STORM, (), None, 1, 3, purger(portfolio, committed, purged))
    bus = flow.world.bus

    async def look(ports: Ports) -> None:
        found.append(await oldest_readable(bus, portfolio.run, portfolio.name))

    flow.world.add("look", lambda ports: Tasks([look(ports)]))
    flow.world.run(until=["look"])
    (oldest,) = found
    assert oldest is not None
    assert oldest.carried is not None
    for lane, place in REAL_PLACES(oldest, portfolio).items():
        assert bus._log(lane).messages[0].sequence == place
    assert bus._log(f"chapters.{portfolio.run}.{portfolio.name}").messages[0].previous == 0


def working(work: Callable[[Ports], Coroutine[Any, Any, None]]) -> ServiceFactory:
    return lambda ports: Tasks([work(ports)])


def test_bars_that_another_portfolio_reads_from_the_first_on_stay() -> None:
    session = generated_session(1, SHAPE)
    portfolio = session.portfolio
    flow = run_flow(session, closes_per_chapter=3)
    bus, purged = flow.world.bus, list[dict[str, int]]()
    bars = [bars_lane(portfolio, universe) for universe in portfolio.universes]
    other = replace(session, portfolio=replace(portfolio, name="other"))
    message = chapter_message(first_chapter(other), 1)

    async def purge(ports: Ports) -> None:
        run, name = portfolio.run, portfolio.name
        assert await kept_chapter(bus, run, name, 2**62, archived=0) is None
        only = await kept_chapter(bus, run, name, 2**62, archived=1)
        assert only is not None
        assert only.number == 2, "more chapters may be closed than are archived"
        kept = await kept_chapter(bus, run, name, 2**62)
        assert kept is not None
        assert kept.number > 2
        await bus.publish(message, 0)
        purged.append(await purge_log(bus, bus.purge, kept, portfolio, {}))

    async def alone(ports: Ports) -> None:
        bus._log(message.subject).messages.clear()
        purged.append(await bars_places(bus, portfolio))

    for name, work in (("purge", purge), ("alone", alone)):
        flow.world.add(name, working(work))
        flow.world.run(until=[name])
    both, own = purged
    assert not set(both) & set(bars)
    assert sum(both.values()) > 0
    assert set(own) == set(bars)


def test_bars_that_an_added_model_looks_back_at_stay() -> None:
    session = generated_session(1, SHAPE)
    universe = session.portfolio.universes[0]
    lane, history = bars_lane(session.portfolio, universe), 6
    model = ModelAllocation("added", universe.name, 0.2)
    more = with_model(session, model, DriftStrategy(window=history))
    applying = Applying([wish_of(more, "ada", 1)], 0.0, [])
    flow = run_flow(session, closes_per_chapter=3, beside=applying)
    bus, found = flow.world.bus, list[tuple[int, int]]()

    async def purge(ports: Ports) -> None:
        kept = await kept_chapter(bus, session.portfolio.run, session.portfolio.name, 2**62)
        assert kept is not None
        assert kept.carried is not None
        assert "added" in kept.portfolio.model_names
        await purge_log(bus, bus.purge, kept, kept.portfolio, {})
        newest, until = kept.carried.sequences[lane], kept.carried.close_time
        before, _ = await bars_before(bus, kept.portfolio, universe, newest, 10 * history, until)
        found.append((len(before), kept.number))
        assert (await bus.read(lane, 0, 1))[0].previous

    flow.world.add("purge", working(purge))
    flow.world.run(until=["purge"])
    ((left, number),) = found
    assert left == history
    assert number > 2


@pytest.mark.parametrize(("window", "is_taken"), [(2, True), (30, False)])
def test_a_model_that_needs_purged_bars_is_refused_with_their_count(
    window: int, is_taken: bool, committed: list[int]
) -> None:
    """What it says would depend on when somebody purged, and parity could not know that."""
    committed.clear()
    session = generated_session(1, replace(SHAPE, closes=60))
    portfolio, purged, told = session.portfolio, list[int](), list[tuple[str, str] | None]()
    model = ModelAllocation("added", portfolio.universes[0].name, 0.2)
    wish = wish_of(with_model(session, model, DriftStrategy(window)), "ada", 1)
    purging_beside = purger(portfolio, committed, purged)

    async def write(ports: Ports) -> None:
        assert ports.documents is not None
        while not sum(purged):
            await ports.clock.sleep(0.05)
        await Documents(ports.documents).put(wish, 0)
        while True:
            await ports.clock.sleep(0.1)
            told.append(await unloadable(ports.bus, ports.key_value, wish))

    def both(ports: Ports) -> Tasks:
        return Tasks.of([lambda: purging_beside(ports), lambda: Tasks([write(ports)])])

    flow = run_flow(session, 1, SLOW_STORM, (), None, 1, 4, both)
    flow.world.bus = rewritten(flow.world.bus.journal, as_stored)
    assert breaches_in_the_log(flow) == []
    names = [one.model for one in flow.entries[-1].models]
    assert ("added" in names) == is_taken
    if not is_taken:
        said = [one for one in told if one is not None]
        assert said[-1][0] == "strategy"
        assert "model added looks back on 30 closes of universe" in said[-1][1]
