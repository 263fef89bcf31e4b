"""Fills computed again: the simulated broker gets the logged orders and meets the logged bars."""

from collections.abc import Iterator, Sequence

from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried, OrderWord
from stratvector.trading.executions import cancelled
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.logged import Logged, LoggedChapter, LoggedClose
from stratvector.trading.orders import ApprovedOrder, Cancel, Decision
from stratvector.trading.parity.chapters import begins_of, carried_of
from stratvector.trading.parity.difference import Difference, Fact, gaps, text
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.simulated_broker import SimulatedBroker

ENDS = TERMINAL | {FillKind.FILLED}


class ExecutionReplay:
    """What the accounts' lanes must say of each decision's orders by the next close.

    simulated_broker : False for another venue, of which only the claims are checked. begins : the
    chapter that the log is read from, None for the first of all.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        simulated_broker: bool,
        chapters: Sequence[LoggedChapter] = (),
        begins: LoggedChapter | None = None,
    ) -> None:
        self._begins = begins_of(chapters)
        self._portfolio = portfolio
        self._broker = SimulatedBroker(portfolio) if simulated_broker else None
        self._decision: Logged[Decision] | None = None
        # Of the newest decision: what it ordered, what it called back, and when.
        self._orders, self._cancels = tuple[ApprovedOrder, ...](), tuple[Cancel, ...]()
        self._decided_at = 0
        if (carried := carried_of(begins)) is not None:
            self._go_on_from(carried)

    def _go_on_from(self, carried: Carried) -> None:
        """Orders that nobody claimed yet are the newest decision's; the others work already."""
        fresh = [one.word is OrderWord.NONE for one in carried.orders]
        orders = [one.order for one in carried.orders]
        self._orders = tuple(order for order, is_new in zip(orders, fresh, strict=True) if is_new)
        self._cancels, self._decided_at = carried.cancels, carried.close_time
        if self._broker is not None:
            self._broker.begin(self._portfolio, carried)
            for order, is_new in zip(orders, fresh, strict=True):
                if not is_new:
                    self._broker.accept(order)

    def at(self, index: int, close: LoggedClose) -> Iterator[Difference]:
        """How the fills up to a close differ."""
        yield from self._claims(close)
        if self._broker is not None:
            logged = tuple(event for event in close.events if event.kind in ENDS)
            for gap in gaps(logged, self._executions(self._broker, close), "events"):
                facts = self._facts(gap.subject, close)
                yield self._difference(
                    close, gap.what, gap.subject, gap.logged, gap.replayed, facts
                )
        self._decision, decided = close.decision, close.decision.noun
        self._orders, self._cancels = decided.orders, decided.cancels
        self._decided_at = decided.close_time

    def _claims(self, close: LoggedClose) -> Iterator[Difference]:
        """Every order is claimed once before its outcome, and nothing else is."""
        expected = [order.order_id for order in self._orders]
        symbols = {order.order_id: order.symbol for order in self._orders}
        claims = [e for e in close.events if e.kind is FillKind.SENDING]
        claimed = [claim.order_id for claim in claims]
        symbols |= {claim.order_id: claim.symbol for claim in claims}
        for order in dict.fromkeys((*expected, *claimed)):
            counts = text(claimed.count(order)), text(expected.count(order))
            if counts[0] != counts[1]:
                facts = (Fact("order", order, order),)
                yield self._difference(close, "claims", symbols[order], *counts, facts)

    def _executions(self, broker: SimulatedBroker, close: LoggedClose) -> tuple[FillEvent, ...]:
        cancels = [
            cancelled(cancel.order_id, cancel.symbol, self._decided_at)
            for cancel in self._cancels
            if broker.cancel(cancel.order_id)
        ]
        for order in self._orders:
            broker.accept(order)
        if (chapter := self._begins.get(self._decided_at)) is not None:
            self._portfolio = chapter.portfolio
            broker.begin(chapter.portfolio, chapter.noun.carried)
        closing = [logged.noun for logged in close.bars.values()]
        events = (*cancels, *broker.match(close.close_time, closing, close.late_sections))
        places = {name: place for place, name in enumerate(self._portfolio.account_names)}
        account_of = self._portfolio.account_of
        return tuple(sorted(events, key=lambda event: places[account_of[event.symbol]]))

    def _facts(self, symbol: str, close: LoggedClose) -> tuple[Fact, ...]:
        """The order and the bar that met it, which both sides share."""
        facts = [_shared("order", order) for order in self._orders if order.symbol == symbol]
        for section in close.sections:
            if symbol in section.symbols:
                facts += _bar_facts(symbol, section)
        return tuple(facts)

    def _difference(
        self,
        close: LoggedClose,
        what: str,
        symbol: str,
        logged: str,
        replayed: str,
        facts: tuple[Fact, ...],
    ) -> Difference:
        messages = {f"bars {universe}": bars.id for universe, bars in close.bars.items()}
        if self._decision is not None:
            messages["orders"] = self._decision.id
        messages |= fills_numbered(close)
        return Difference(
            "fills",
            close.close_time,
            symbol,
            what,
            logged,
            replayed,
            facts=facts,
            messages=messages,
        )


def fills_numbered(close: LoggedClose) -> dict[str, str]:
    """Ids of a close's reports by number; of several accounts also by account."""
    reports = [one.noun for one in close.reports]
    several = len({report.account for report in reports}) > 1
    names = [f"{one.account} {one.number}" if several else f"{one.number}" for one in reports]
    return {f"fills {n}": one.id for n, one in zip(names, close.reports, strict=True)}


def _shared(what: str, value: ApprovedOrder | float) -> Fact:
    return Fact(what, text(value), text(value))


def _bar_facts(symbol: str, section: ClosedBars) -> list[Fact]:
    column = section.symbols.index(symbol)
    return [
        _shared(f"bar {name}", float(values[column]))
        for name, values in (("open", section.open), ("volume", section.volume))
    ]
