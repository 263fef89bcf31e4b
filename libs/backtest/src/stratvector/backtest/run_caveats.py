"""Caveats that only a run can show: one function per kind, each from a finished result."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from stratvector.backtest.metrics import DAYS_MIN, RETURNS_MIN
from stratvector.backtest.metrics.arrays import DAY_NS
from stratvector.backtest.metrics.daily import sample_days
from stratvector.trading.caveats import Caveat
from stratvector.trading.halts import DAILY_LOSS, DRAWDOWN_HALT
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.reasons import Outcome
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, utc_text

if TYPE_CHECKING:
    from stratvector.backtest.result import Result

Examiner = Callable[["Result"], Iterator[Caveat]]

NAMED_SYMBOLS = 3


def halted(result: "Result") -> Iterator[Caveat]:
    """A drawdown that stopped all trading, one caveat for each time."""
    closes = len(result.entries)
    for halt in result.halts:
        if halt.rule == DRAWDOWN_HALT:
            lasted = f"trading was halted for {halt.closes:,} of {closes:,} closes"
            yield Caveat(
                "halted",
                f"{lasted}, {halt.sentence}",
                first=halt.since,
                last=halt.until or result.entries[-1].decision.close_time,
                count=halt.closes,
            )


def stopped_by_daily_losses(result: "Result") -> Iterator[Caveat]:
    """Days on which a loss allowed no new risk, all in one caveat."""
    days = [halt for halt in result.halts if halt.rule == DAILY_LOSS]
    if not days:
        return
    closes, first, last = sum(halt.closes for halt in days), days[0], days[-1]
    limit = "" if first.limit is None else f" of {first.limit:.2%}"
    yield Caveat(
        "daily_loss",
        f"the daily loss limit{limit} allowed no new risk at {closes:,} of "
        f"{len(result.entries):,} closes, on {len(days):,} "
        f"{'day' if len(days) == 1 else 'days'} from {utc_text(first.since)} to "
        f"{utc_text(last.since)}",
        first=first.since,
        last=last.since,
        count=closes,
    )


def too_short_to_annualise(result: "Result") -> Iterator[Caveat]:
    """Few returns or days: what is told per year is left undefined."""
    known = result.observations
    if not known.suffice:
        returns = f"{known.returns:,} daily {'return' if known.returns == 1 else 'returns'}"
        yield Caveat(
            "too_short_to_annualise",
            f"{returns} over {known.days:,.2f} days tell no year (it takes {RETURNS_MIN} returns "
            f"and {DAYS_MIN:.0f} days): annualised figures, ratios and bps are undefined",
            count=known.returns,
        )


def coarse_bars(result: "Result") -> Iterator[Caveat]:
    """Bars longer than a day: daily figures are per bar, and falls inside a bar are not seen."""
    times = np.array([entry.decision.close_time for entry in result.entries], dtype=np.int64)
    gaps = np.diff(sample_days(times)) // DAY_NS
    # Of three gaps or more between days at work, most are one day long.
    if gaps.size >= 3 and (usual := float(np.median(gaps))) > 1.0:
        yield Caveat(
            "coarse_bars",
            f"a bar closes about every {usual:g} days: value at risk, skew and other daily "
            "figures are per bar, and drawdowns inside a bar are not seen",
            count=len(times),
        )


def short_benchmark(result: "Result") -> Iterator[Caveat]:
    """A benchmark that has no price at first, or none for the last week and longer."""
    benchmark = result.session.benchmark
    if benchmark is None:
        return
    first, last = (result.entries[n].decision.close_time for n in (0, -1))
    begins, ends = int(benchmark.close_times[0]), int(benchmark.close_times[-1])
    if begins > first + DAY_NS or ends < last - 7 * DAY_NS:
        yield Caveat(
            "short_benchmark",
            f"benchmark {benchmark.name} has prices from {utc_text(begins)} to {utc_text(ends)} "
            "only: alpha, beta and information ratio leave out the days before, and take it as "
            "unchanged after",
            subject=benchmark.name,
            first=begins,
            last=ends,
        )


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


EXAMINERS: tuple[Examiner, ...] = (
    halted,
    stopped_by_daily_losses,
    borrowed_cash,
    never_traded,
    too_short_to_annualise,
    coarse_bars,
    short_benchmark,
)
"""Every kind, in the order of reports."""


def run_caveats(result: "Result") -> Iterator[Caveat]:
    """What the run itself makes doubtful."""
    for examine in EXAMINERS:
        yield from examine(result)
