"""Chapters in processes: whoever is killed begins with the newest one, and the result is the
backtest's. `make test` kills two services, `make chaos` each.
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


@pytest.mark.parametrize(
    ("killed", "length_chapters"),
    [
        # tests/chaos/test_kills.py kills the others.
        pytest.param(("strategy", "ledger"), 2.2, id="some"),
        pytest.param(SERVICES, 3.3, id="each", marks=pytest.mark.long),
    ],
)
def test_a_killed_service_begins_with_the_newest_chapter(
    killed: tuple[str, ...], length_chapters: float, tmp_path: Path, say: Callable[[str], None]
) -> None:
    """One after the other, from the second chapter on."""

    async def kill_each(run: Running) -> None:
        for number, service in enumerate(killed):
            await run.reach((1.15 + 0.33 * number) / length_chapters)
            before = await run.owner(service)
            kill(before.pid)
            await run.new_owner(service, before)
            await asyncio.sleep(0)

    session = synthetic_session(round(length_chapters * CLOSES_PER_CHAPTER))
    flow = run_processes(
        tmp_path,
        session,
        disturb=kill_each,
        settings={"STRATVECTOR_RISK_CLOSES_PER_CHAPTER": str(CLOSES_PER_CHAPTER)},
    )
    chapters = [chapter.noun.number for chapter in flow.log.chapters]
    say(f"chapters that opened while each service was killed: {chapters}")
    assert chapters == list(range(2, 2 + int(length_chapters)))
    assert_equal_to_backtest(session, flow)
