"""kill -9 or SIGSTOP of every process in the middle of a session changes no result.

`make test` runs one session in which some of it happens; `make chaos` one with all of it, a session
for each, so that a failure names its cause, and random ones.
"""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from stratvector.trading.flow import SERVICES
from stratvector.trading.session import Session
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import Disturb, Running, kill, run_processes

SHAPE = Shape(universes=2, symbols=2, models=3, closes=1_500)
SECOND_CHAPTER = 0.75  # of the session with two chapters
STOPPED = ("strategy", "risk", "execution")
Say = Callable[[str], None]


def session_of(seed: int) -> Session:
    return generated_session(seed, SHAPE)


async def kill_owner(run: Running, service: str, at: float) -> str:
    """kill -9 the owner of a service's first lane in the middle of the session; what was seen."""
    fraction = await run.reach(at)
    before = await run.owner(service)
    # An heir folds the log before it publishes; the ledger, on which nobody waits, takes longest.
    while await run.published_by(service, before) <= 0:
        await asyncio.sleep(0.02)
    kill(before.pid)
    late = service == "ledger"
    assert late or fraction < 0.7, f"{service} was to be killed at {at:.0%}, not {fraction:.0%}"
    after = await run.new_owner(service, before)
    assert after.pid != before.pid
    return f"{service} at {fraction:.0%}: epoch {before.epoch} -> {after.epoch}"


async def kill_lone(run: Running, service: str, at: float) -> str:
    """kill -9 the only process of a service; it is started again and begins with the newest
    chapter.
    """
    fraction = await run.reach(at)
    before = await run.owner(service)
    kill(before.pid)
    after = await run.new_owner(service, before)
    return f"{service}, which was alone, at {fraction:.0%}: epoch {before.epoch} -> {after.epoch}"


async def kill_bus(run: Running, at: float) -> str:
    """kill -9 nats-server in the middle of the session; it starts again by itself."""
    fraction = await run.reach(at)
    bus = run.platform.children["nats-server"]
    before, starts = bus.pid, bus.starts
    assert before is not None
    kill(before)
    assert fraction < 0.7, f"nats-server was to be killed at {at:.0%}, at {fraction:.0%} it was"
    while bus.starts == starts or bus.pid is None:
        await asyncio.sleep(0.02)
    return f"nats-server at {fraction:.0%}: pid {before} -> {bus.pid}"


async def stop_owner(run: Running, service: str, at: float) -> str:
    """SIGSTOP the owner past its lease, wake it when its standby has gone on; what was seen."""
    await run.reach(at)
    before = await run.owner(service)
    process = psutil.Process(before.pid)
    os.kill(before.pid, signal.SIGSTOP)
    try:
        after = await run.new_owner(service, before)
        await run.reach(at + 0.02)
    finally:
        os.kill(before.pid, signal.SIGCONT)
    await run.reach(at + 0.03)
    assert process.is_running(), f"{service} was to live on as a standby"
    last = await run.bus.last(run.lane(service))
    assert last is not None
    assert last.message.epoch >= after.epoch, f"{service} published after it had lost its lane"
    return f"stopped {service}: epoch {before.epoch} -> {after.epoch}, it woke up and stands by"


@pytest.mark.parametrize(
    ("killed", "stopped", "alone"),
    [
        # Those without a standby, which begin with the second chapter.
        pytest.param(
            ("market_data", "risk", "execution"), ("risk",), ("strategy", "ledger"), id="some"
        ),
        pytest.param(SERVICES, STOPPED, (), id="all", marks=pytest.mark.long),
    ],
)
def test_whoever_is_killed_or_stopped_is_replaced_and_nothing_changes(
    killed: tuple[str, ...],
    stopped: tuple[str, ...],
    alone: tuple[str, ...],
    tmp_path: Path,
    say: Say,
) -> None:
    """One session of two chapters: owners and the bus killed, owners stopped past their leases."""
    session, seen = generated_session(31, SHAPE), list[str]()

    async def disturb(run: Running) -> None:
        for place, service in enumerate(killed):
            seen.append(await kill_owner(run, service, 0.1 + 0.06 * place))
        seen.append(await kill_bus(run, 0.42))
        for place, service in enumerate(stopped):
            seen.append(await stop_owner(run, service, 0.48 + 0.06 * place))
        for place, service in enumerate(alone):
            seen.append(await kill_lone(run, service, SECOND_CHAPTER + 0.03 + 0.12 * place))

    length = round(SECOND_CHAPTER * len(session.schedule))
    settings = {"STRATVECTOR_RISK_CLOSES_PER_CHAPTER": str(length)}
    flow = run_processes(tmp_path, session, dict.fromkeys(killed, 2), disturb, settings)
    assert_equal_to_backtest(session, flow)
    assert [chapter.noun.number for chapter in flow.log.chapters] == [2]
    deaths = len(killed) + 1 + len(alone)
    assert len([line for line in flow.told if "SIGKILL" in line]) == deaths
    assert [line for line in flow.told if "exit code" in line] == []
    say(f"killed {'; '.join(seen)}; equal to the backtest")


