"""paper_run: a session without an end through the services as processes, until Ctrl-C."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratvector.cli.logs import logs_of
from stratvector.cli.platform.bus import client_logs
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.run_folder import RunFolder
from stratvector.cli.platform.session_run import (
    Wishes,
    remark,
    supervised,
    tell_ready,
    unless_asked,
)
from stratvector.cli.platform.session_watch import SessionHalted, until_halted
from stratvector.contracts.codecs import decode_closed_bars, decode_decision
from stratvector.runtime.chapters import newest_chapter, opened_chapter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus, Kind
from stratvector.runtime.readers import opening_in
from stratvector.trading.lanes import bars_lane, orders_lane
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.timestamps import utc_text

LOOK_SECONDS = 0.5


@dataclass
class Told:
    """What was told of a run. closes : decided while it was watched. newest : the last of them."""

    closes: int = 0
    newest: Decision | None = None

    def document(self, run: RunFolder) -> dict[str, Any]:
        """For programs."""
        newest = self.newest
        return {
            "run": run.wish.run,
            "portfolio": run.wish.portfolio,
            "folder": str(run.folder),
            "closes": self.closes,
            "last_close": None if newest is None else utc_text(newest.close_time),
            "equity": None if newest is None else newest.equity,
        }


def run_paper(run: RunFolder, wishes: Wishes) -> dict[str, Any]:
    """Run until Ctrl-C; ends when nothing that was started is left. What was told, for programs.

    Raises SessionHalted, ChildFailed and what starting raises.
    """
    told = Told()
    with run.held(), client_logs(logs_of(run.folder.parent)):
        asyncio.run(_run(run, wishes, told))
    return told.document(run)


async def _run(run: RunFolder, wishes: Wishes, told: Told) -> None:
    name = run.wish.run
    async with supervised(run, wishes) as (platform, asked):
        try:
            work = _work(platform, run.session, wishes.verbose, told)
            await unless_asked(asked, platform, work)
        except SessionHalted as halted:
            remark(f"{halted}; the other services stay up until Ctrl-C.")
            await unless_asked(asked, platform, asyncio.Event().wait())
            raise
    remark(
        f"{name} is stopped; the same command goes on with it, and "
        f"`stratvector parity {run.folder}` proves it so far."
    )


async def _work(platform: Platform, session: LoggedSession, verbose: bool, told: Told) -> None:
    began_at = time.perf_counter()
    await platform.start()
    portfolio = session.portfolio
    remark(f"{portfolio.run}: the first close that trades is {utc_text(session.start)}.")
    newest = Newest(portfolio, session.start)
    async with platform.bus.reading() as bus:
        await _together(
            until_halted(platform),
            tell_ready(platform, began_at),
            _tell_closes(bus, newest, verbose, told),
            _tell_missing(bus, newest, session.start),
        )


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Until all have ended, or one fails: with its own error then."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Newest:
    """The portfolio as its newest chapter has it. began_at : the first close that this may use, ns
    UTC.
    """

    portfolio: Portfolio
    began_at: int


async def _tell_closes(bus: Bus, newest: Newest, verbose: bool, told: Told) -> None:
    """A line per close that is decided from now on."""
    run, name = newest.portfolio.run, newest.portfolio.name
    if (standing := await newest_chapter(bus, run, name)) is not None:
        newest.portfolio = standing.portfolio
    lane = orders_lane(newest.portfolio)
    after = await _newest(bus, lane)
    while True:
        for stored in (page := await bus.read(lane, after)):
            after = stored.sequence
            if stored.message.kind is Kind.OPENED:
                opened = opening_in(stored)
                newest.portfolio = (await opened_chapter(bus, opened, run)).portfolio
                newest.began_at = opened.close_time + 1
            elif stored.message.kind is Kind.CONTENT:
                told.newest = decode_decision(stored.message.payload)
                told.closes += 1
                for line in decided(told.newest, newest.portfolio, verbose):
                    remark(line)
        if not page:
            await asyncio.sleep(LOOK_SECONDS)


@dataclass
class _Place:
    """How far a universe's closes are told. after : the message of its lane. start : the first
    close that is still to be told, ns UTC.
    """

    lane: str
    after: int
    start: int


async def _tell_missing(bus: Bus, newest: Newest, start: int) -> None:
    """A line per close that some symbol of a universe has no candle of. start : ns UTC."""
    places = dict[str, _Place]()
    for universe in newest.portfolio.universes:
        lane = bars_lane(newest.portfolio, universe)
        places[universe.name] = _Place(lane, await _newest(bus, lane), start)
    while True:
        portfolio, found = newest.portfolio, False
        for universe in portfolio.universes:
            lane = bars_lane(portfolio, universe)
            place = places.setdefault(universe.name, _Place(lane, 0, newest.began_at))
            if place.lane != lane:
                place.lane, place.after = lane, 0
            found |= await _tell_page(bus, place)
        if not found:
            await asyncio.sleep(LOOK_SECONDS)


async def _tell_page(bus: Bus, place: _Place) -> bool:
    """Whether there was anything."""
    for stored in (page := await bus.read(place.lane, place.after)):
        place.after = stored.sequence
        if stored.message.kind is not Kind.CONTENT:
            continue
        section = decode_closed_bars(stored.message.payload)
        absent = np.flatnonzero(np.isnan(section.close)).tolist()
        is_told = section.close_time < place.start
        place.start = max(place.start, section.close_time + 1)
        if absent and not is_told:
            named = ", ".join(section.symbols[column] for column in absent)
            remark(f"{utc_text(section.close_time)} {section.timeframe}: no candle of {named}")
    return bool(page)


async def _newest(bus: Bus, lane: str) -> int:
    last = await bus.last(lane)
    return 0 if last is None else last.sequence


def decided(decision: Decision, portfolio: Portfolio, verbose: bool) -> Iterator[str]:
    """What a close came to, for people; with `verbose` each order too."""
    when = utc_text(decision.close_time)
    count = len(decision.orders)
    orders = f"{count} order{'' if count == 1 else 's'}" if count else "no order"
    halted = ", halted" if decision.halted else ""
    yield f"{when} equity {decision.equity:,.2f}, {orders}{halted}"
    sizes = {instrument.symbol: instrument for instrument in portfolio.instruments}
    for order in decision.orders if verbose else ():
        side = "buy" if order.lots > 0 else "sell"
        yield f"  {side} {sizes[order.symbol].quantity(abs(order.lots))} {order.symbol}"
