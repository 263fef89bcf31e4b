"""What "equal to the backtest" means, whoever ran the session."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from stratvector.trading import replay
from stratvector.trading.chapters import FIRST
from stratvector.trading.fills import FillEvent
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.orders import Cut, Decision
from stratvector.trading.session import Session
from tests.sessions.simulated_flow import MARKET_WORDS


class Played(Protocol):
    """A finished run: decisions, events and ledger entries in the order of the closes."""

    @property
    def decisions(self) -> list[Decision]: ...

    @property
    def events(self) -> list[FillEvent]: ...

    @property
    def entries(self) -> Sequence[LedgerEntry]: ...


def explained(decisions: list[Decision]) -> list[Decision]:
    """Decisions without their cut and chapter: a backtest reads no messages, so it has none."""
    return [
        replace(decision, cut=Cut(), chapter=FIRST, ends_chapter=False) for decision in decisions
    ]


def assert_equal_to_backtest(session: Session, flow: Played) -> None:
    """Orders, executions, expiries, reasons, stages, equity bits and attribution."""
    outcome = replay.run(session)
    assert explained(flow.decisions) == list(outcome.decisions)
    assert [e for e in flow.events if e.kind in MARKET_WORDS] == list(outcome.events)
    bits = np.array([d.equity for d in flow.decisions]).view(np.int64)
    assert bits.tolist() == outcome.journal.equity.view(np.int64).tolist()
    for t, entry in enumerate(flow.entries):
        for m, model in enumerate(entry.models):
            lots = outcome.journal.model_lots[t, m].tolist()
            held = zip(session.portfolio.symbols, lots, strict=True)
            assert model.positions == {symbol: count for symbol, count in held if count}
