"""The closes of a log are those that its bars tell, whatever was planned; bars that contradict one
another, or their chapter, are told.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from stratvector.contracts.codecs import (
    decode_closed_bars,
    decode_decision,
    decode_fills_report,
    decode_signals,
    encode_chapter,
    encode_closed_bars,
)
from stratvector.runtime.chapters import chapter_of, first_chapter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Kind, Stored
from stratvector.runtime.session_document import canonical
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.trading.bars import FIELDS, Bars, ClosedBars
from stratvector.trading.chapters import Chapter
from stratvector.trading.lanes import chapters_lane
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import Parity, check
from stratvector.trading.session import History, Session
from tests.sessions.generated_sessions import HOUR, Shape, generated_session
from tests.sessions.hand_fed import bars_lane
from tests.sessions.rewritten_log import as_stored, log_of, rewritten
from tests.sessions.simulated_flow import Flow, run_flow

Journal = Sequence[Stored]
TIMES: dict[str, Callable[[bytes], int | None]] = {
    "bars": lambda payload: decode_closed_bars(payload).close_time,
    "signals": lambda payload: decode_signals(payload).close_time,
    "fills": lambda payload: decode_fills_report(payload).closed,
    "orders": lambda payload: decode_decision(payload).close_time,
}
SHAPE = Shape(universes=2, symbols=2, models=2, closes=8, warmup=2)


@pytest.fixture(scope="module")
def flow() -> Flow:
    """A calm run of two universes with warm-up, in which orders are filled."""
    return run_flow(generated_session(8, SHAPE))


def lane_of(flow: Flow, universe: int = 0) -> str:
    """The bars lane of a universe, by its place in the portfolio."""
    return bars_lane(flow.session, flow.session.portfolio.universes[universe].name)


def bars_in(journal: Journal, lane: str) -> list[Stored]:
    """The bars of a universe as stored."""
    return [s for s in journal if s.message.subject == lane and s.message.kind is Kind.CONTENT]


def bus_of(journal: Journal) -> SimulatedBus:
    return rewritten(journal, as_stored)


def logged(flow: Flow) -> LoggedSession:
    (stored,) = flow.world.bus.contents(chapters_lane(flow.session.portfolio))
    return LoggedSession(chapter_of(stored))


def read(flow: Flow, journal: Journal) -> tuple[SessionLog, Parity]:
    """A log and its check, from the log alone."""
    session = logged(flow)
    return examined(bus_of(journal), session)


def examined(bus: SimulatedBus, session: LoggedSession) -> tuple[SessionLog, Parity]:
    log = log_of(bus, session)
    whole = session.whole(log) if log.closes else None
    return log, check(log, session, whole, chapter=session.chapter)


def saying(stored: Stored, section: ClosedBars, id: str | None = None) -> Stored:
    """A message with other bars in it, and with another id where one is given."""
    message = stored.message
    other = replace(message, payload=encode_closed_bars(section), id=id or message.id)
    return replace(stored, message=other)


def section_in(stored: Stored) -> ClosedBars:
    return decode_closed_bars(stored.message.payload)


def test_the_closes_are_the_sessions(flow: Flow) -> None:
    log, parity = read(flow, flow.world.bus.journal)
    assert log.schedule.close_times.tolist() == flow.session.schedule.close_times.tolist()
    assert (log.schedule.closes == flow.session.schedule.closes).all()
    assert (log.ended, log.scheduled) == (True, len(flow.session.schedule))
    assert (parity.is_equal, parity.is_complete, parity.notes) == (True, True, ())


def test_a_log_that_still_grows_is_equal_as_far_as_it_goes_by_the_log_alone(flow: Flow) -> None:
    journal, compared = flow.world.bus.journal, set[int]()
    decided = [n for n, one in enumerate(journal) if one.message.subject.startswith("orders.")]
    for stop in range(3, decided[-1] + 1, 3):
        log, parity = read(flow, journal[:stop])
        assert parity.first is None, stop
        assert not log.is_complete
        assert parity.notes == ()
        compared.add(parity.closes)
    assert len(compared) > 5


def as_live(journal: Journal) -> list[Stored]:
    """The same in the order of the closes, as no bars are there before they close."""
    newest, placed = dict[str, int](), list[tuple[int, int, Stored]]()
    for stored in journal:
        subject = stored.message.subject
        noun = subject.split(".")[0]
        time = newest.get(subject, 0)
        if stored.message.kind is Kind.CONTENT and noun in TIMES:
            time = TIMES[noun](stored.message.payload) or time
        newest[subject] = time
        placed.append((time, [*TIMES, "positions", "chapters"].index(noun), stored))
    return [stored for _, _, stored in sorted(placed, key=lambda place: place[:2])]


def test_a_log_may_grow_while_it_is_read(flow: Flow) -> None:
    """Lanes that are read later know closes that the bars which were read first do not."""

    class Growing:
        """Holds more messages each time that a lane is begun."""

        def __init__(self, stop: int, step: int) -> None:
            self._stop, self._step = stop, step
            self._bus = bus_of(journal[:stop])

        async def read(self, subject: str, after: int, limit: int | None = None) -> list[Stored]:
            if after == 0:
                self._bus = bus_of(journal[: self._stop])
                self._stop += self._step
            found = [s for s in self._bus.journal if s.message.subject == subject]
            return [s for s in found if s.sequence > after][:limit]

        async def last(self, subject: str) -> Stored | None:
            found = [s for s in self._bus.journal if s.message.subject == subject]
            return found[-1] if found else None

    journal = as_live(flow.world.bus.journal)
    for stop in range(3, len(journal), 5):
        log = log_of(Growing(stop, 12), flow.session)  # type: ignore[arg-type]
        assert log.halts == ()
        closes = [close.close_time for close in log.closes]
        assert closes == flow.session.schedule.close_times[: len(closes)].tolist()


@pytest.mark.parametrize("universe", [0, 1])
@pytest.mark.parametrize("missing", [1, 3])
def test_a_log_that_is_cut_short_in_one_universe_goes_as_far_as_this_one(
    flow: Flow, universe: int, missing: int
) -> None:
    cut = bars_in(flow.world.bus.journal, lane_of(flow, universe))[-missing:]
    log, parity = read(flow, [s for s in flow.world.bus.journal if s not in cut])
    first_missing = section_in(cut[0]).close_time
    before = [t for t in flow.session.schedule.close_times.tolist() if t < first_missing]
    assert [close.close_time for close in log.closes] == before
    assert (log.halts, log.ended, log.is_complete) == ((), False, False)
    assert (parity.is_equal, parity.is_complete) == (True, False)
    assert (parity.closes, parity.scheduled) == (len(before), len(flow.session.schedule))


def test_a_log_without_any_bars_of_one_universe_has_no_close(flow: Flow) -> None:
    gone = bars_in(flow.world.bus.journal, lane_of(flow))
    log, parity = read(flow, [s for s in flow.world.bus.journal if s not in gone])
    assert (log.closes, log.halts, log.is_complete) == ((), (), False)
    assert (parity.closes, parity.is_complete) == (0, False)


def off_plan(session: Session) -> Session:
    """The same with an early close and a holiday in its first universe."""
    name = session.portfolio.universes[0].name
    history = session.histories[name]
    closes, opens = history.bars.close_times.copy(), history.open_times
    closes[5] -= HOUR // 2
    kept = np.arange(len(closes)) != 7
    values = (getattr(history.bars, field)[kept] for field in FIELDS)
    bars = Bars(history.bars.symbols, closes[kept], *values)
    return replace(session, histories={**session.histories, name: History(bars, opens[kept])})


def test_a_close_at_an_unplanned_time_that_the_bars_promised_reads_well() -> None:
    flow = run_flow(off_plan(generated_session(8, SHAPE)))
    log, parity = read(flow, flow.world.bus.journal)
    name = flow.session.portfolio.universes[0].name
    own = flow.session.schedule.closes_of(name)
    assert log.schedule.closes_of(name).tolist() == own.tolist()
    assert HOUR // 2 in {int(time) % HOUR for time in own}
    assert len(set(np.diff(own).tolist())) > 2
    assert (parity.is_equal, parity.is_complete) == (True, True)
    assert any(close.decision.noun.orders for close in log.closes)


def without(place: int) -> Callable[[list[Stored]], list[Stored]]:
    return lambda bars: [s for n, s in enumerate(bars) if n != place % len(bars)]


def swapped(bars: list[Stored]) -> list[Stored]:
    """Two neighbours in each other's place."""
    return [*bars[:3], bars[4], bars[3], *bars[5:]]


