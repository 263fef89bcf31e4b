"""Caveats that only a run can show: one function per kind, each from a finished result."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stratvector.backtest.metrics import DAYS_MIN, RETURNS_MIN
from stratvector.backtest.metrics.arrays import DAY_NS
from stratvector.backtest.metrics.daily import sample_days
from stratvector.backtest.record import Unordered
from stratvector.trading.caveats import Caveat
from stratvector.trading.halts import DAILY_LOSS, DRAWDOWN_HALT
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, utc_text

if TYPE_CHECKING:
    from stratvector.backtest.result import Result

Examiner = Callable[["Result"], Iterator[Caveat]]

NAMED_SYMBOLS = 3


def halted(result: "Result") -> Iterator[Caveat]:
    """A drawdown that stopped all trading, one caveat for each time."""
    for halt in result.halts:
        if halt.rule == DRAWDOWN_HALT:
            lasted = f"trading was halted for {halt.closes:,} of {result.closes:,} closes"
            yield Caveat(
                "halted",
                f"{lasted}, {halt.sentence}",
                first=halt.since,
                last=halt.until or result.last_close,
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
        f"{result.closes:,} closes, on {len(days):,} "
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
    times = result.record.close_times
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
    first, last = result.first_close, result.last_close
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
    record = result.record
    below = np.flatnonzero(record.cash < 0.0)
    if not len(below):
        return
    row = int(below[np.argmin(record.cash[below])])
    lowest, equity = record.exact_cash(row), float(record.equity[row])
    share = abs(float(lowest)) / equity if equity > 0 else 1.0
    times = record.close_times[below]
    days = len(np.unique((times - 1) // NANOSECONDS_PER_DAY))
    sentence = (
        f"cash went below zero on {days:,} UTC days although gross exposure is capped at "
        f"{gross:g}: the lowest is {lowest:,.2f}, {share:.1%} of equity; no interest is "
        "charged for it, and cash: strict orders only what cash pays for"
    )
    yield Caveat("cash_below_zero", sentence, None, int(times[0]), int(times[-1]), days)


def never_traded(result: "Result") -> Iterator[Caveat]:
    """Symbols that were wanted and never ordered, because a lot, the minimum order or the band is
    too large for what their models may hold: one caveat per universe and kind.
    """
    portfolio, unordered = result.session.portfolio, result.record.unordered
    for universe in portfolio.universes:
        for code in ("below_minimum_order", "lot_too_large"):
            found = [u for u in unordered if u.code == code and u.symbol in universe.symbols]
            if found:
                models = [m.name for m in portfolio.models if m.universe == universe.name]
                yield _never(code, ", ".join(models), found, portfolio.limits)


def _never(code: str, models: str, found: Sequence[Unordered], limits: RiskLimits) -> Caveat:
    listed = ", ".join(one.symbol for one in found[:NAMED_SYMBOLS])
    rest = f" and {len(found) - NAMED_SYMBOLS:,} more" if len(found) > NAMED_SYMBOLS else ""
    closes, largest = sum(one.closes for one in found), max(one.largest for one in found)
    why = (
        "one lot costs more than that"
        if code == "lot_too_large"
        else f"minimum_order_notional is {limits.minimum_order_notional:,g}"
    )
    sentence = (
        f"{models} wanted {listed}{rest} {closes:,} times and never got an order: the largest "
        f"target was {largest:,.2f}, and {why}"
    )
    first, last = min(one.first for one in found), max(one.last for one in found)
    return Caveat(code, sentence, models, first, last, closes)


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
