"""Halts: when a breaker stopped a portfolio, by which rule, at which value, and for how long.

Told from decisions alone, so that the backtest, the services and a reader of the ledger say the
same. The engine's breakers are in `engine/breakers.py`.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stratvector.trading.columns import Values
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio, RiskLimits
from stratvector.trading.timestamps import NANOSECONDS_PER_DAY, Nanoseconds, utc_text

DRAWDOWN_HALT, DAILY_LOSS = "drawdown_halt", "daily_loss"

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Halt:
    """One run of closes at which a breaker was tripped.

    rule : drawdown_halt (flat, and nothing new) or daily_loss (no new risk for the rest of the UTC
    date). since : the close that tripped it. until : the first close without it, None while it
    lasts. closes : how many it lasted. value, limit : fractions; the fall of equity at `since`
    below its peak or the day's start, negative, and the limit that it passed, None where the
    portfolio has none. flat_since : the close from which no position was left, None with one.
    """

    rule: str
    since: int
    value: float
    limit: float | None
    closes: int = 1
    until: int | None = None
    flat_since: int | None = None

    @property
    def sentence(self) -> str:
        """When, why, how long and what was left, without the total of closes."""
        limit = "" if self.limit is None else f", past the limit of {self.limit:.2%}"
        ended = "to the end" if self.until is None else f"until {utc_text(self.until)}"
        flat = f"; flat since {utc_text(self.flat_since)}" if self.flat_since is not None else ""
        what = "a drawdown" if self.rule == DRAWDOWN_HALT else "a daily loss"
        since = utc_text(self.since)
        return f"from {since} {ended} by {what} of {-self.value:.2%}{limit}{flat}"

    def document(self) -> dict[str, Any]:
        """The same as JSON; times as ISO 8601, an unknown value is null."""
        times = {"since": self.since, "until": self.until, "flat_since": self.flat_since}
        return {
            "rule": self.rule,
            **{name: None if time is None else utc_text(time) for name, time in times.items()},
            "closes": self.closes,
            "value": self.value if math.isfinite(self.value) else None,
            "limit": self.limit,
        }


@dataclass(frozen=True)
class HaltState:
    """A watch as it is. peak, day_start, last_equity : base currency. day : UTC date of the newest
    close, in days since 1970. open : by rule.
    """

    peak: float
    day_start: float
    last_equity: float
    day: int
    open: dict[str, Halt]
    ended: tuple[Halt, ...]


@dataclass(frozen=True, eq=False)
class Breakers:
    """What halts are told from, one value per decided close from the session's first one on.

    close_times : ns UTC. equity : base currency. halted, reduce_only : as the decision says. flat :
    whether the account holds no position after the close.
    """

    close_times: Nanoseconds
    equity: Values
    halted: Flags
    reduce_only: Flags
    flat: Flags


class HaltWatch:
    """Folds decisions, in order from the session's first one, into halts.

    limits : those that hold at the next decision; a chapter may change them.
    """

    def __init__(self, portfolio: Portfolio) -> None:
        self.limits = portfolio.limits
        cash = float(portfolio.initial_cash)
        self._peak = self._day_start = self._last_equity = cash
        self._day = -1
        self._open: dict[str, Halt] = {}
        self._ended: list[Halt] = []

    @property
    def state(self) -> HaltState:
        """What `resume` goes on from."""
        equity = self._peak, self._day_start, self._last_equity
        return HaltState(*equity, self._day, dict(self._open), tuple(self._ended))

    def resume(self, state: HaltState) -> None:
        """Go on from another watch's state."""
        self._peak, self._day_start = state.peak, state.day_start
        self._last_equity, self._day = state.last_equity, state.day
        self._open, self._ended = dict(state.open), list(state.ended)

    @property
    def halts(self) -> tuple[Halt, ...]:
        """All so far, by the close that tripped them; those that last have no `until`."""
        return tuple(sorted((*self._ended, *self._open.values()), key=lambda h: (h.since, h.rule)))

    @property
    def halted_since(self) -> int | None:
        """The close (ns UTC) from which the portfolio has been flat by its drawdown, else None."""
        halt = self._open.get(DRAWDOWN_HALT)
        return None if halt is None else halt.since

    def take(self, decision: Decision, flat: bool) -> None:
        """Take one close. flat : whether the account holds no position after it."""
        equity = decision.equity
        day = decision.close_time // NANOSECONDS_PER_DAY
        if day != self._day:
            self._day, self._day_start = day, self._last_equity
        self._peak = max(self._peak, equity)
        limits = self.limits
        self._fold(DRAWDOWN_HALT, decision.halted, self._peak, limits.drawdown_halt, decision, flat)
        self._fold(
            DAILY_LOSS, decision.reduce_only, self._day_start, limits.daily_loss, decision, flat
        )
        self._last_equity = equity

    def _fold(
        self,
        rule: str,
        tripped: bool,
        base: float,
        limit: float | None,
        decision: Decision,
        flat: bool,
    ) -> None:
        time, before = decision.close_time, self._open.pop(rule, None)
        if not tripped:
            if before is not None:
                self._ended.append(replace(before, until=time))
            return
        if before is None:
            value = decision.equity / base - 1.0 if base > 0.0 else math.nan
            before = Halt(rule, time, value, limit, closes=0)
        # A position that comes back, such as a late fill, makes it not flat again.
        since = (before.flat_since or time) if flat else None
        self._open[rule] = replace(before, closes=before.closes + 1, flat_since=since)


def halts_of_closes(portfolio: Portfolio, series: Breakers) -> tuple[Halt, ...]:
    """The same of a whole run as arrays, under limits that never changed."""
    times, equity = series.close_times, series.equity
    days = times // NANOSECONDS_PER_DAY
    cash = float(portfolio.initial_cash)
    before = np.concatenate([[cash], equity[:-1]])
    begins = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    day_start = np.repeat(before[begins], np.diff(np.append(begins, len(days))))
    peak = np.maximum(np.maximum.accumulate(equity), cash)
    limits = portfolio.limits
    found = [
        *_halts(DRAWDOWN_HALT, series.halted, peak, limits.drawdown_halt, series),
        *_halts(DAILY_LOSS, series.reduce_only, day_start, limits.daily_loss, series),
    ]
    return tuple(sorted(found, key=lambda halt: (halt.since, halt.rule)))


def _halts(
    rule: str, tripped: Flags, base: Values, limit: float | None, series: Breakers
) -> Iterator[Halt]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], tripped, [False]])))
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        value = float(series.equity[first] / base[first]) - 1.0 if base[first] > 0.0 else math.nan
        held = np.flatnonzero(~series.flat[first:stop])
        flat_from = first + (int(held[-1]) + 1 if len(held) else 0)
        lasts = stop == len(tripped)
        yield Halt(
            rule,
            int(series.close_times[first]),
            value,
            limit,
            stop - first,
            None if lasts else int(series.close_times[stop]),
            int(series.close_times[flat_from]) if flat_from < stop else None,
        )


def halts_of(
    entries: Iterable[LedgerEntry],
    portfolio: Portfolio,
    limits: Mapping[int, RiskLimits] | None = None,
) -> HaltWatch:
    """The halts of a ledger from its first entry on. limits : by chapter, where they are not the
    portfolio's.
    """
    watch = HaltWatch(portfolio)
    for entry in entries:
        watch.limits = (limits or {}).get(entry.decision.chapter, portfolio.limits)
        watch.take(entry.decision, not entry.positions)
    return watch
