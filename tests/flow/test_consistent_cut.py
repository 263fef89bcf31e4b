"""A log that was copied stream by stream while it grew, cut, and gone on from in another world: it
ends equal to the backtest, whenever which stream was copied. Without the cut, or copied in another
order, it does not.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.contracts.codecs import decode_decision, decode_fills_report, decode_opened
from stratvector.runtime.consistent_cut import (
    LaneCut,
    chapter_of_signals,
    copying_order,
    cut_orders,
    cut_signals,
)
from stratvector.runtime.host import ServiceFactory
from stratvector.runtime.ports import Arrivals, Kind, Message, Published, Stored
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import SimulationError, World
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.flow import stream_of
from stratvector.trading.orders import LATE
from stratvector.trading.session import Session
from stratvector.trading.used_bars import ABSENT
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.late_flow import paper_session
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

SHAPE = Shape(universes=2, symbols=2, models=3, closes=14, warmup=2)
CHAPTER_CLOSES = 5
SLOW = Faults(delay_seconds_max=0.05)
FLOWS: dict[int, Flow] = {}


def flow_of(seed: int) -> Flow:
    """A finished run of several chapters. seed : below 0 of a run with deadlines."""
    if seed not in FLOWS:
        make = generated_session if seed > 0 else paper_session
        session = make(abs(seed), SHAPE)
        FLOWS[seed] = run_flow(session, abs(seed), SLOW, closes_per_chapter=CHAPTER_CLOSES)
    return FLOWS[seed]


@dataclass
class CopiedLog:
    """Speaks as much of `ports.Bus` as a reader needs."""

    messages: list[Stored] = field(default_factory=list)

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        raise AssertionError("a cut writes nothing")

    async def arrivals(self, subject: str) -> Arrivals:
        raise AssertionError("nothing arrives in a copy")

    async def last(self, subject: str) -> Stored | None:
        found = self._of(subject)
        return found[-1] if found else None

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        return [one for one in self._of(subject) if one.sequence > after][:limit]

    def lanes(self, stream: str) -> list[str]:
        subjects = {one.message.subject for one in self.messages}
        return sorted(one for one in subjects if stream_of(one) == stream)

    def _of(self, subject: str) -> list[Stored]:
        return [one for one in self.messages if one.message.subject == subject]


def copied(journal: Sequence[Stored], ends: Sequence[int], order: Sequence[str]) -> CopiedLog:
    """Each stream as it was when it was copied. ends : how many messages of all were stored then,
    stream by stream.
    """
    until = dict(zip(order, ends, strict=True))
    taken = [one for n, one in enumerate(journal) if n < until[stream_of(one.message.subject)]]
    return CopiedLog(taken)


def cut(log: CopiedLog) -> Counter[str]:
    """Leave out what can't stand together; how many messages of each stream."""
    dropped = Counter[str]()
    fills = [one.sequence for one in log.messages if stream_of(one.message.subject) == "FILLS"]

    async def drop() -> None:
        cuts = dict[str, LaneCut]()
        for lane in log.lanes("ORDERS"):
            found = await cut_orders(log, lane, max(fills, default=0))
            cuts[found.key] = found
            _remove(log, lane, found.dropped, dropped)
        for lane in log.lanes("SIGNALS"):
            gone = await cut_signals(log, lane, chapter_of_signals(lane, cuts))
            _remove(log, lane, gone, dropped)

    asyncio.run(drop())
    return dropped


def _remove(log: CopiedLog, lane: str, gone: Sequence[int], dropped: Counter[str]) -> None:
    log.messages = [
        one for one in log.messages if one.message.subject != lane or one.sequence not in gone
    ]
    dropped[stream_of(lane)] += len(gone)


def missing(log: CopiedLog) -> list[str]:
    """What messages name and is not there: fills, bars and signals of decisions, orders of fills,
    chapters of openings.
    """
    ids = {one.message.id for one in log.messages}
    ends = Counter[str]()
    for one in log.messages:
        ends[stream_of(one.message.subject)] = one.sequence
    orders, named, found = set[str](), list[FillEvent](), list[str]()
    for one in log.messages:
        stream, payload = stream_of(one.message.subject), one.message.payload
        if stream == "FILLS" and one.message.kind is Kind.CONTENT:
            named += decode_fills_report(payload).events
        elif one.message.kind is Kind.OPENED and decode_opened(payload).chapter_id not in ids:
            found.append(f"the chapter of message {one.sequence} of ORDERS")
        elif stream == "ORDERS" and one.message.kind is Kind.CONTENT:
            decision = decode_decision(payload)
            orders |= {order.order_id for order in decision.orders}
            used = {*decision.cut.bars.values(), *decision.cut.signals.values()}
            found += [f"{one} of {decision.close_time}" for one in used - ids - {ABSENT, LATE}]
            if decision.cut.fills_sequence > ends["FILLS"]:
                found.append(f"message {decision.cut.fills_sequence} of FILLS")
    return found + [f"order {one.order_id}" for one in named if one.order_id not in orders]


