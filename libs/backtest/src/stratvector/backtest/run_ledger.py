"""The ledger of a compiled run: its decisions and executions folded close by close.

The same fold as the ledger service's, so a backtest and a session through the services give the
same entries, and everything that a result says is read off entries.
"""

from collections import defaultdict

from stratvector.trading.bars import ClosedBars
from stratvector.trading.fills import FillEvent
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.ledger_fold import LedgerFold
from stratvector.trading.replay import Outcome
from stratvector.trading.session import Session


def ledger_entries(outcome: Outcome) -> tuple[LedgerEntry, ...]:
    """One entry per decided close. Signals are left out: a compiled run keeps weights only."""
    session = outcome.session
    fold = LedgerFold(session.portfolio)
    known: dict[int, list[FillEvent]] = defaultdict(list)
    for event in outcome.events:
        known[event.known_time].append(event)
    return tuple(
        fold.fold(known[decision.close_time], _closed_bars(session, t), (), decision)
        for t, decision in enumerate(outcome.decisions)
    )


def _closed_bars(session: Session, t: int) -> list[ClosedBars]:
    """The cross-sections that close at row t of the schedule."""
    close_time = int(session.schedule.close_times[t])
    sections = []
    for name in session.schedule.universes_at(t):
        bars = session.histories[name].bars
        timeframe = session.portfolio.universe(name).timeframe
        sections.append(bars.closed(bars.at(close_time), name, timeframe))
    return sections
