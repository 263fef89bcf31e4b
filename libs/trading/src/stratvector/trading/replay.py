"""The backtest: a session through the compiled loop, put into the words of orders and fills
afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from stratvector.trading.decisions import DecisionReader
from stratvector.trading.engine.journal import Journal, new_journal
from stratvector.trading.engine.session import indices, run_recorded, unrolled_models
from stratvector.trading.engine.state import STAGES, new_book, new_plan
from stratvector.trading.engine_rules import cash_of, groups_of, rules_of
from stratvector.trading.executions import expired, filled
from stratvector.trading.fills import FillEvent
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.schedule import Schedule
from stratvector.trading.session import Session

CHUNK_CLOSES = 256
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run gave: decisions at every close, executions and expiries in order, and the
    engine's journal.
    """

    session: Session
    decisions: tuple[Decision, ...]
    events: tuple[FillEvent, ...]
    journal: Journal

    def __repr__(self) -> str:
        counts = f"{len(self.decisions):,} decisions, {len(self.events):,} events"
        return f"Outcome({self.session.portfolio.name!r}, {counts})"

    @property
    def close_times(self) -> tuple[int, ...]:
        """The decided closes."""
        return tuple(d.close_time for d in self.decisions)


def run(session: Session, progress: Progress | None = None) -> Outcome:
    """Run a session. progress : called with (closes done, closes in all) now and then."""
    portfolio, market = session.portfolio, session.market
    rules = rules_of(portfolio)
    closes, count, models = len(session.schedule), len(portfolio.symbols), len(portfolio.models)
    book = new_book(count, models, *cash_of(portfolio))
    plan = new_plan(count, models, groups_of(rules), np.zeros((STAGES, count)))
    journal = new_journal(closes, count, models)
    multipliers, weights = np.ones((closes, models)), session.weights
    axes = (indices(count), unrolled_models(models))
    for first in range(0, closes, CHUNK_CLOSES):
        stop = min(closes, first + CHUNK_CLOSES)
        run_recorded(first, stop, market, weights, multipliers, book, rules, plan, journal, *axes)
        if progress is not None:
            progress(stop, closes)
    return _narrate(session, journal)


def _narrate(session: Session, journal: Journal) -> Outcome:
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
    return Outcome(session, tuple(decisions), tuple(events), journal)


def _next_close(schedule: Schedule, close_time: int, universe: str) -> int:
    return schedule.next_close(universe, close_time) or 0
