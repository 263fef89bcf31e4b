"""`make bench-failover`: how long a question goes unanswered when the owner of its lane is killed.

    kill -9 of the owner ─▶ questions to another replica, one after the other ─▶ the first answer

The portfolio as risk sees it is known to the owner of its lane alone, so the answer is the heir's,
after it has taken the lane and adopted what the log holds.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from benchmarks.figures import Figure, report
from stratvector.contracts.v1.risk_service_pb2 import GetPortfolioRequest
from stratvector.contracts.v1.risk_service_pb2_grpc import RiskServiceStub
from stratvector.runtime.ports import LEASE_SECONDS
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.process_flow import Running, kill, run_processes

KILLS = 5
CLOSES_PER_S = 20
BEYOND_LEASE_SECONDS = 1.0
ANSWER_SECONDS_MAX = 3.0
SHAPE = Shape(universes=1, symbols=2, models=2)


@dataclass(frozen=True)
class Failover:
    """Seconds from the kill until the heir had the lane, and until a question was answered."""

    taken: float
    answered: float


async def failover(run: Running, replicas: int) -> Failover:
    """Kill the owner; the question goes through a replica that did not own the lane."""
    before, taken = await run.owner("risk"), list[float]()
    names = ["risk", *(f"risk-{number}" for number in range(2, replicas + 1))]
    standby = next(one for one in names if run.platform.children[one].pid != before.pid)
    address = f"127.0.0.1:{run.platform.ports.seats[standby].grpc}"
    async with grpc.aio.insecure_channel(address) as channel:
        await until_answered(channel)
        kill(before.pid)
        killed_at = time.perf_counter()
        taking = asyncio.create_task(run.new_owner("risk", before))
        taking.add_done_callback(lambda _: taken.append(time.perf_counter() - killed_at))
        await until_answered(channel)
        answered = time.perf_counter() - killed_at
        await taking
    return Failover(taken[0], answered)


async def until_answered(channel: grpc.aio.Channel) -> None:
    """Ask until there is an answer; a replica waits a while for the owner before it says no."""
    while True:
        try:
            ask = RiskServiceStub(channel).GetPortfolio
            await ask(GetPortfolioRequest(), timeout=ANSWER_SECONDS_MAX)
            return
        except grpc.aio.AioRpcError as error:
            if error.code() not in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ):
                raise


def measured(kills: int, replicas: int, lease_seconds: float) -> list[Failover]:
    """Each kill, in one session."""
    seen = list[Failover]()
    closes = int((kills + 1) * (4 * lease_seconds + 15.0) * CLOSES_PER_S)

    async def disturb(run: Running) -> None:
        await run.reach(0.005)
        for _ in range(kills):
            seen.append(await failover(run, replicas))
            # The next kill meets replicas that are all there, and an owner that renews.
            await asyncio.sleep(2 * lease_seconds + 5.0)

    settings = {
        "STRATVECTOR_RISK_LEASE_SECONDS": str(lease_seconds),
        "STRATVECTOR_MARKET_DATA_CLOSES_PER_S_MAX": str(CLOSES_PER_S),
    }
    session = generated_session(7, Shape(SHAPE.universes, SHAPE.symbols, SHAPE.models, closes))
    with tempfile.TemporaryDirectory() as folder:
        run_processes(Path(folder), session, {"risk": replicas}, disturb, settings)
    return seen


def main() -> None:
    """Kill, ask, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--lease-seconds", type=float, default=LEASE_SECONDS)
    given = parser.parse_args()
    lease_seconds: float = given.lease_seconds
    seen = measured(given.kills, given.replicas, lease_seconds)
    goal = lease_seconds + BEYOND_LEASE_SECONDS
    cases = {
        f"{name}, {case} of {len(seen)}": of(seconds)
        for name, seconds in (
            ("lane taken", [one.taken for one in seen]),
            ("answered", [one.answered for one in seen]),
        )
        for case, of in (("median", statistics.median), ("longest", max))
    }
    figures = [
        Figure(
            case,
            "lease",
            seconds,
            lease_seconds,
            "s",
            seconds / lease_seconds,
            f"≤ {goal:g} s",
            seconds <= goal,
        )
        for case, seconds in cases.items()
    ]
    report("failover", figures)


if __name__ == "__main__":
    main()
