"""account: what the lanes of orders and fills say together: entry prices, and halts.

The lanes are read each at its own pace. A decision is of a close, and so is the report that closes
it at each account: a halt is judged on the holdings of its own close, however far any lane has been
read.
"""

from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal

from stratvector.trading.carried import Carried
from stratvector.trading.fills import FillEvent
from stratvector.trading.halts import Halt, HaltState, HaltWatch
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio, RiskLimits


@dataclass(frozen=True)
class Holding:
    """lots : signed, never 0. entry_price : average cost of the lots held, base currency per unit,
    slippage included, commission left out.
    """

    lots: int
    entry_price: Decimal

    def unrealised_pnl(self, quantity: Decimal, mark: float) -> Decimal:
        """Profit if all were sold at a mark, before commission. quantity : of the lots, units."""
        return quantity * (Decimal(repr(mark)) - self.entry_price)


def after_fill(before: Holding | None, lots: int, price: Decimal) -> Holding | None:
    """A holding after an execution of signed lots at average cost; None when nothing is left."""
    if before is None:
        return Holding(lots, price) if lots else None
    left = before.lots + lots
    if not left:
        return None
    if (before.lots > 0) == (lots > 0):
        paid = before.entry_price * before.lots + price * lots
        return Holding(left, paid / left)
    turned = (left > 0) != (before.lots > 0)
    return Holding(left, price if turned else before.entry_price)


@dataclass(frozen=True)
class AccountState:
    """An account as it is. undecided : decisions that wait for their fills. turns : by account,
    closes (ns UTC), and whether it is flat from there on. closed : by account, the newest that is
    read.
    """

    holdings: dict[str, Holding]
    halts: HaltState
    limits: RiskLimits
    undecided: tuple[tuple[Decision, RiskLimits], ...]
    turns: dict[str, tuple[tuple[int, bool], ...]]
    flat: dict[str, bool]
    flat_at_decision: dict[str, bool]
    tripped: tuple[bool, bool]
    closed: dict[str, int]


class Account:
    """Folds the lanes; each in its own order, in any order of one against the other.

    holdings : by symbol, after the newest fill. lasting : the halts that have not ended, as of the
    closes that both lanes cover.
    """

    def __init__(self, portfolio: Portfolio) -> None:
        self.holdings: dict[str, Holding] = {}
        self.lasting: tuple[Halt, ...] = ()
        self._watch = HaltWatch(portfolio)
        self._limits, self._account_of = portfolio.limits, portfolio.account_of
        names = portfolio.account_names
        # Decisions that wait for their fills, each with the limits of its chapter.
        self._undecided: deque[tuple[Decision, RiskLimits]] = deque()
        self._turns = {name: deque[tuple[int, bool]]() for name in names}
        self._flat = dict.fromkeys(names, True)
        self._flat_at_decision = dict(self._flat)
        self._tripped = (False, False)
        self._closed = dict.fromkeys(names, 0)

    @property
    def state(self) -> AccountState:
        """What `resume` goes on from."""
        return AccountState(
            dict(self.holdings),
            self._watch.state,
            self._watch.limits,
            tuple(self._undecided),
            {name: tuple(turns) for name, turns in self._turns.items()},
            dict(self._flat),
            dict(self._flat_at_decision),
            self._tripped,
            dict(self._closed),
        )

    def resume(self, state: AccountState) -> None:
        """Go on from another account's state; `hold` says the limits of the newest chapter."""
        self.holdings = dict(state.holdings)
        self._watch.resume(state.halts)
        self._watch.limits = state.limits
        self._undecided = deque(state.undecided)
        self._turns = {name: deque(turns) for name, turns in state.turns.items()}
        self._flat, self._flat_at_decision = dict(state.flat), dict(state.flat_at_decision)
        self._tripped, self._closed = state.tripped, dict(state.closed)
        self.lasting = tuple(halt for halt in self.halts if halt.until is None)

    def begin_with(self, carried: Carried) -> None:
        """Begin with a book in the middle of its life. What its lots were bought for is unknown
        until they are sold.
        """
        unknown = Decimal("NaN")
        held = {one.symbol: one.lots for one in carried.symbols if one.lots}
        self.holdings = {symbol: Holding(lots, unknown) for symbol, lots in held.items()}
        self._watch.resume(
            HaltState(carried.peak, carried.day_start, carried.last_equity, carried.day, {}, ())
        )
        self._flat = {name: self._is_flat(name) for name in self._flat}
        self._flat_at_decision = dict(self._flat)
        self._closed = dict.fromkeys(self._flat, carried.close_time)

    def holding(self, symbol: str, lots: int) -> Holding | None:
        """What is held of a symbol, if it is that many lots.

        Others are of another close: the lanes are read one after the other, and their entry price
        belongs to a position that the asker does not have.
        """
        held = self.holdings.get(symbol)
        if held is None or held.lots != lots or held.entry_price.is_nan():
            return None
        return held

    @property
    def halts(self) -> tuple[Halt, ...]:
        """All so far, in the order of the closes that tripped them."""
        return self._watch.halts

    @property
    def halted_since(self) -> int | None:
        """The close (ns UTC) from which the portfolio is halted by its drawdown, else None."""
        return self._watch.halted_since

    def hold(self, portfolio: Portfolio) -> None:
        """From the next decision on, its limits hold."""
        self._limits = portfolio.limits
        self._account_of = {**self._account_of, **portfolio.account_of}

    def take_fill(self, event: FillEvent) -> None:
        """An execution."""
        holding = after_fill(self.holdings.get(event.symbol), event.lots, event.price)
        if holding is None:
            self.holdings.pop(event.symbol, None)
        else:
            self.holdings[event.symbol] = holding

    def close_read(self, account: str, close_time: int) -> None:
        """All executions of an account up to a close, ns UTC, were taken."""
        flat, self._closed[account] = self._is_flat(account), close_time
        if flat != self._flat[account]:
            self._flat[account] = flat
            self._turns[account].append((close_time, flat))

    def _is_flat(self, account: str) -> bool:
        return all(self._account_of[symbol] != account for symbol in self.holdings)

    def take_decision(self, decision: Decision) -> None:
        """A decision, in the order of closes."""
        # What a halt is told from, alone: many may wait while the fills are read anew.
        told_from = replace(decision, orders=(), cancels=(), crosses=(), symbols=())
        self._undecided.append((told_from, self._limits))

    def settle(self) -> list[tuple[Halt, bool]]:
        """Judge the decisions whose fills are here; the halts that began (True) or ended."""
        changed: list[tuple[Halt, bool]] = []
        read = min(self._closed.values())
        while self._undecided and self._undecided[0][0].close_time <= read:
            decision, self._watch.limits = self._undecided.popleft()
            changed += self._judge(decision)
        if changed or self.lasting:
            self.lasting = tuple(halt for halt in self.halts if halt.until is None)
        return changed

    def _judge(self, decision: Decision) -> list[tuple[Halt, bool]]:
        for account, turns in self._turns.items():
            while turns and turns[0][0] <= decision.close_time:
                self._flat_at_decision[account] = turns.popleft()[1]
        self._watch.take(decision, all(self._flat_at_decision.values()))
        tripped, time = (decision.halted, decision.reduce_only), decision.close_time
        if tripped == self._tripped:
            return []
        self._tripped = tripped
        return [
            (halt, halt.until is None) for halt in self.halts if time in (halt.since, halt.until)
        ]
