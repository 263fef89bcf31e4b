"""Fills computed again: the simulated broker gets the logged orders and meets the logged bars."""

from collections.abc import Iterator, Sequence

from stratvector.trading.bars import ClosedBars
from stratvector.trading.executions import cancelled
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.logged import Logged, LoggedChapter, LoggedClose
from stratvector.trading.orders import ApprovedOrder, Decision
from stratvector.trading.parity.chapters import begins_of
from stratvector.trading.parity.difference import Difference, Fact, gaps, text
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.simulated_broker import SimulatedBroker

ENDS = TERMINAL | {FillKind.FILLED}


class ExecutionReplay:
    """What the accounts' lanes must say of each decision's orders by the next close.

    simulated_broker : False for another venue, of which only the claims are checked.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        simulated_broker: bool,
        chapters: Sequence[LoggedChapter] = (),
    ) -> None:
        self._begins = begins_of(chapters)
        self._portfolio = portfolio
        self._broker = SimulatedBroker(portfolio) if simulated_broker else None
        self._decision: Logged[Decision] | None = None

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
        self._decision = close.decision

    def _claims(self, close: LoggedClose) -> Iterator[Difference]:
        """Every order is claimed once before its outcome, and nothing else is."""
        orders = () if self._decision is None else self._decision.noun.orders
        expected = [order.order_id for order in orders]
        symbols = {order.order_id: order.symbol for order in orders}
        claims = [e for e in close.events if e.kind is FillKind.SENDING]
        claimed = [claim.order_id for claim in claims]
        symbols |= {claim.order_id: claim.symbol for claim in claims}
        for order in dict.fromkeys((*expected, *claimed)):
            counts = text(claimed.count(order)), text(expected.count(order))
            if counts[0] != counts[1]:
                facts = (Fact("order", order, order),)
                yield self._difference(close, "claims", symbols[order], *counts, facts)

    def _executions(self, broker: SimulatedBroker, close: LoggedClose) -> tuple[FillEvent, ...]:
        cancels: list[FillEvent] = []
        if self._decision is not None:
            decision = self._decision.noun
            cancels = [
                cancelled(cancel.order_id, cancel.symbol, decision.close_time)
                for cancel in decision.cancels
                if broker.cancel(cancel.order_id)
            ]
            for order in decision.orders:
                broker.accept(order)
            if (chapter := self._begins.get(decision.close_time)) is not None:
                self._portfolio = chapter.portfolio
                broker.begin(chapter.portfolio, chapter.noun.carried)
        closing = [logged.noun for logged in close.bars.values()]
        events = (*cancels, *broker.match(close.close_time, closing, close.late_sections))
        places = {name: place for place, name in enumerate(self._portfolio.account_names)}
        account_of = self._portfolio.account_of
        return tuple(sorted(events, key=lambda event: places[account_of[event.symbol]]))

    def _facts(self, symbol: str, close: LoggedClose) -> tuple[Fact, ...]:
        """The order and the bar that met it, which both sides share."""
        decision = None if self._decision is None else self._decision.noun
        orders = () if decision is None else decision.orders
        facts = [_shared("order", order) for order in orders if order.symbol == symbol]
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
