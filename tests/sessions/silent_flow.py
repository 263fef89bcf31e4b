"""Runs with deadlines in which lanes of bars fall silent: who was called absent, whether rightly,
and what became of the bars that came late.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from stratvector.contracts.codecs import decode_closed_bars, decode_fills_report
from stratvector.runtime.logged_session import FEED_DEADLINE_SECONDS
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.clock import SimulatedClock
from stratvector.runtime.simulation.fate import Plan
from stratvector.runtime.simulation.faults import Faults
from stratvector.services.market_data.replay import ReplayLane
from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillKind, FillsReport
from stratvector.trading.lanes import bars_lane, fills_lane
from stratvector.trading.session import Session
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND
from stratvector.trading.used_bars import ABSENT
from tests.sessions.generated_sessions import HOUR, START, Shape
from tests.sessions.late_flow import paper_session
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

SHAPE = Shape(universes=2, symbols=2, models=3, closes=30, warmup=2)
SLOW = Faults(delay_seconds_max=0.05)
SILENT_SECONDS = 3.0  # after which a universe is absent
FIRST_SECONDS = 5.0  # when the session's first bars come
SETTLED_SECONDS = 10.0  # in which whatever came late is taken up, if any close follows
REAL_PUBLISH = ReplayLane._publish


@dataclass(frozen=True)
class Silence:
    """A universe says nothing from one hour of the session until another, and then all at once."""

    universe: str
    begins: float
    ends: float


def paced(monkeypatch: pytest.MonkeyPatch, silences: Iterable[Silence] = ()) -> None:
    """An hour of the session takes a second."""
    quiet = list(silences)

    async def publish(self: ReplayLane, section: ClosedBars) -> None:
        hours = (section.close_time - START) / HOUR
        for one in quiet:
            if section.universe == one.universe and one.begins <= hours < one.ends:
                hours = one.ends
        clock = self._ports.clock
        if hours >= 0.0:
            assert isinstance(clock, SimulatedClock)
            await clock.sleep(max(0.0, FIRST_SECONDS + hours - clock._scheduler.now))
        await REAL_PUBLISH(self, section)

    monkeypatch.setattr(ReplayLane, "_publish", publish)


def session_of(seed: int, shape: Shape = SHAPE, counts: bool = False) -> Session:
    """See `paper_session`."""
    return paper_session(seed, shape, counts)


def universes_of(seed: int, shape: Shape = SHAPE) -> tuple[str, ...]:
    """By name, the one with the most closes first."""
    session = session_of(seed, shape)
    closes = {u.name: len(session.schedule.closes_of(u.name)) for u in session.portfolio.universes}
    return tuple(sorted(closes, key=lambda name: -closes[name]))


def run(
    session: Session,
    seed: int = 0,
    faults: Faults = SLOW,
    plans: Iterable[Plan] = (),
    identity: Identity | None = None,
    instances: int = 1,
    closes_per_chapter: int = 5_000,
    silent_seconds: float = SILENT_SECONDS,
) -> Flow:
    return run_flow(
        session,
        seed,
        faults,
        plans,
        identity,
        instances,
        closes_per_chapter,
        absent_after_deadlines=silent_seconds / FEED_DEADLINE_SECONDS,
    )


def absences(flow: Flow) -> list[tuple[str, int]]:
    """Universe and close of each time that one was named absent."""
    return [(name, d.close_time) for d in flow.decisions for name in d.cut.absent]


def late_bars(flow: Flow) -> list[tuple[str, int]]:
    """Universe and the close at which late bars were taken up."""
    return [(one.universe, d.close_time) for d in flow.decisions for one in d.cut.late]


@dataclass(frozen=True)
class _Told:
    """A message of bars that may trade. at : when it was stored, UTC ns of the world."""

    id: str
    section: ClosedBars
    at: int


def _lanes(flow: Flow) -> Mapping[str, list[_Told]]:
    portfolio, bus, start = flow.session.portfolio, flow.world.bus, flow.session.start
    return {
        universe.name: [
            _Told(stored.message.id, section, bus.utc_of(stored))
            for stored in bus.contents(bars_lane(portfolio, universe))
            for section in [decode_closed_bars(stored.message.payload)]
            if section.close_time >= start
        ]
        for universe in portfolio.universes
    }


def _reports(flow: Flow) -> list[tuple[FillsReport, int]]:
    """Those that close, each with when it was stored."""
    bus = flow.world.bus
    stored = bus.contents(
        fills_lane(flow.session.portfolio, flow.session.portfolio.account_names[0])
    )
    found = [(decode_fills_report(one.message.payload), bus.utc_of(one)) for one in stored]
    return [(report, at) for report, at in found if report.closed is not None]


def misjudged(flow: Flow, silent_seconds: float = SILENT_SECONDS) -> list[str]:
    """What was called absent too early or though it was there, late though it was not, and what was
    not taken up: each message of bars is used once, in order, as long as closes follow.
    """
    lanes, reports = _lanes(flow), _reports(flow)
    left = {name: list(told) for name, told in lanes.items()}
    breaches, before = list[str](), FillsReport("", "", 0, (), -1)
    for report, at in reports:
        close_time = report.closed or 0
        for one in report.late:
            told = left[one.universe].pop(0)
            if told.id != one.message_id or told.section.close_time > (before.closed or 0):
                breaches.append(f"{one.message_id} of {one.universe} is no late one")
        for name, used in report.bars.items():
            if used == ABSENT:
                if before.bars.get(name) != ABSENT:
                    breaches += _too_early(name, left, lanes, at, silent_seconds)
            elif (told := left[name].pop(0)).id != used or told.section.close_time != close_time:
                breaches.append(f"{used} of {name} are not the bars of {close_time}")
        before = report
    ended = reports[-1][1]
    for name, rest in left.items():
        settled = ended - round(SETTLED_SECONDS * NANOSECONDS_PER_SECOND)
        breaches += [f"{one.id} of {name} was not taken up" for one in rest if one.at < settled]
    return breaches


def _too_early(
    name: str,
    left: Mapping[str, list[_Told]],
    lanes: Mapping[str, list[_Told]],
    judged: int,
    silent_seconds: float,
) -> Iterator[str]:
    """Others are held up from when they have bars of the close that the universe is silent at."""
    if not left[name]:
        return
    told = left[name][0]
    others = [
        one.at
        for other, lane in lanes.items()
        for one in lane
        if other != name and one.section.close_time >= told.section.close_time
    ]
    until = min(others) + round(silent_seconds * NANOSECONDS_PER_SECOND)
    if judged < until:
        yield f"{name} was called absent too early"
    if told.at < until:
        yield f"{told.id} of {name} was there in time"


def backdated(flow: Flow) -> list[str]:
    """Executions in bars that came late, of orders that were decided after those had opened."""
    decided = {o.order_id: o.decided_at for d in flow.decisions for o in d.orders}
    late = {one.message_id for d in flow.decisions for one in d.cut.late}
    opened = {
        (symbol, told.section.open_time)
        for lane in _lanes(flow).values()
        for told in lane
        for symbol in told.section.symbols
        if told.id in late
    }
    return [
        f"order {event.order_id} was filled in bars that opened before it was decided"
        for event in flow.events
        if event.kind is FillKind.FILLED
        and (event.symbol, event.fill_time) in opened
        and event.fill_time < decided[event.order_id]
    ]


def breaches(flow: Flow, silent_seconds: float = SILENT_SECONDS) -> list[str]:
    found = [line for line in breaches_of(flow) if not any(one in line for one in _open(flow))]
    return [*found, *misjudged(flow, silent_seconds), *backdated(flow)]


def _open(flow: Flow) -> list[str]:
    """Orders that wait for bars after which no close came: a session in memory has an end."""
    lanes, left = _lanes(flow), set[str]()
    used = {one for d in flow.decisions for one in d.cut.bars.values()}
    used |= {one.message_id for d in flow.decisions for one in d.cut.late}
    for name, told in lanes.items():
        if any(one.id not in used for one in told):
            left |= set(flow.session.portfolio.universe(name).symbols)
    return [o.order_id for d in flow.decisions for o in d.orders if o.symbol in left]


def halting(session: Session) -> Session:
    """The same with a drawdown at which the book is halted soon."""
    limits = replace(session.portfolio.limits, drawdown_trigger=None, drawdown_halt=0.004)
    return replace(session, portfolio=replace(session.portfolio, limits=limits))