@pytest.mark.long
@pytest.mark.parametrize("service", SERVICES)
def test_an_owner_killed_twice_is_replaced_by_its_standby_and_nothing_changes(
    service: str, tmp_path: Path, say: Say
) -> None:
    session, seen = session_of(SERVICES.index(service)), list[str]()

    async def disturb(run: Running) -> None:
        for at in (0.32, 0.5):
            seen.append(await kill_owner(run, service, at))

    flow = run_processes(tmp_path, session, {service: 2}, disturb)
    assert_equal_to_backtest(session, flow)
    assert len([line for line in flow.told if "SIGKILL" in line]) == 2
    say(f"killed {'; '.join(seen)}; equal to the backtest")


@pytest.mark.long
def test_a_bus_killed_twice_comes_back_with_all_it_acknowledged(tmp_path: Path, say: Say) -> None:
    session, seen = session_of(11), list[str]()

    async def disturb(run: Running) -> None:
        for at in (0.32, 0.5):
            seen.append(await kill_bus(run, at))

    flow = run_processes(tmp_path, session, None, disturb)
    assert_equal_to_backtest(session, flow)
    assert len([line for line in flow.told if "SIGKILL" in line]) == 2
    say(f"killed {'; '.join(seen)}; equal to the backtest")


@pytest.mark.long
@pytest.mark.parametrize("service", STOPPED)
def test_a_stopped_owner_wakes_up_publishes_nothing_and_stands_by(
    service: str, tmp_path: Path, say: Say
) -> None:
    session, seen = session_of(31), list[str]()

    async def disturb(run: Running) -> None:
        seen.append(await stop_owner(run, service, 0.3))

    flow = run_processes(tmp_path, session, {service: 2}, disturb)
    assert_equal_to_backtest(session, flow)
    assert flow.told == []
    say("; ".join(seen))


def random_kill(seed: int, seen: list[str]) -> tuple[dict[str, int], Disturb]:
    """A victim and a moment that follow from a seed."""
    dice = random.Random(seed)
    victim, at = dice.choice([*SERVICES, "nats-server"]), dice.uniform(0.3, 0.6)
    replicas = {} if victim == "nats-server" else {victim: 2}

    async def disturb(run: Running) -> None:
        if victim == "nats-server":
            seen.append(await kill_bus(run, at))
        else:
            seen.append(await kill_owner(run, victim, at))

    return replicas, disturb


@pytest.mark.long
def test_random_kills(
    tmp_path_factory: pytest.TempPathFactory, say: Say, request: pytest.FixtureRequest
) -> None:
    """So many sessions, each with a victim and a moment of its own."""
    for seed in range(request.config.getoption("--kills")):
        session, seen = session_of(100 + seed), list[str]()
        replicas, disturb = random_kill(seed, seen)
        flow = run_processes(tmp_path_factory.mktemp("kill"), session, replicas, disturb)
        assert_equal_to_backtest(session, flow)
        say(f"killed {'; '.join(seen)}; equal to the backtest")


@pytest.mark.long
def test_two_replicas_of_strategy_risk_and_execution_change_nothing(tmp_path: Path) -> None:
    session = session_of(21)
    flow = run_processes(tmp_path, session, {"strategy": 2, "risk": 2, "execution": 2})
    assert_equal_to_backtest(session, flow)
    assert flow.told == []
