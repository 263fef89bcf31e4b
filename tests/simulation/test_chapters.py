"""Chapters on the simulated bus: they change no result, wherever anybody dies, and each rule that
they stand on is caught when it is broken.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from stratvector.contracts.codecs import decode_chapter, decode_fills_report, encode_fills_report
from stratvector.runtime import chapters as chapter_log
from stratvector.runtime.chapters import ChapterWriter, Standing, newest_chapter
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Kind, Message, Ports, Stored
from stratvector.runtime.signals_reader import SignalsReader
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.execution.account_lane import AccountLane
from stratvector.services.execution.order_log import OrderLog
from stratvector.trading.carried import Carried, CarriedOrder, OrderWord
from stratvector.trading.carrying import Carrying
from stratvector.trading.chapters import Chapter
from stratvector.trading.lanes import chapters_lane, fills_lane
from tests.sessions.crash_places import occurrences
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.rewritten_log import log_of, rewritten
from tests.sessions.simulated_flow import breaches_of, run_flow

SHAPE = Shape(universes=2, symbols=2, models=2, closes=10, warmup=2)
SEEDS = 30
CLOSES = 3
SIDES: tuple[When, ...] = ("before", "after")
SLOW = Faults(delay_seconds_max=0.4)
# Whose death meets a chapter that opens, and at which of its steps.
STEPS = [
    ("risk", "publish CHAPTERS"),
    ("risk", "publish ORDERS"),
    ("strategy", "publish SIGNALS"),
    ("execution", "publish FILLS"),
    ("ledger", "store commit"),
    ("market_data", "publish BARS"),
]
REAL_OPEN = ChapterWriter.open
REAL_CARRIED = Carrying.carried
REAL_BEGIN = OrderLog.begin
REAL_RECOVER = AccountLane._recover


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_of_opening_a_chapter_changes_nothing(
    service: str, effect: str, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    """Every publish of risk, and of the others a few; all of them in `make simulation`."""
    session = generated_session(1, SHAPE)
    calm = run_flow(session, 0, SLOW, instances=2, closes_per_chapter=CLOSES)
    assert [opened.number for opened in calm.openings] == [2, 3, 4, 5]
    met = calm.world.effects[service, effect]
    places = range(1, met + 1) if service == "risk" else occurrences(met, request)
    for occurrence in places:
        for when in SIDES:
            plan = CrashPlan(service, effect, occurrence, when)
            flow = run_flow(session, 0, SLOW, [plan], None, 2, CLOSES)
            assert breaches_of(flow) == [], f"crash {when} {effect} {occurrence}"
    say(f"crashes of {service} at {effect}: {2 * len(places)}")


def test_chapters_change_no_result() -> None:
    for seed in range(8):
        session = generated_session(seed, SHAPE)
        whole = run_flow(session, seed)
        parts = run_flow(session, seed, closes_per_chapter=1 + seed % 4)
        assert [d.orders for d in parts.decisions] == [d.orders for d in whole.decisions]
        assert parts.events == whole.events
        assert [e.cash for e in parts.entries] == [e.cash for e in whole.entries]
        assert {d.chapter for d in parts.decisions} == set(range(1, len(parts.openings) + 2))


def test_the_last_close_of_a_run_opens_no_chapter() -> None:
    session = generated_session(2, SHAPE)
    closes = len(session.schedule)
    assert run_flow(session, closes_per_chapter=closes).openings == []
    flow = run_flow(session, closes_per_chapter=closes - 1)
    assert [opened.number for opened in flow.openings] == [2]


def test_content_that_never_opened_has_no_effect() -> None:
    """A sleeper that wakes may still write what a chapter would carry; nobody takes it."""
    session = generated_session(1, SHAPE)
    flow = run_flow(session, closes_per_chapter=CLOSES)
    lane = chapters_lane(session.portfolio)
    newest = flow.world.bus.contents(lane)[-1]
    chapter = decode_chapter(newest.message.payload)
    assert chapter.carried is not None
    carried = replace(chapter.carried, cash=chapter.carried.cash + 1.0)
    stray = chapter_log.chapter_message(replace(chapter, carried=carried), 1)
    found: list[Standing | None] = []

    async def look(ports: Ports) -> None:
        await flow.world.bus.publish(stray, newest.sequence)
        portfolio = session.portfolio
        found.append(await newest_chapter(flow.world.bus, portfolio.run, portfolio.name))

    from stratvector.runtime.host import Tasks

    flow.world.add("look", lambda ports: Tasks([look(ports)]))
    flow.world.run(until=["look"])
    assert found[0] is not None
    assert found[0].id == newest.message.id
    assert found[0].carried == chapter.carried


def test_a_report_that_names_another_chapter_is_found() -> None:
    session = generated_session(1, SHAPE)
    flow = run_flow(session, closes_per_chapter=CLOSES)
    lane, number = fills_lane(session.portfolio, session.portfolio.account_names[0]), 6

    def misname(stored: Stored) -> bytes:
        message = stored.message
        if message.subject != lane or message.kind is not Kind.CONTENT:
            return message.payload
        report = decode_fills_report(message.payload)
        if report.number != number:
            return message.payload
        return encode_fills_report(replace(report, chapter=report.chapter + 2))

    log = log_of(rewritten(flow.world.bus.journal, misname), session)
    assert [halt.lane for halt in log.halts] == [lane]
    assert "is open" in log.halts[0].why


def kills_of(service: str, effect: str) -> Callable[[int], Iterable[Plan]]:
    """The service dies somewhere after the first chapter has opened, so that its heir begins with
    a later one.
    """
    return lambda seed: [CrashPlan(service, effect, 4 + seed % 6, "after")]


def first_breach(
    plans: Callable[[int], Iterable[Plan]] = lambda seed: (), identity: Identity | None = None
) -> str | None:
    """What the first run that notices anything says."""
    for seed in range(SEEDS):
        session = generated_session(seed, SHAPE)
        try:
            flow = run_flow(session, seed, Faults.none(), plans(seed), identity, 1, 1 + seed % 3)
            breaches = breaches_of(flow)
        except (SimulationError, AssertionError) as error:
            breaches = [str(error).splitlines()[0]]
        if breaches:
            return f"seed {seed}: {breaches[0]}"
    return None


def carried_without_marks(self: Carrying, *arguments: object) -> Carried:
    """Planted: the book comes without its marks."""
    whole = REAL_CARRIED(self, *arguments)  # type: ignore[arg-type]
    return replace(whole, symbols=tuple(replace(one, mark=0.0) for one in whole.symbols))


def carried_with_report_0(self: Carrying, *arguments: object) -> Carried:
    """Planted: reports are counted anew in each chapter."""
    whole = REAL_CARRIED(self, *arguments)  # type: ignore[arg-type]
    return replace(whole, accounts=tuple(replace(one, reports=0) for one in whole.accounts))


async def open_in_the_chapters_lane(
    self: ChapterWriter,
    orders: Lane,
    before: Standing,
    carried: Carried,
    wanted: Chapter | None = None,
) -> Standing:
    """Planted: the opening is said in the lane of the content, which a sleeper can write to."""
    real_publish = Lane.publish

    async def elsewhere(
        lane: Lane, id: str, payload: bytes, event_time: int = 0, kind: Kind = Kind.CONTENT
    ) -> Stored:
        if kind is not Kind.OPENED:
            return await real_publish(lane, id, payload, event_time, kind)
        last = await self._bus.last(self.subject)
        assert last is not None
        message = Message(self.subject, id, payload, lane.epoch, kind)
        stored = await self._bus.publish(message, last.sequence)
        return Stored(message, stored.sequence, last.sequence)

    Lane.publish = elsewhere  # type: ignore[method-assign,assignment]
    try:
        return await REAL_OPEN(self, orders, before, carried, wanted)
    finally:
        Lane.publish = real_publish  # type: ignore[method-assign]


async def signals_of_any_chapter(self: SignalsReader, close_time: int) -> object:
    """Planted: what a model said ahead of a chapter counts in it; an older close is passed over."""
    received = await self.next()
    while received.noun.close_time < close_time:
        received = await self.next()
    return received


def begin_as_if_unsent(self: OrderLog, carried: Iterable[CarriedOrder]) -> None:
    """Planted: an order that was accepted before the chapter is sent again in it."""
    REAL_BEGIN(self, [replace(one, word=OrderWord.NONE) for one in carried])


def test_a_chapter_without_marks_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(Carrying, "carried", carried_without_marks)
    breach = first_breach()
    assert breach is not None
    say(f"planted: a chapter without marks, caught by {breach}")


def test_report_numbers_that_restart_are_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(Carrying, "carried", carried_with_report_0)
    breach = first_breach()
    assert breach is not None
    say(f"planted: report numbers restart, caught by {breach}")


def test_a_chapter_that_opens_in_the_wrong_lane_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(ChapterWriter, "open", open_in_the_chapters_lane)
    breach = first_breach()
    assert breach is not None
    say(f"planted: opened in the wrong lane, caught by {breach}")


def test_signals_of_the_old_chapter_that_are_taken_are_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(SignalsReader, "at", signals_of_any_chapter)
    breach = first_breach()
    assert breach is not None
    say(f"planted: signals of the old chapter taken, caught by {breach}")


def test_an_accepted_order_that_is_sent_again_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(OrderLog, "begin", begin_as_if_unsent)
    breach = first_breach(kills_of("execution", "publish FILLS"), Identity.NOT_UNIQUE)
    assert breach is not None
    say(f"planted: an accepted order sent again, caught by {breach}")


def test_the_same_runs_are_quiet_without_a_bug() -> None:
    assert first_breach() is None
    assert first_breach(kills_of("execution", "publish FILLS"), Identity.NOT_UNIQUE) is None