def gone_on_from(log: CopiedLog, ends: dict[str, int], session: Session, seed: int) -> Flow:
    """The same session in another world, whose log begins with a copy."""

    def arrange(world: World, name: str, factory: ServiceFactory) -> bool:
        if not world.bus.journal:
            for one in log.messages:
                lane = world.bus._log(one.message.subject)
                lane.stream.sequence = ends[lane.stream.name]
                lane.messages.append(one)
                world.bus.journal.append(one)
                world.bus._times[one] = 0
        return False

    return run_flow(
        session, abs(seed) + 1, SLOW, closes_per_chapter=CHAPTER_CLOSES, arrange=arrange
    )


def restored(seed: int, ends: Sequence[int], order: Sequence[str], cuts: bool = True) -> list[str]:
    """What is wrong with a flow that goes on from such a copy; empty where nothing is."""
    flow = flow_of(seed)
    log = copied(flow.world.bus.journal, ends, order)
    newest = {stream_of(one.message.subject): one.sequence for one in log.messages}
    if cuts:
        cut(log)
        assert missing(log) == []
    try:
        gone_on = gone_on_from(log, newest, flow.session, seed)
    except SimulationError as error:
        return [str(error)]
    claims = Counter(one.order_id for one in gone_on.events if one.kind is FillKind.SENDING)
    twice = [f"{order} was sent {count} times" for order, count in claims.items() if count > 1]
    return [*breaches_of(gone_on), *twice]


@given(data=st.data(), seed=st.sampled_from([3, 8, -3, -8]))
@settings(max_examples=60, deadline=None)
def test_a_log_that_was_copied_in_order_and_cut_goes_on_to_the_same_end(
    data: st.DataObject, seed: int
) -> None:
    order, length = copying_order(), len(flow_of(seed).world.bus.journal)
    places = st.lists(st.integers(0, length), min_size=len(order), max_size=len(order))
    ends = sorted(data.draw(places, label="ends"))
    assert restored(seed, ends, order) == []


def test_signals_of_a_chapter_go_where_nothing_is_decided_yet() -> None:
    """Orders are copied before there are any, signals when a later chapter has opened."""
    length = len(flow_of(-3).world.bus.journal)
    ends = [2, 3, 3, length, length, length]
    assert cut(copied(flow_of(-3).world.bus.journal, ends, copying_order()))["SIGNALS"] > 0
    assert restored(-3, ends, copying_order()) == []


def busy_ends(seed: int, share: float) -> list[int]:
    """Fills are copied in the middle of a session and everything else later."""
    length, order = len(flow_of(seed).world.bus.journal), copying_order()
    place = round(length * share)
    first = order.index("FILLS") + 1
    return [place] * first + [min(length, place + 40)] * (len(order) - first)


def shares(seed: int) -> list[float]:
    return [n / 20 for n in range(2, 18)]


def test_decisions_that_name_fills_that_are_not_there_are_left_out_and_nothing_else() -> None:
    left_out = Counter[str]()
    for share in shares(8):
        journal, order = flow_of(8).world.bus.journal, copying_order()
        log = copied(journal, busy_ends(8, share), order)
        before = list(log.messages)
        dropped = cut(log)
        left_out += dropped
        gone = [one for one in before if one not in log.messages]
        fills = max(one.sequence for one in before if stream_of(one.message.subject) == "FILLS")
        for one in log.messages:
            if stream_of(one.message.subject) == "ORDERS" and one.message.kind is Kind.CONTENT:
                assert decode_decision(one.message.payload).cut.fills_sequence <= fills
        decided = [one for one in gone if stream_of(one.message.subject) == "ORDERS"]
        for one in (one for one in decided if one.message.kind is Kind.CONTENT):
            assert decode_decision(one.message.payload).cut.fills_sequence > fills
    assert set(left_out) == {"ORDERS", "SIGNALS"}


def test_without_the_cut_some_copy_does_not_go_on_to_the_same_end() -> None:
    order = copying_order()
    assert any(restored(8, busy_ends(8, share), order, cuts=False) for share in shares(8))


@pytest.mark.parametrize(
    ("first", "second"),
    [("SIGNALS", "ORDERS"), ("CHAPTERS", "ORDERS"), ("ORDERS", "FILLS")],
)
def test_a_stream_that_is_copied_before_the_one_that_names_it_is_found(
    first: str, second: str
) -> None:
    """The streams change places, so that what is named may be missing."""
    swapped = {first: second, second: first}
    order = [swapped.get(one, one) for one in copying_order()]
    journal, found = flow_of(8).world.bus.journal, list[str]()
    for place in range(0, len(journal), 7):
        at = order.index(first) + 1
        ends = [place] * at + [min(len(journal), place + 40)] * (len(order) - at)
        log = copied(journal, ends, order)
        cut(log)
        found += missing(log)
    assert found
