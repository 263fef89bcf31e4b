"""One session through the five services on the simulated bus, and what is left to look at."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest

from stratvector.contracts.codecs import decode_decision, decode_fills_report, decode_opened
from stratvector.runtime.deployment import (
    ABSENT_AFTER_DEADLINES,
    SIGNALS_DEADLINE_SECONDS,
    BrokerFactory,
    Build,
    Deployment,
    installed_services,
)
from stratvector.runtime.host import ServiceFactory
from stratvector.runtime.ports import LEASE_SECONDS, Kind
from stratvector.runtime.simulation.broker_double import BrokerDouble, Identity
from stratvector.runtime.simulation.fate import Plan
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.trading import replay
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import CLOSES_PER_CHAPTER, Opened
from stratvector.trading.engine.matching import match_market
from stratvector.trading.engine_rules import rules_of
from stratvector.trading.executions import filled
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.lanes import fills_lanes, orders_lane
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.logged import SessionLog
from stratvector.trading.orders import LATE, ApprovedOrder, Decision
from stratvector.trading.parity import check
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.session import Session
from tests.sessions.cap_breaches import breaches_by_close
from tests.sessions.rewritten_log import chapters_of, log_of

MARKET_WORDS = (FillKind.FILLED, FillKind.EXPIRED)
Arrange = Callable[[World, str, ServiceFactory], bool]


@dataclass(frozen=True)
class Flow:
    """A finished run."""

    session: Session
    world: World
    store: MemoryLedgerStore
    double: BrokerDouble | None
    later: Sequence[Session] = ()

    @property
    def entries(self) -> list[LedgerEntry]:
        """The ledger, in the order of the closes."""
        return [self.store.entries[close] for close in sorted(self.store.entries)]

    @property
    def decisions(self) -> list[Decision]:
        """What the ORDERS lane says to its readers."""
        lane = orders_lane(self.session.portfolio)
        return [
            decode_decision(s.message.payload)
            for s in self.world.bus.contents(lane)
            if s.message.kind is Kind.CONTENT
        ]

    @property
    def openings(self) -> list[Opened]:
        """The chapters that opened after the first one, as the ORDERS lane says it."""
        lane = orders_lane(self.session.portfolio)
        return [
            decode_opened(s.message.payload)
            for s in self.world.bus.contents(lane)
            if s.message.kind is Kind.OPENED
        ]

    @property
    def events(self) -> list[FillEvent]:
        """What the FILLS lanes say to their readers: close by close, account by account."""
        lanes = fills_lanes(self.session.portfolio).values()
        closes = zip_longest(*map(self._events_by_close, lanes), fillvalue=())
        return [event for close in closes for events in close for event in events]

    def _events_by_close(self, lane: str) -> list[Sequence[FillEvent]]:
        closes = list[list[FillEvent]]([[]])
        for stored in self.world.bus.contents(lane):
            report = decode_fills_report(stored.message.payload)
            closes[-1] += report.events
            if report.closed is not None:
                closes.append([])
        return list(closes)


def run_flow(
    session: Session,
    seed: int = 0,
    faults: Faults | None = None,
    plans: Iterable[Plan] = (),
    identity: Identity | None = None,
    instances: int = 1,
    closes_per_chapter: int = CLOSES_PER_CHAPTER,
    beside: ServiceFactory | None = None,
    spreads: bool = False,
    joining_seconds: float = 0.0,
    lease_seconds: float = LEASE_SECONDS,
    signals_deadline_seconds: float = SIGNALS_DEADLINE_SECONDS,
    venue: BrokerDouble | None = None,
    replaced: Mapping[str, Build] | None = None,
    later: Sequence[Session] = (),
    arrange: Arrange | None = None,
    absent_after_deadlines: float = ABSENT_AFTER_DEADLINES,
) -> Flow:
    """Run to the end. identity : of a broker double; None is the simulated broker. beside : runs
    along, and need not come to an end. spreads : instances share their lanes. joining_seconds :
    after which all but the first instance of a service start. venue : a broker double of the
    caller's. replaced : services that are built otherwise. later : sessions whose bars may be
    wanted while it runs. arrange : adds a service to the world in its own way, and says so.
    """
    world = World(seed, faults, plans, 3_600.0, lease_seconds=lease_seconds)
    store = MemoryLedgerStore()
    double = venue
    if double is None and identity is not None:
        double = broker_double(session, identity)
    broker = None if double is None else accounts_at(double, [session, *later])
    deployment = Deployment(
        session,
        store,
        broker,
        closes_per_chapter=closes_per_chapter,
        signals_deadline_seconds=signals_deadline_seconds,
        later=later,
        absent_after_deadlines=absent_after_deadlines,
    )
    services = installed_services() | dict(replaced or {})
    for name, build in services.items():
        factory, joining = partial(build, deployment), instances - 1 if joining_seconds else 0
        if arrange is not None and arrange(world, name, factory):
            continue
        world.add(name, factory, instances - joining, spreads=spreads)
        world.add(name, factory, joining, joining_seconds, spreads)
    if beside is not None:
        world.add("beside", beside)
    world.run(until=list(services))
    return Flow(session, world, store, double, later)


def broker_double(
    session: Session, identity: Identity, kind: type[BrokerDouble] = BrokerDouble
) -> BrokerDouble:
    """A venue that prices by the engine's matching and rejects one order in twenty, by its id."""
    rules = rules_of(session.portfolio)
    instruments = session.portfolio.instruments
    index = {i.symbol: n for n, i in enumerate(instruments)}

    def price(order: ApprovedOrder, bars: ClosedBars) -> FillEvent | None:
        column, s = bars.symbols.index(order.symbol), index[order.symbol]
        opened, volume = float(bars.open[column]), float(bars.volume[column])
        reference = float(order.reference_price)
        lots, price, commission = match_market(order.lots, reference, opened, volume, s, rules)
        if lots != order.lots:
            return None
        times = (bars.open_time, bars.close_time)
        return filled(order.order_id, instruments[s], lots, price, commission, opened, times)

    def refuse(order: ApprovedOrder) -> str | None:
        return "margin" if int(order.order_id[:8], 16) % 20 == 0 else None

    return kind(price, identity, refuse)


