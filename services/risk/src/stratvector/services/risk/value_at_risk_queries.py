"""Asks Monte Carlo for the portfolio's value at risk, beside the decisions.

    decision of close t ─▶ due? ─▶ question ─▶ (some time) ─▶ figure
    decision of close u > t records the figure ─▶ multipliers of the closes after u

No decision waits for an answer, and none depends on when one comes: what counts is which decision
recorded it, and that is in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from stratvector.runtime.ports import NoAnswer
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.value_at_risk import (
    DailyMarks,
    NoQuestion,
    NothingHeld,
    Question,
    no_loss,
    question,
)

NANOSECONDS_PER_HOUR = 3_600_000_000_000

Ask = Callable[[Question], Awaitable[ValueAtRisk]]


@dataclass(frozen=True)
class AskingSchedule:
    """every_hours : event time between two questions. rest_seconds : least time between them on
    the clock, so that a fast replay does not fill a machine with simulations.
    """

    every_hours: float = 24.0
    rest_seconds: float = 1.0


class ValueAtRiskQueries:
    """One question at a time; used by one coroutine. trouble : why there is no newer figure."""

    def __init__(
        self, portfolio: Portfolio, ask: Ask | None, schedule: AskingSchedule | None = None
    ) -> None:
        self._portfolio, self._ask = portfolio, ask
        self._schedule = schedule or AskingSchedule()
        self._asked_at: int | None = None
        self._asking: asyncio.Task[None] | None = None
        self._arrived: ValueAtRisk | None = None
        self.trouble = "" if ask is not None else "no Monte Carlo service is configured"

    def begin(self, portfolio: Portfolio) -> None:
        """Ask about this portfolio from now on."""
        self._portfolio = portfolio

    def recorded(self, figure: ValueAtRisk) -> None:
        """A decision holds this figure, so the next question is due after it."""
        self._asked_at = max(figure.as_of, self._asked_at or figure.as_of)

    def arrived(self) -> ValueAtRisk | None:
        """The figure that came since it was asked for last, once."""
        figure, self._arrived = self._arrived, None
        return figure

    def decided(
        self,
        close_time: int,
        daily: DailyMarks,
        lots: Mapping[str, int],
        equity: float,
        factor: float = 1.0,
    ) -> None:
        """After a decision: ask about the portfolio as it stands, if it is time to.

        daily : marks up to this close. factor : on all budgets, as this decision used it.
        """
        if self._ask is None or self._asking is not None or not self._is_due(close_time):
            return
        try:
            asked = question(self._portfolio, close_time, daily, lots, equity, factor)
        except NoQuestion as nothing:
            self.trouble = str(nothing)
            if isinstance(nothing, NothingHeld) and factor < 1:
                # Or the factor that let nothing be bought would stay for ever.
                self._arrived = no_loss(self._portfolio, close_time, factor)
                self._asked_at = close_time
            return
        self._asking = asyncio.create_task(self._answer(self._ask, asked), name="value at risk")

    async def close(self) -> None:
        """Give up what is asked."""
        if (asking := self._asking) is not None:
            asking.cancel()
            await asyncio.wait([asking])

    def _is_due(self, close_time: int) -> bool:
        every = int(self._schedule.every_hours * NANOSECONDS_PER_HOUR)
        return self._asked_at is None or close_time - self._asked_at >= every

    async def _answer(self, ask: Ask, asked: Question) -> None:
        try:
            await self._hear(ask, asked)
            # Not when it is given up: a drain would wait for the rest.
            await asyncio.sleep(self._schedule.rest_seconds)
        finally:
            self._asking = None

    async def _hear(self, ask: Ask, asked: Question) -> None:
        try:
            self._arrived = await ask(asked)
            self._asked_at, self.trouble = asked.as_of, ""
        except NoAnswer as error:
            self.trouble = str(error)
