"""From the engine's arrays to the `orders` noun: one close of a journal becomes one `Decision`.

The backtest reads its journal this way after the loop, the risk service a journal of one close;
there is no other place where a decision is put into words.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from stratvector.trading.engine.journal import Journal
from stratvector.trading.identity import order_id
from stratvector.trading.orders import (
    ApprovedOrder,
    Cancel,
    Cross,
    Cut,
    Decision,
    SymbolDecision,
)
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.reasons import Outcome, WeightReason

OUTCOMES = {int(outcome): outcome for outcome in Outcome}
NextClose = Callable[[str], int]
REASONS = {int(reason): reason for reason in WeightReason}


class DecisionReader:
    """Reads decisions of one portfolio off journals."""

    def __init__(self, portfolio: Portfolio) -> None:
        self._portfolio = portfolio
        self._instruments = portfolio.instruments
        self._account_of = portfolio.account_of
        self._universe_of = {i.symbol: u.name for u in portfolio.universes for i in u.instruments}

    def decision(
        self,
        journal: Journal,
        t: int,
        close_time: int,
        cut: Cut,
        working: dict[str, str],
        next_close: NextClose,
    ) -> Decision:
        """Row t of a journal. working : symbol -> id of the order that a cancel is meant for.

        next_close : when a universe closes next, at which its orders expire; 0 = never again, or
        unknown, as the universe is absent.
        """
        ordered = journal.order_lots[t].nonzero()[0].tolist()
        cancelled = journal.cancel[t].nonzero()[0].tolist()
        crossed = journal.cross_parts[t].any(axis=0).nonzero()[0].tolist()
        return Decision(
            portfolio=self._portfolio.name,
            close_time=close_time,
            equity=float(journal.equity[t]),
            gross_exposure=float(journal.gross[t]),
            drawdown_factor=float(journal.factor[t]),
            halted=bool(journal.flags[t, 0]),
            reduce_only=bool(journal.flags[t, 1]),
            orders=tuple(self._order(journal, t, s, close_time, next_close) for s in ordered),
            cancels=tuple(
                Cancel(working[self._instruments[s].symbol], self._instruments[s].symbol)
                for s in cancelled
            ),
            crosses=tuple(self._cross(journal, t, s) for s in crossed),
            symbols=tuple(self._symbols(journal, t)),
            cut=cut,
        )

    def _order(
        self, journal: Journal, t: int, s: int, close_time: int, next_close: NextClose
    ) -> ApprovedOrder:
        symbol, portfolio = self._instruments[s].symbol, self._portfolio
        account = self._account_of[symbol]
        return ApprovedOrder(
            order_id=order_id(portfolio.run, portfolio.name, account, symbol, close_time),
            symbol=symbol,
            lots=int(journal.order_lots[t, s]),
            parts=tuple(journal.order_parts[t, :, s].tolist()),
            reference_price=self._price(journal, t, s),
            decided_at=close_time,
            expires_at=next_close(self._universe_of[symbol]),
        )

    def _cross(self, journal: Journal, t: int, s: int) -> Cross:
        parts = tuple(journal.cross_parts[t, :, s].tolist())
        return Cross(self._instruments[s].symbol, parts, self._price(journal, t, s))

    def _price(self, journal: Journal, t: int, s: int) -> Decimal:
        """The mark as money: crosses settle at it."""
        instrument = self._instruments[s]
        return instrument.price(float(journal.mark[t, s]))

    def _symbols(self, journal: Journal, t: int) -> Iterator[SymbolDecision]:
        """What was planned, or was not and why; read by the row, which is what costs."""
        rows = zip(
            self._instruments,
            journal.planned[t].tolist(),
            journal.outcome[t].tolist(),
            journal.stages[t].T.tolist(),
            journal.target_lots[t].tolist(),
            journal.weight_reason[t].T.tolist(),
            strict=True,
        )
        for instrument, planned, outcome, stages, target_lots, reasons in rows:
            if planned or outcome:
                yield SymbolDecision(
                    symbol=instrument.symbol,
                    outcome=OUTCOMES[outcome],
                    stages=tuple(stages) if planned else (),
                    target_lots=target_lots,
                    weight_reasons=tuple([REASONS[reason] for reason in reasons]),
                )