def accounts_at(venue: BrokerDouble, sessions: Iterable[Session]) -> BrokerFactory:
    """A venue's accounts, whose memory survives every process of ours."""
    accounts = {s: a for one in sessions for s, a in one.portfolio.account_of.items()}
    symbols = defaultdict[str, set[str]](set)
    for symbol, account in accounts.items():
        symbols[account].add(symbol)
    seen = {account: venue.at(those) for account, those in symbols.items()}
    return lambda ports, account: seen[account]


def breaches_of(flow: Flow) -> list[str]:
    """I1, I2, I4 and I5 of a run, and parity; empty when all hold."""
    return [*breaches_in_the_log(flow), *_unequal_to_backtest(flow)]


def breaches_in_the_log(flow: Flow) -> list[str]:
    """The same without the backtest, which knows no changed document."""
    return [
        *_without_parity(flow),
        *_accepted_twice(flow),
        *_without_outcome(flow),
        *_unequal_to_broker(flow),
        *_above_cap_or_frozen(flow),
        *_wanted_no_more(flow),
    ]


def _without_parity(flow: Flow) -> list[str]:
    """The log by its cuts, and the ledger against it. Half of all logs are read as a whole, which
    holds what each chapter carries against a fold from the first message, and half chapter by
    chapter, each from what it carries to what the next one does; a log's length says which.
    """
    if len(flow.world.bus.journal) % 2:
        return _without_parity_by_chapter(flow)
    log = log_of(flow.world.bus, flow.session)
    found = check(log, flow.session, simulated_broker=flow.double is None)
    if len(log.chapters) != len(flow.openings):
        return [f"{len(log.chapters)} chapters are read, {len(flow.openings)} have opened"]
    if not found.is_equal:
        return [f"parity: {found.first}"]
    return _other_record(flow, log.entries)


def _without_parity_by_chapter(flow: Flow) -> list[str]:
    chapters, simulated = chapters_of(flow.world.bus, flow.session.portfolio), flow.double is None
    if len(chapters) != len(flow.openings) + 1:
        return [f"{len(chapters)} chapters are read, {len(flow.openings)} have opened"]
    for standing, log in chapters:
        found = check(log, flow.session, simulated_broker=simulated)
        if not found.is_equal:
            return [f"parity of chapter {standing.number} alone: {found.first}"]
    return _other_record(flow, [entry for _, log in chapters for entry in log.entries])


def _other_record(flow: Flow, entries: Sequence[LedgerEntry]) -> list[str]:
    is_equal = repr(flow.entries) == repr(list(entries))  # a NaN is not equal to itself
    return [] if is_equal else ["the ledger's closes are not the log's"]


def _unequal_to_backtest(flow: Flow) -> list[str]:
    """On the simulated broker no fault may change a result, unless it made signals or bars late."""
    cuts = [decision.cut for decision in flow.decisions]
    if flow.double is not None or any(
        LATE in cut.signals.values() or cut.absent or cut.late for cut in cuts
    ):
        return []
    outcome = replay.run(flow.session)
    breaches = []
    if [d.orders for d in flow.decisions] != [d.orders for d in outcome.decisions]:
        breaches.append("orders differ from the backtest's")
    if [e for e in flow.events if e.kind in MARKET_WORDS] != list(outcome.events):
        breaches.append("executions differ from the backtest's")
    if [d.equity for d in flow.decisions] != outcome.journal.equity.tolist():
        breaches.append("equity differs from the backtest's")
    return breaches


