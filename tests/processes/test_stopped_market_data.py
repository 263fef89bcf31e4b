"""The market_data process of one universe is stopped until that is absent, in a paper run as
processes: the other universe trades on, and the bars that come late are taken up.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from stratvector.trading.lanes import bars_lane
from stratvector.trading.logged import LoggedClose
from stratvector.trading.parity import check
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.exchange.shapes import MINUTE
from tests.sessions.paper_claims import assert_each_close_once, assert_no_order_without_a_bar
from tests.sessions.paper_flow import PaperRun, run_paper_processes

FOUR = 1_699_156_800 * NANOSECONDS_PER_SECOND  # when a candle of four hours closes
ORIGIN = FOUR - 60 * MINUTE
RATE = 60.0  # a minute takes a second, and so does the deadline of the hours
DEADLINES = 1.0
LEASE_SECONDS = 6.0  # for so long nobody takes the lane over
STOP_BEFORE = 3 * MINUTE // 2  # on a machine that does much else, it still comes in time
LATEST = FOUR + 60 * MINUTE
LOOK_SECONDS = 0.2


async def owners(run: PaperRun) -> dict[str, int]:
    """The process that publishes each universe's bars."""
    portfolio = run.platform.wish.session().portfolio
    return {u.name: await run.owner(bars_lane(portfolio, u)) for u in portfolio.universes}


async def closes(run: PaperRun) -> tuple[LoggedClose, ...]:
    return (await run.log())[1].closes


@pytest.mark.long
def test_minutes_trade_on_while_the_process_of_the_hours_is_stopped(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    async def play(run: PaperRun) -> None:
        while len(set((seen := await owners(run)).values())) < 2 or 0 in seen.values():
            assert run.now() < FOUR - 2 * MINUTE, f"the lanes are owned by {seen}"
            await asyncio.sleep(LOOK_SECONDS)
        stopped = seen["hours"]
        while run.now() < FOUR - STOP_BEFORE:
            await asyncio.sleep(0.05)
        os.kill(stopped, signal.SIGSTOP)
        try:
            while not any("hours" in close.absent for close in await closes(run)):
                assert run.now() < LATEST, "the hours were never absent"
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            os.kill(stopped, signal.SIGCONT)
        while not any(close.earlier for close in await closes(run)):
            assert run.now() < LATEST, "the hours never came back"
            await asyncio.sleep(LOOK_SECONDS)
        back = next(close.close_time for close in await closes(run) if close.earlier)
        await run.until(back + 5 * MINUTE)
        session, log = await run.log()
        parity = check(log, session, session.whole(log), chapter=session.chapter)
        assert parity.first is None, parity.first
        assert any("had absent universes or late bars" in note for note in parity.notes)
        absent = [close for close in log.closes if close.absent]
        assert {name for close in absent for name in close.absent} == {"hours"}
        # The minutes closed meanwhile, and the hours' close was taken up once, after them.
        assert all("minutes" in close.bars for close in absent)
        (late,) = [one.bars.noun for close in log.closes for one in close.earlier]
        assert (late.universe, late.close_time) == ("hours", FOUR)
        assert all(not close.absent for close in log.closes if close.close_time > back)
        assert_each_close_once(session, log)
        assert_no_order_without_a_bar(log)
        say(
            f"paper: hours were absent at {len(absent)} of {len(log.closes)} closes, "
            f"{parity.orders} orders; parity equal"
        )

    given = {"STRATVECTOR_MARKET_DATA_LEASE_SECONDS": str(LEASE_SECONDS)}
    run_paper_processes(
        tmp_path,
        ORIGIN,
        RATE,
        play,
        absent_after_deadlines=DEADLINES,
        replicas={"market_data": 2},
        settings=given,
    )
