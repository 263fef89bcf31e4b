"""SIGSTOP of an owner past its lease: its standby takes over, and it wakes up to nothing."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import Running, run_processes


@pytest.mark.parametrize("service", ["strategy", "risk", "execution"])
def test_a_stopped_owner_wakes_up_publishes_nothing_and_exits(
    service: str, tmp_path: Path, say: Callable[[str], None]
) -> None:
    session = generated_session(31, Shape(2, 2, 3, closes=1_500))
    seen = []

    async def disturb(run: Running) -> None:
        await run.reach(0.3)
        before = await run.owner(service)
        process = psutil.Process(before.pid)
        os.kill(before.pid, signal.SIGSTOP)
        try:
            after = await run.new_owner(service, before)
            await run.reach(0.6)
        finally:
            os.kill(before.pid, signal.SIGCONT)
        while process.is_running():
            await asyncio.sleep(0.02)
        last = await run.bus.last(run.lane(service))
        assert last is not None
        assert last.message.epoch >= after.epoch
        seen.append((before, after))

    flow = run_processes(tmp_path, session, {service: 2}, disturb)
    assert_equal_to_backtest(session, flow)
    [(before, after)] = seen
    assert [line for line in flow.told if "gave its lanes to another instance" in line]
    say(f"stopped {service}: epoch {before.epoch} -> {after.epoch}, it woke up and left")
