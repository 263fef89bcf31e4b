"""Caveats that only a run can show: one function per kind, each from a finished result."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from stratvector.backtest.metrics import DAYS_MIN, RETURNS_MIN
from stratvector.backtest.metrics.arrays import DAY_NS
from stratvector.backtest.metrics.daily import sample_days
from stratvector.trading.caveats import Caveat
from stratvector.trading.halts import DAILY_LOSS, DRAWDOWN_HALT
from stratvector.trading.timestamps import utc_text

if TYPE_CHECKING:
    from stratvector.backtest.result import Result

Examiner = Callable[["Result"], Iterator[Caveat]]


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


EXAMINERS: tuple[Examiner, ...] = (
    halted,
    stopped_by_daily_losses,
    too_short_to_annualise,
    coarse_bars,
    short_benchmark,
)
"""Every kind, in the order of reports."""


def run_caveats(result: "Result") -> Iterator[Caveat]:
    """What the run itself makes doubtful."""
    for examine in EXAMINERS:
        yield from examine(result)
