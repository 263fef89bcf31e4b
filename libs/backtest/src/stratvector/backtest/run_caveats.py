"""Caveats that only a run can show: one function per kind, each from a finished result."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratvector.trading.caveats import Caveat
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import Outcome
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY

if TYPE_CHECKING:
    from stratvector.backtest.result import Result

Examiner = Callable[["Result"], Iterator[Caveat]]

NAMED_SYMBOLS = 3


def borrowed_cash(result: "Result") -> Iterator[Caveat]:
    """Cash below zero under limits that allow no leverage: fills above the decision's price."""
    gross = result.session.portfolio.limits.gross
    if gross is None or gross > 1.0:
        return
    below = [entry for entry in result.entries if entry.cash < 0]
    if not below:
        return
    lowest = min(below, key=lambda entry: entry.cash)
    share = abs(float(lowest.cash)) / lowest.decision.equity if lowest.decision.equity > 0 else 1.0
    days = len({(entry.close_time - 1) // NANOSECONDS_PER_DAY for entry in below})
    sentence = (
        f"cash went below zero on {days:,} UTC days although gross exposure is capped at "
        f"{gross:g}: the lowest is {lowest.cash:,.2f}, {share:.1%} of equity; no interest is "
        "charged for it, and cash: strict orders only what cash pays for"
    )
    yield Caveat("cash_below_zero", sentence, None, below[0].close_time, below[-1].close_time, days)


@dataclass
class _Held:
    """Closes at which a symbol's target stayed without an order, and the largest such target."""

    closes: list[int] = field(default_factory=list)
    largest: float = 0.0

    def add(self, decision: Decision, exposure: float) -> None:
        self.closes.append(decision.close_time)
        self.largest = max(self.largest, abs(exposure) * decision.equity)


def never_traded(result: "Result") -> Iterator[Caveat]:
    """Symbols that were wanted and never ordered, because a lot, the minimum order or the band is
    too large for what their models may hold: one caveat per universe and kind.
    """
    portfolio, entries = result.session.portfolio, result.entries
    traded = {o.symbol for entry in entries for o in entry.decision.orders}
    traded |= {c.symbol for entry in entries for c in entry.decision.crosses}
    held: dict[tuple[str, str], _Held] = defaultdict(_Held)
    for entry in entries:
        for row in entry.decision.symbols:
            if row.symbol in traded or not row.stages or row.stages[-1] == 0.0:
                continue
            if row.outcome is Outcome.BELOW_BAND:
                held["below_minimum_order", row.symbol].add(entry.decision, row.stages[-1])
            elif row.outcome is Outcome.NO_CHANGE and row.target_lots == 0:
                held["lot_too_large", row.symbol].add(entry.decision, row.stages[-1])
    for universe in portfolio.universes:
        for code in ("below_minimum_order", "lot_too_large"):
            found = {s: held[code, s] for s in universe.symbols if (code, s) in held}
            if found:
                models = [m.name for m in portfolio.models if m.universe == universe.name]
                yield _never(code, ", ".join(models), found, portfolio.limits)


def _never(code: str, models: str, found: dict[str, _Held], limits: RiskLimits) -> Caveat:
    names = list(found)
    listed = ", ".join(names[:NAMED_SYMBOLS])
    rest = f" and {len(names) - NAMED_SYMBOLS:,} more" if len(names) > NAMED_SYMBOLS else ""
    closes = [close for one in found.values() for close in one.closes]
    largest = max(one.largest for one in found.values())
    why = (
        "one lot costs more than that"
        if code == "lot_too_large"
        else f"minimum_order_notional is {limits.minimum_order_notional:,g}"
    )
    sentence = (
        f"{models} wanted {listed}{rest} {len(closes):,} times and never got an order: the largest "
        f"target was {largest:,.2f}, and {why}"
    )
    return Caveat(code, sentence, models, min(closes), max(closes), len(closes))


EXAMINERS: tuple[Examiner, ...] = (borrowed_cash, never_traded)
"""Every kind, in the order of reports."""


def run_caveats(result: "Result") -> Iterator[Caveat]:
    """What the run itself makes doubtful."""
    for examine in EXAMINERS:
        yield from examine(result)
