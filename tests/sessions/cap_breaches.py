"""The cap invariant, checked from what was published alone: no line of the engine is used here.

No approved order raises an exposure above its cap, at decision prices, with all working orders
filled; a halted book only flattens, after a daily loss orders only reduce.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.orders import Decision
from stratvector.trading.reasons import Outcome
from stratvector.trading.session import Session

TOLERANCE = 1e-9

Lots = dict[str, int]


@dataclass
class Account:
    """Positions and working orders, folded from events and decisions."""

    positions: Lots = field(default_factory=dict)
    working: Lots = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)

    def settle(self, event: FillEvent) -> None:
        if event.kind is FillKind.FILLED:
            self.positions[event.symbol] = self.positions.get(event.symbol, 0) + event.lots
            self.working[event.symbol] -= event.lots
        elif event.kind in TERMINAL and self.orders.get(event.symbol) == event.order_id:
            self.working[event.symbol] = 0

    def place(self, decision: Decision) -> None:
        for cancel in decision.cancels:
            self.working[cancel.symbol] = 0
        for order in decision.orders:
            assert not self.working.get(order.symbol), f"two orders of {order.symbol} are working"
            self.working[order.symbol] = order.lots
            self.orders[order.symbol] = order.order_id

    def once_filled(self) -> Lots:
        symbols = {**self.positions, **self.working}
        return {s: self.positions.get(s, 0) + self.working.get(s, 0) for s in symbols}


def cap_breaches(
    session: Session, decisions: Sequence[Decision], events: Sequence[FillEvent]
) -> list[str]:
    """A line for every order that breaks the invariant; events belong to their known close."""
    waiting, closes = list(events), []
    for decision in decisions:
        known = [event for event in waiting if event.known_time <= decision.close_time]
        waiting = waiting[len(known) :]
        closes.append((known, decision))
    return breaches_by_close(session, closes)


def breaches_by_close(
    session: Session,
    closes: Iterable[tuple[Sequence[FillEvent], Decision]],
    chapters: Mapping[int, Session] | None = None,
    marks: Sequence[Mapping[str, float]] | None = None,
) -> list[str]:
    """The same, from the events that each decision had folded in; and symbols frozen by nothing.

    chapters : number -> the session with that chapter's limits and symbols, where it has others.
    marks : the last price of each symbol at each close; None for those of the session's bars.
    """
    account, breaches = Account(), []
    sessions = chapters or {}
    for t, (events, decision) in enumerate(closes):
        session = sessions.get(decision.chapter, session)
        for event in events:
            account.settle(event)
        lines = list(_frozen(decision, account.working))
        before, positions = account.once_filled(), dict(account.positions)
        account.place(decision)
        after = account.once_filled()
        strict = session.portfolio.limits.cash == "strict"
        lines += _flow(decision, positions, after, strict)
        if decision.equity > 0:
            known = _known(session, t) if marks is None else _on_grid(session, marks[t])
            lines += _caps(session, known, decision, before, after)
        elif decision.orders and not decision.halted:
            lines.append("orders without equity")
        breaches += [f"close {t}: {line}" for line in lines]
    return breaches


def _frozen(decision: Decision, working: Lots) -> Iterator[str]:
    """Symbols that wait for an order which has ended: its reservation leaked."""
    for row in decision.symbols:
        if row.outcome is Outcome.WORKING and not working.get(row.symbol):
            yield f"{row.symbol} is frozen, but no order of it is working"


def _flow(decision: Decision, positions: Lots, after: Lots, strict: bool) -> Iterator[str]:
    """What a halted book and a reduce-only one may not do. strict : cash bounds what is bought."""
    for order in decision.orders:
        held, will = positions.get(order.symbol, 0), after[order.symbol]
        cut = strict and held < will < 0
        if decision.halted and will != 0 and not cut:
            yield f"{order.symbol} is not flattened by a halted book: {held} -> {will}"
        if decision.reduce_only and not min(0, held) <= will <= max(0, held):
            yield f"{order.symbol} grows after a daily loss: {held} -> {will}"


def _caps(
    session: Session, known: Mapping[str, float], decision: Decision, before: Lots, after: Lots
) -> Iterator[str]:
    """Groups above their cap in which an order raises an exposure. known : last prices."""
    value = _values(session, known, decision.equity)
    for name, cap, symbols, side in _groups(session, decision.equity):
        total = sum(side(value(s, after.get(s, 0))) for s in symbols)
        if total <= cap + TOLERANCE:
            continue
        for order in decision.orders:
            was = side(value(order.symbol, before.get(order.symbol, 0)))
            will = side(value(order.symbol, after[order.symbol]))
            if order.symbol in symbols and will > was + TOLERANCE:
                yield f"{name} {total:.6f} > {cap:.6f}, and {order.symbol} goes {was} -> {will}"


def _known(session: Session, t: int) -> dict[str, float]:
    """The last close of each symbol that has one, by the session's bars."""
    marks = dict[str, float]()
    for s, symbol in enumerate(session.portfolio.symbols):
        known = [c for c in session.market.close[: t + 1, s].tolist() if c == c]
        marks |= {symbol: known[-1]} if known else {}
    return marks


def _on_grid(session: Session, marks: Mapping[str, float]) -> dict[str, float]:
    """The same of prices as bars tell them."""
    instruments = session.portfolio.instruments
    return {i.symbol: float(i.price(marks[i.symbol])) for i in instruments if i.symbol in marks}


def _values(
    session: Session, known: Mapping[str, float], equity: float
) -> Callable[[str, int], float]:
    """Signed exposure of lots of a symbol at its last known close."""
    units = {
        one.symbol: known.get(one.symbol, 0.0) * float(one.lot_size)
        for one in session.portfolio.instruments
    }
    return lambda symbol, lots: lots * units[symbol] / equity


def _long(exposure: float) -> float:
    return max(0.0, exposure)


Group = tuple[str, float, set[str], Callable[[float], float]]


def _groups(session: Session, equity: float) -> Iterator[Group]:
    """Every cap: name, fraction of equity, symbols, and what of an exposure counts."""
    limits, instruments = session.portfolio.limits, session.portfolio.instruments
    everything = {i.symbol for i in instruments}
    if limits.symbol is not None:
        yield from ((f"symbol {s}", limits.symbol, {s}, abs) for s in sorted(everything))
    if limits.asset is not None:
        for asset in sorted({i.asset for i in instruments}):
            members = {i.symbol for i in instruments if i.asset == asset}
            yield f"asset {asset}", limits.asset, members, abs
    for asset_class, cap in limits.class_caps.items():
        members = {i.symbol for i in instruments if i.asset_class == asset_class}
        if cap is not None:
            yield f"class {asset_class}", cap, members, abs
    if limits.invested is not None:
        yield "invested", limits.invested, everything, _long
    if limits.gross is not None:
        yield "gross", limits.gross, everything, abs
    if limits.capital is not None:
        yield "capital", limits.capital / equity, everything, abs
