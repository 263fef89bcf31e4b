"""A strategy process that is stopped past the deadline of its signals, in a paper run as processes:
decisions go on and name what is late, and when it wakes its signals are used again.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from stratvector.trading.logged import LoggedClose, SessionLog
from stratvector.trading.parity import check
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.exchange.shapes import MINUTE
from tests.sessions.paper_claims import assert_each_close_once, assert_no_order_without_a_bar
from tests.sessions.paper_flow import PaperRun, run_paper_processes

FOUR = 1_699_156_800 * NANOSECONDS_PER_SECOND  # a day on which prices rise and models trade
ORIGIN = FOUR + 20 * MINUTE
RATE = 20.0  # a minute takes three seconds
DEADLINE_SECONDS = 1.0
MODEL = "EquityTrendModel_v1"
LATE, AFTER = 3, 3  # closes


def late_in(log: SessionLog) -> list[int]:
    """Closes that were decided without the signals of the model of minutes."""
    return [c.close_time for c in log.closes if c.decision.noun.cut.is_late(MODEL)]


def after_late(log: SessionLog) -> list[LoggedClose]:
    """The closes after the newest that was decided without them."""
    return [close for close in log.closes if close.close_time > late_in(log)[-1]]


async def until(run: PaperRun, holds: Callable[[SessionLog], bool]) -> None:
    """Wait until something holds of the log."""
    while not holds((await run.log())[1]):
        await asyncio.sleep(0.5)


def test_decisions_go_on_while_strategy_is_stopped_and_use_its_signals_when_it_wakes(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    async def play(run: PaperRun) -> None:
        await run.until(ORIGIN + MINUTE)
        pid = run.platform.children["strategy"].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await until(run, lambda log: len(late_in(log)) >= LATE)
        os.kill(pid, signal.SIGCONT)
        await until(run, lambda log: len(after_late(log)) >= AFTER)
        session, log = await run.log()
        late = late_in(log)
        parity = check(log, session, session.whole(log), chapter=session.chapter)
        assert parity.first is None, parity.first
        # What came too late is in the log, and whoever follows the decisions passed over it.
        assert parity.notes == (
            f"not compared with a backtest: {len(late)} decisions went without late signals, "
            "0 had multipliers",
        )
        assert any(MODEL in close.late for close in log.closes)
        assert all(MODEL in close.signals for close in after_late(log))
        assert_each_close_once(session, log)
        assert_no_order_without_a_bar(log)
        assert not [line for line in run.told if "strategy" in line]
        say(
            f"paper: {len(late)} of {len(log.closes)} closes decided without signals, "
            f"{parity.orders} orders; parity equal"
        )

    run_paper_processes(tmp_path, ORIGIN, RATE, play, DEADLINE_SECONDS)