def doubled(bars: list[Stored]) -> list[Stored]:
    """One message twice, the second under an id of its own."""
    return [*bars[:4], saying(bars[3], section_in(bars[3]), "f" * 32), *bars[4:]]


def added(bars: list[Stored]) -> list[Stored]:
    """A close between two, that the one before promises, and that promises the one after."""
    before, after = section_in(bars[3]), section_in(bars[4])
    between = replace(before, close_time=after.close_time - 1, next_close=after.close_time)
    promising = saying(bars[3], replace(before, next_close=between.close_time))
    return [*bars[:3], promising, saying(bars[3], between, "f" * 32), *bars[4:]]


def after_the_end(bars: list[Stored]) -> list[Stored]:
    last = section_in(bars[-1])
    return [*bars, saying(bars[-1], replace(last, close_time=last.close_time + HOUR), "f" * 32)]


def endless(bars: list[Stored]) -> list[Stored]:
    last = section_in(bars[-1])
    return [*bars[:-1], saying(bars[-1], replace(last, next_close=last.close_time + HOUR))]


def ended_early(bars: list[Stored]) -> list[Stored]:
    return [*bars[:-2], saying(bars[-2], replace(section_in(bars[-2]), next_close=0))]


def moved_warmup(bars: list[Stored]) -> list[Stored]:
    """The first bar closes at another time, which no message can contradict."""
    first = section_in(bars[0])
    return [saying(bars[0], replace(first, close_time=first.close_time - 1)), *bars[1:]]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (without(0), "what='closes'"),
        (without(1), "the message before said that the next close is"),
        (without(4), "the message before said that the next close is"),
        (swapped, "the message before said that the next close is"),
        (doubled, "close times must increase"),
        (added, "what='orders.expires_at'"),
        (after_the_end, "the message before said that the next close is 0"),
        (endless, "says at the session's last close"),
        (ended_early, "was asked for close"),
        (moved_warmup, "what='hash'"),
    ],
)
def test_bars_that_are_not_what_was_published_are_told(
    flow: Flow, edit: Callable[[list[Stored]], list[Stored]], told: str
) -> None:
    lane, journal = lane_of(flow), flow.world.bus.journal
    bars = bars_in(journal, lane)
    others = [s for s in journal if s not in bars]
    # Bars have a stream of their own: what other messages name of theirs stays what it was.
    _, parity = read(flow, [*others, *edit(bars)])
    assert parity.first is not None
    assert told in str(parity.first)


