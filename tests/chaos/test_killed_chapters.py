"""Chapters in processes: whoever is killed begins with the newest one, and the result is the
backtest's. `make test` kills two in a run of `test_kills.py`, `make chaos` each.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.sessions import synthetic_session
from stratvector.trading.flow import SERVICES
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.process_flow import Running, kill, run_processes

CLOSES_PER_CHAPTER = 1_000
LENGTH_CHAPTERS = 3.3


@pytest.mark.long
def test_a_killed_service_begins_with_the_newest_chapter(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    """One after the other, from the second chapter on."""

    async def kill_each(run: Running) -> None:
        for number, service in enumerate(SERVICES):
            await run.reach((1.15 + 0.33 * number) / LENGTH_CHAPTERS)
            before = await run.owner(service)
            kill(before.pid)
            await run.new_owner(service, before)
            await asyncio.sleep(0)

    session = synthetic_session(round(LENGTH_CHAPTERS * CLOSES_PER_CHAPTER))
    flow = run_processes(
        tmp_path,
        session,
        disturb=kill_each,
        settings={"STRATVECTOR_RISK_CLOSES_PER_CHAPTER": str(CLOSES_PER_CHAPTER)},
    )
    chapters = [chapter.noun.number for chapter in flow.log.chapters]
    say(f"chapters that opened while each service was killed: {chapters}")
    assert chapters == list(range(2, 2 + int(LENGTH_CHAPTERS)))
    assert_equal_to_backtest(session, flow)
