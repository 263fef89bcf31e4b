"""The backtest: a session through the compiled loop. What it did is kept as rows of arrays; the
words of orders and fills are made when somebody asks, by going through it once more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from stratvector.trading.decisions import DecisionReader
from stratvector.trading.engine.events import new_closes, new_rows, new_tally
from stratvector.trading.engine.journal import Journal, new_journal
from stratvector.trading.engine.session import indices, run_events, run_recorded, unrolled_models
from stratvector.trading.engine.state import STAGES, Book, Floats, Plan, new_book, new_plan
from stratvector.trading.engine_rules import cash_of, groups_of, rules_of
from stratvector.trading.executions import expired, filled
from stratvector.trading.fills import FillEvent
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.run_events import RowChunks, RunEvents
from stratvector.trading.schedule import Schedule
from stratvector.trading.session import Session

CHUNK_STEPS = 65_536  # of one symbol; progress is told after each chunk
ROWS_MIN = 1_024  # of each kind in a chunk
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run gave.

    rows : orders, executions and figures per close. The rest is worked out when it is asked for, by
    a second, recorded run: journal : every figure of every close. decisions : one per close.
    events : executions and expiries in order.
    """

    session: Session
    rows: RunEvents

    def __repr__(self) -> str:
        counts = f"{len(self.rows.orders):,} orders, {len(self.rows.fills):,} fills"
        return f"Outcome({self.session.portfolio.name!r}, {self.session.closes:,} closes, {counts})"

    @cached_property
    def journal(self) -> Journal:
        """Every figure of every close."""
        return journal_of(self.session)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The decision at each close."""
        return self._words[0]

    @cached_property
    def events(self) -> tuple[FillEvent, ...]:
        """Executions and expiries, in the order in which they became known."""
        return self._words[1]

    @property
    def close_times(self) -> tuple[int, ...]:
        """The decided closes."""
        return tuple(self.session.schedule.close_times.tolist())

    @cached_property
    def _words(self) -> tuple[tuple[Decision, ...], tuple[FillEvent, ...]]:
        return narrated(self.session, self.journal)


def run(session: Session, progress: Progress | None = None) -> Outcome:
    """Run a session. progress : called with (closes done, closes in all) now and then."""
    portfolio, market = session.portfolio, session.market
    count, models, closes = len(portfolio.symbols), len(portfolio.models), len(session.schedule)
    rules, (book, plan) = rules_of(portfolio), _books(portfolio)
    kept, tally, chunks = new_closes(closes), new_tally(count), RowChunks()
    chunk = max(1, CHUNK_STEPS // count)
    # At every close a symbol may have one order and two endings.
    rows = new_rows(max(ROWS_MIN, 4 * count), count, models)
    multipliers, weights = np.ones((closes, models)), session.weights
    axes = (indices(count), unrolled_models(models))
    t = 0
    while t < closes:
        stop = min(closes, (t // chunk + 1) * chunk)
        t = run_events(
            t, stop, market, weights, multipliers, book, rules, plan, kept, rows, tally, *axes
        )
        chunks.take(rows)
        if progress is not None:
            progress(t, closes)
    return Outcome(session, chunks.whole(kept, tally, models))


def journal_of(session: Session, progress: Progress | None = None) -> Journal:
    """Run a session and record every figure of every close."""
    portfolio, market = session.portfolio, session.market
    rules, (book, plan) = rules_of(portfolio), _books(portfolio)
    closes, count, models = len(session.schedule), len(portfolio.symbols), len(portfolio.models)
    journal = new_journal(closes, count, models)
    multipliers, weights = np.ones((closes, models)), session.weights
    axes = (indices(count), indices(models))
    chunk = max(1, CHUNK_STEPS // count)
    for first in range(0, closes, chunk):
        stop = min(closes, first + chunk)
        run_recorded(first, stop, market, weights, multipliers, book, rules, plan, journal, *axes)
        if progress is not None:
            progress(stop, closes)
    return journal


def _books(portfolio: Portfolio) -> tuple[Book, Plan]:
    count, models = len(portfolio.symbols), len(portfolio.models)
    stages: Floats = np.zeros((STAGES, count))
    groups = groups_of(rules_of(portfolio))
    return new_book(count, models, *cash_of(portfolio)), new_plan(count, models, groups, stages)


def narrated(
    session: Session, journal: Journal
) -> tuple[tuple[Decision, ...], tuple[FillEvent, ...]]:
    """Journal rows as decisions and events."""
    portfolio, schedule = session.portfolio, session.schedule
    reader = DecisionReader(portfolio)
    symbols = portfolio.symbols
    universe_of = {i.symbol: u.name for u in portfolio.universes for i in u.instruments}
    working: dict[str, str] = {}
    decisions: list[Decision] = []
    events: list[FillEvent] = []
    for t, close_time in enumerate(schedule.close_times.tolist()):
        for s in np.flatnonzero(journal.fill_lots[t] | journal.expired[t]).tolist():
            order, instrument = working.pop(symbols[s]), portfolio.instruments[s]
            if journal.fill_lots[t, s]:
                times = (session.open_time(universe_of[symbols[s]], close_time), close_time)
                events.append(
                    filled(
                        order,
                        instrument,
                        int(journal.fill_lots[t, s]),
                        float(journal.fill_price[t, s]),
                        int(journal.fill_commission[t, s]),
                        float(session.market.open[t, s]),
                        times,
                    )
                )
            if journal.expired[t, s]:
                events.append(expired(order, symbols[s], close_time))
        next_close = partial(_next_close, schedule, close_time)
        decision = reader.decision(journal, t, close_time, Cut(), working, next_close)
        for cancel in decision.cancels:
            working.pop(cancel.symbol)
        working |= {o.symbol: o.order_id for o in decision.orders}
        decisions.append(decision)
    return tuple(decisions), tuple(events)


def _next_close(schedule: Schedule, close_time: int, universe: str) -> int:
    return schedule.next_close(universe, close_time) or 0