def test_bars_that_tell_a_consistent_other_story_are_not_those_of_the_chapter(flow: Flow) -> None:
    """What its messages can't contradict, the chapter's hash and its count do."""
    session = logged(flow)
    log = log_of(flow.world.bus, session)
    chapter = session.chapter
    first, *rest = chapter.bars
    for other, what in [
        (replace(first, closes=first.closes + 1), "closes"),
        (replace(first, hash="f" * 64), "hash"),
    ]:
        told = replace(chapter, bars=(other, *rest))
        parity = check(log, session, session.whole(log), chapter=told)
        assert parity.first is not None
        assert (parity.first.noun, parity.first.subject) == ("bars", first.universe)
        assert (parity.first.what, parity.first.against) == (what, "chapter")


def test_a_document_that_counts_other_closes_than_the_bars_is_told(flow: Flow) -> None:
    session = edited(logged(flow), closes=3)
    _, parity = examined(bus_of(flow.world.bus.journal), session)
    assert parity.first is not None
    assert (parity.first.what, parity.first.replayed) == ("closes", "3")
    assert parity.first.logged == str(len(flow.session.schedule))


def edited(session: LoggedSession, **changes: object) -> LoggedSession:
    """The same with something else in its document."""
    document = canonical(json.loads(session.chapter.document) | changes)
    return LoggedSession(replace(session.chapter, document=document))


def without_end(session: LoggedSession) -> LoggedSession:
    """The same as of a live feed: nobody knows how many bars there will be."""
    session = edited(session, closes=None, last_close=None)
    bars = tuple(replace(one, closes=0) for one in session.chapter.bars)
    return LoggedSession(replace(session.chapter, bars=bars))


def test_a_log_without_a_known_end_is_read_as_far_as_it_goes(flow: Flow) -> None:
    session, journal = without_end(logged(flow)), flow.world.bus.journal
    last = bars_in(journal, lane_of(flow))[-1]
    log, parity = examined(bus_of([s for s in journal if s is not last]), session)
    assert (log.scheduled, log.halts, log.ended) == (None, (), False)
    assert 0 < parity.closes < len(flow.session.schedule)
    assert (parity.is_equal, parity.is_complete, parity.scheduled) == (True, False, None)


def test_a_chapters_size_does_not_depend_on_how_many_closes_it_has() -> None:
    def size(chapter: Chapter) -> int:
        return len(encode_chapter(chapter))

    short, long = (
        first_chapter(generated_session(3, Shape(1, 1, 1, closes=closes))) for closes in (6, 6_000)
    )
    assert long.bars[0].closes - short.bars[0].closes >= 5_000
    assert size(long) - size(short) < 8  # digits of the document's count, and of this one
    million = replace(short, bars=tuple(replace(one, closes=10**6) for one in short.bars))
    assert size(million) - size(short) <= 2 * len(short.bars)