def _accepted_twice(flow: Flow) -> list[str]:
    twice = [] if flow.double is None else flow.double.accepted_twice()
    return [f"I1: order {order} was accepted more than once" for order in twice]


def _without_outcome(flow: Flow) -> list[str]:
    """Orders that had a close to end at, and did not."""
    done: dict[str, int] = {}
    ended: set[str] = set()
    for event in flow.events:
        done[event.order_id] = done.get(event.order_id, 0) + event.lots
        if event.kind in TERMINAL:
            ended.add(event.order_id)
    return [
        f"I2: order {order.order_id} of {order.decided_at} has no outcome"
        for decision in flow.decisions
        for order in decision.orders
        if order.expires_at
        and order.order_id not in ended
        and done.get(order.order_id) != order.lots
    ]


def _unequal_to_broker(flow: Flow) -> list[str]:
    if flow.double is None:
        return []
    ours = [e for entry in flow.entries for e in entry.events if e.kind is FillKind.FILLED]
    breaches = []
    if sorted(e.execution_id for e in ours) != sorted(e.execution_id for e in flow.double.fills):
        breaches.append("I4: the ledger's executions are not the broker's")
    lots: dict[str, int] = {}
    for event in flow.double.fills:
        lots[event.symbol] = lots.get(event.symbol, 0) + event.lots
    held = {symbol: count for symbol, count in lots.items() if count}
    if held != flow.entries[-1].positions:
        breaches.append(f"I4: the ledger holds {flow.entries[-1].positions}, the broker {held}")
    return breaches


def _above_cap_or_frozen(flow: Flow) -> list[str]:
    closes = [(entry.events, entry.decision) for entry in flow.entries]
    log = log_of(flow.world.bus, flow.session)
    chapters = {one.noun.number: _session_of(flow, one.portfolio) for one in log.chapters}
    names = {tuple(sorted(one.histories)) for one in (flow.session, *chapters.values())}
    # A row of a session's bars is a close of the run only if all chapters have the same universes.
    told = len(names) > 1 or any(one.absent or one.earlier for one in log.closes)
    marks = _marks_of(log) if told else None
    return [f"I5: {line}" for line in breaches_by_close(flow.session, closes, chapters, marks)]


def _wanted_no_more(flow: Flow) -> list[str]:
    """What no chapter may do with symbols that are closing in it or that it does not have, by what
    was published alone: they are sold and never bought, and go when nothing is held.
    """
    first = flow.session.portfolio
    chapters = {1: first} | {
        one.noun.number: one.portfolio for one in log_of(flow.world.bus, flow.session).chapters
    }
    found = []
    for entry in flow.entries:
        decision = entry.decision
        portfolio = chapters[decision.chapter]
        closing = portfolio.closing_symbols
        for order in decision.orders:
            held = entry.positions.get(order.symbol, 0)
            grows = not min(0, held) <= held + order.lots <= max(0, held)
            if order.symbol in closing and grows:
                found.append(
                    f"{order.symbol} is closing: {held} and {order.lots} at {decision.close_time}"
                )
        if lost := set(entry.positions) - set(portfolio.symbols):
            found.append(f"{lost} held at {decision.close_time}, the chapter does not have it")
    return found


def _marks_of(log: SessionLog) -> list[dict[str, float]]:
    """The last close of each symbol that is known at each close, where some came late."""
    known, marks = dict[str, float](), list[dict[str, float]]()
    for close in log.closes:
        for section in close.sections:
            pairs = zip(section.symbols, section.close.tolist(), strict=True)
            known |= {symbol: price for symbol, price in pairs if price == price}
        marks.append(dict(known))
    return marks


def _session_of(flow: Flow, portfolio: Portfolio) -> Session:
    """The run's session with the limits and the bars of a chapter, whose universes may be those of
    several documents.
    """
    known = {
        (universe.name, universe.symbols): (universe, one.histories[universe.name])
        for one in (*flow.later, flow.session)
        for universe in one.portfolio.universes
    }
    parts = [known[universe.name, universe.symbols] for universe in portfolio.universes]
    session = flow.session
    universes = tuple(universe for universe, _ in parts)
    names = {universe.name for universe in universes}
    models = tuple(one for one in session.portfolio.models if one.universe in names)
    return replace(
        session,
        portfolio=replace(
            session.portfolio, limits=portfolio.limits, universes=universes, models=models
        ),
        histories={universe.name: history for universe, history in parts},
    )
