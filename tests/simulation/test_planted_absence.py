"""Rules of absence broken one by one: each is caught by runs that are quiet without a bug."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from stratvector.runtime.bars_reader import Due, UniverseReader
from stratvector.runtime.readers import Received
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.fate import Fate, FaultPlan
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.execution.bars_gate import BarsGate
from stratvector.services.risk.chapter_fold import ChapterFold
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.fills import FillEvent
from stratvector.trading.simulated_broker import SimulatedBroker
from stratvector.trading.ticks import Tick, TickBars
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND
from tests.sessions.silent_flow import (
    SILENT_SECONDS,
    SLOW,
    Silence,
    breaches,
    halting,
    paced,
    run,
    session_of,
    universes_of,
)

SEEDS = 8
HALTED_SEED = 5  # halted in the middle of a silence
HASTY_SECONDS = 1.0  # less than a reader trusts that it has heard everything
AWAY_AT = 8  # risk's publish in the middle of a silence, after which it is away
REAL_JUDGE, REAL_NAMED = BarsGate._judge, ChapterFold._bars_of


def first_breach(
    monkeypatch: pytest.MonkeyPatch, silent_seconds: float = HASTY_SECONDS
) -> str | None:
    """What the first run that notices anything says. silent_seconds : see `silent_flow.run`."""
    deaf = replace(SLOW, arrival_lost=0.5)
    for seed in range(1, 1 + SEEDS):
        silent = universes_of(seed)[0]
        paced(monkeypatch, [Silence(silent, 5.0, 14.0), Silence(silent, 20.0, 22.5)])
        away = FaultPlan("risk", "publish ORDERS", AWAY_AT, Fate(pause_seconds=9.0))
        session = halting(session_of(seed))
        try:
            flow = run(
                session, seed, deaf, [away], None, 1, 1 + seed % 4, silent_seconds=silent_seconds
            )
            found = breaches(flow, silent_seconds)
        except SimulationError as error:
            found = [str(error).splitlines()[0]]
        if found:
            return f"seed {seed}: {found[0]}"
    return None


async def judge_in_risk(self: ChapterFold, due: Due) -> TickBars:
    """Planted: who decides uses bars that are here by now, whatever execution had."""
    bars, readers = await REAL_NAMED(self, due), self._bars.readers
    here = list[Received[ClosedBars]]()
    for name in bars.absent:
        first = await readers[name].peek(0.0)
        if first is not None and first.noun.close_time == due.close_time:
            here.append(await readers[name].take())
    absent = set(bars.absent) - {one.noun.universe for one in here}
    return replace(bars, closing=(*bars.closing, *here), absent=tuple(sorted(absent)))


async def judge_by_utc(self: BarsGate, name: str) -> float:
    """Planted: the time is counted from the stamp of the other bars, by the UTC of this host."""
    clock = self._clock
    until = await REAL_JUDGE(self, name)
    (other,) = (reader for own, reader in self._bars.readers.items() if own != name)
    bus, first = other._bus, await other.peek(0.0)
    assert isinstance(bus, SimulatedBus)
    silence = self._silences[name]
    if first is not None and silence.began is not None:
        passed = (clock.utc_now() - bus.utc_of(first.stored)) / NANOSECONDS_PER_SECOND
        silence.began = clock.monotonic_seconds() - passed
        silence.is_over = silence.is_over or passed >= self._seconds[name]
        return silence.began + self._seconds[name]
    return until


async def what_was_heard(self: UniverseReader) -> Received[ClosedBars] | None:
    """Planted: whoever has the time behind him does not read the lane to its end."""
    return await self.peek(0.0)


def match_all(
    self: SimulatedBroker,
    close_time: int,
    bars: Sequence[ClosedBars],
    late: Sequence[ClosedBars] = (),
) -> tuple[FillEvent, ...]:
    """Planted: late bars fill whatever is working."""
    events = [event for one in late for event in self._match_all(self.working, close_time, [one])]
    return (*events, *self._match_all(self.working, close_time, bars))


async def drop(self: BarsGate, name: str, reader: UniverseReader) -> Received[ClosedBars] | None:
    """Planted: what came late is left out."""
    while (first := await reader.peek(0.0)) is not None and first.noun.close_time <= self.newest:
        await reader.take()
    return first


def until_the_decision(self: Carried, universe: str) -> int:
    """Planted: a chapter begins as if all bars up to its beginning had been there."""
    return self.close_time


async def as_named_before(self: ChapterFold, due: Due) -> TickBars:
    """Planted: who decides takes up no late bars, though execution names them."""
    tick = Tick.of_report(self._reports[-1].noun)
    bars = await self._bars.named(tick)
    return replace(bars, late=())


PLANTED: list[tuple[str, object, str, object]] = [
    ("two judges of a close", ChapterFold, "_bars_of", judge_in_risk),
    ("absence by wall clock", BarsGate, "_judge", judge_by_utc),
    ("the lane is not read to its end", UniverseReader, "peek_in_log", what_was_heard),
    ("late bars are dropped", BarsGate, "_first", drop),
    ("late bars are not taken up", ChapterFold, "_bars_of", as_named_before),
    ("a chapter forgets an absence", Carried, "bars_until", until_the_decision),
]


@pytest.mark.parametrize(("bug", "room", "name", "planted"), PLANTED, ids=[p[0] for p in PLANTED])
def test_a_broken_rule_is_caught(
    bug: str,
    room: object,
    name: str,
    planted: object,
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
) -> None:
    monkeypatch.setattr(room, name, planted)
    # Who hears of others' bars late has waited for longer than a second by any clock.
    patient = SILENT_SECONDS if planted is judge_by_utc else HASTY_SECONDS
    breach = first_breach(monkeypatch, patient)
    assert breach is not None
    say(f"planted: {bug}, caught by {breach}")


def test_late_bars_that_fill_later_orders_are_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """The way out of a halted book is ordered while its universe is silent."""
    silent = universes_of(HALTED_SEED)[0]
    paced(monkeypatch, [Silence(silent, 5.0, 24.0)])
    session = halting(session_of(HALTED_SEED))
    assert breaches(run(session, HALTED_SEED)) == []
    monkeypatch.setattr(SimulatedBroker, "match", match_all)
    found = breaches(run(session, HALTED_SEED))
    assert any("before it was decided" in line for line in found), found
    say(f"planted: late bars fill later orders, caught by {found[0]}")


@pytest.mark.parametrize("silent_seconds", [HASTY_SECONDS, SILENT_SECONDS])
def test_the_same_runs_are_quiet_without_a_bug(
    silent_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first_breach(monkeypatch, silent_seconds) is None
