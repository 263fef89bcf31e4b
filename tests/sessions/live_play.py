"""A session played close by close through the live parts: account, simulated broker and ledger,
without a bus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stratvector.contracts.codecs import decode_chapter, encode_chapter
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.bars import ClosedBars
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying
from stratvector.trading.chapters import Chapter, ChapterBars
from stratvector.trading.closing import with_closing
from stratvector.trading.executions import cancelled
from stratvector.trading.fills import FillEvent, FillsReport
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.logged import Logged
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.portfolio import ModelAllocation, Portfolio
from stratvector.trading.reasons import SignalReason
from stratvector.trading.session import Session
from stratvector.trading.signals import Action, SignalRow, Signals
from stratvector.trading.simulated_broker import SimulatedBroker


@dataclass(frozen=True, eq=False)
class Played:
    """Decisions, events and ledger entries in the order of the closes, and the account after the
    last."""

    decisions: tuple[Decision, ...]
    events: tuple[FillEvent, ...]
    entries: tuple[LedgerEntry, ...]
    account: PortfolioAccount


class SlowToCancel(SimulatedBroker):
    """A venue at which every order fills before its cancel arrives."""

    def cancel(self, order_id: str) -> bool:
        return False


def play_live(
    session: Session,
    venue: type[SimulatedBroker] = SimulatedBroker,
    closes_per_chapter: int | None = None,
    wanted: Mapping[int, Portfolio] | None = None,
) -> Played:
    """What risk, execution and ledger make of a session whose bars and signals are never late.

    closes_per_chapter : after so many closes every part is made anew of what is carried, and has
    gone over the wire. wanted : after so many closes, what is wanted of the chapter that begins
    there, in which the models that it does not name have been removed.
    """
    portfolio, schedule = session.portfolio, session.schedule
    changed = {} if wanted is None else wanted
    account, carrying = PortfolioAccount(portfolio), Carrying(portfolio)
    broker, ledger = venue(portfolio), LedgerFold(portfolio)
    decisions, events, entries = [], list[FillEvent](), []
    ended: list[FillEvent] = []
    for index, close_time in enumerate(schedule.close_times.tolist()):
        universes = schedule.universes_at(index)
        bars = [_closed(session, name, close_time) for name in universes]
        known = (*ended, *broker.match(close_time, bars))
        for event in known:
            account.settle(event)
        signals = {
            model.name: _signals(session, model, close_time)
            for model in portfolio.signalling(universes)
        }
        account.observe(close_time, bars, signals)
        decision = account.decide(close_time, Cut())
        account.place(decision)
        _follow(carrying, portfolio, bars, signals, known, decision)
        ended = _execute(broker, decision)
        decisions.append(decision)
        events.extend(known)
        entries.append(ledger.fold(known, bars, tuple(signals.values()), decision))
        closes = index + 1
        if closes in changed or (closes_per_chapter and closes % closes_per_chapter == 0):
            carried = over_the_wire(session, account.carried(carrying))
            portfolio = with_closing(changed.get(closes, _named(portfolio)), carried)
            account, ledger = PortfolioAccount(portfolio, carried), LedgerFold(portfolio, carried)
            carrying, broker = Carrying(portfolio, carried), venue(portfolio)
            for one in carried.orders:
                broker.accept(one.order)
    return Played(tuple(decisions), tuple(events), tuple(entries), account)


def _named(portfolio: Portfolio) -> Portfolio:
    """What a document says of it."""
    return replace(portfolio, models=portfolio.active)


def over_the_wire(session: Session, carried: Carried) -> Carried:
    """What a reader of the second chapter gets."""
    portfolio = session.portfolio
    bars = (ChapterBars("u", "hash", 0),)
    chapter = Chapter(portfolio.name, 2, "engine", "{}", bars, portfolio.run, "first", carried)
    received = decode_chapter(encode_chapter(chapter)).carried
    assert received is not None
    return received


def _follow(
    carrying: Carrying,
    portfolio: Portfolio,
    bars: Sequence[ClosedBars],
    signals: Mapping[str, Signals],
    events: Sequence[FillEvent],
    decision: Decision,
) -> None:
    """What risk hears beside its account."""
    account_of = portfolio.account_of
    reports = [
        FillsReport(
            portfolio.name,
            name,
            0,
            tuple(event for event in events if account_of[event.symbol] == name),
        )
        for name in portfolio.account_names
    ]
    carrying.hear(
        decision.close_time,
        [Logged(section, "", 0) for section in bars],
        {name: Logged(one, "", 0) for name, one in signals.items()},
        [Logged(report, "", 0) for report in reports],
    )
    carrying.place(decision, 0)


def _execute(broker: SimulatedBroker, decision: Decision) -> list[FillEvent]:
    ended = [
        cancelled(cancel.order_id, cancel.symbol, decision.close_time)
        for cancel in decision.cancels
        if broker.cancel(cancel.order_id)
    ]
    for order in decision.orders:
        broker.accept(order)
    return ended


def _closed(session: Session, universe: str, close_time: int) -> ClosedBars:
    bars = session.histories[universe].bars
    timeframe = session.portfolio.universe(universe).timeframe
    opened = session.open_time(universe, close_time)
    return bars.closed(bars.at(close_time), universe, timeframe, open_time=opened)


def _signals(session: Session, model: ModelAllocation, close_time: int) -> Signals:
    bars, scan = session.histories[model.universe].bars, session.scans[model.name]
    row = bars.at(close_time)
    pairs: Sequence[tuple[str, float]] = list(
        zip(bars.symbols, np.asarray(scan.weights[row]).tolist(), strict=True)
    )
    rows = tuple(
        SignalRow(symbol, weight, 1.0, Action.HOLD, SignalReason.NONE) for symbol, weight in pairs
    )
    return Signals(
        session.portfolio.name, model.name, "1.0.0", close_time, rows, tuple(scan.states[row]), ""
    )
