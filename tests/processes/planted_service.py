"""`PLANTED_PLAN=work python -m tests.processes.planted_service`: a service process that does what a
plan says, on real ports, after it owns its lane.

The lanes are those of positions and, for the plan `lose`, of orders.
"""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from typing import Any

from stratvector.runtime.bars_reader import UniverseReader
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Service, Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import ForeignMessage, LostOwnership, Ports
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.runner import run_service
from stratvector.runtime.process.settings import ServiceSettings
from stratvector.trading.lanes import orders_lane, positions_lane
from stratvector.trading.unfit import StrayExecution

KEPT: list[Any] = []


class PlantedSettings(ServiceSettings):
    """Does what a test planned."""


class Planted:
    """One part of the service: owns its lane, then follows the plan."""

    def __init__(self, plan: str, deployment: Deployment, ports: Ports, lane: str) -> None:
        self.plan, self.ports = plan, ports
        self.portfolio = deployment.session.portfolio
        self.lane = Lane(ports, lane)

    async def run(self) -> None:
        await self.lane.acquire()
        await getattr(self, self.plan)()

    async def work(self) -> None:
        """Publish now and then."""
        number = 0
        while True:
            number += 1
            await self.lane.publish(f"{self.ports.instance}-{self.lane.subject}-{number}", b"")
            await asyncio.sleep(0.05)

    async def finish(self) -> None:
        """The work is done."""

    async def fail(self) -> None:
        """A defect."""
        raise ZeroDivisionError("planted defect")

    async def refuse(self) -> None:
        """Something that a person must put right."""
        raise CannotStart("the planted store is not to be had")

    async def lose(self) -> None:
        """Another instance owned the lane for a while."""
        if KEPT:
            return await self.work()
        KEPT.append(self.lane)
        await asyncio.sleep(1.0)
        self.lane.lost = True
        raise LostOwnership(f"{self.lane.subject}: planted")

    async def read(self) -> None:
        """Take bars, which must be bars."""
        await UniverseReader(self.ports, self.portfolio, self.portfolio.universes[0]).next()

    async def trip(self) -> None:
        """Take bars, then fail."""
        await self.read()
        await self.fail()

    async def refuse_execution(self) -> None:
        """Take bars, then find that an execution belongs to no order."""
        await self.read()
        raise StrayExecution("execution-1", "order-1", "A")

    async def meet_foreigner(self) -> None:
        """Read a message that no owner wrote: it is never handed out."""
        raise ForeignMessage(self.lane.subject, 7, "Stratvector-Owner is missing")

    async def block(self) -> None:
        """Hold the event loop."""
        time.sleep(6)
        await self.work()

    async def cling(self) -> None:
        """A task that won't be cancelled."""
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    async def leave_task(self) -> None:
        """A task that nobody ends."""
        KEPT.append(asyncio.create_task(asyncio.sleep(3600), name="planted task"))
        await self.work()

    async def leave_thread(self) -> None:
        """A thread that nobody ends."""
        threading.Thread(target=time.sleep, args=(3600,), name="planted thread").start()
        await self.work()

    async def leave_ending(self) -> None:
        """A thread that ends by itself, a little after the service."""
        try:
            await self.work()
        finally:
            threading.Thread(target=time.sleep, args=(0.5,), name="ending thread").start()

    async def leave_call(self) -> None:
        """A call on one of the loop's threads that does not return."""
        await asyncio.to_thread(time.sleep, 3600)

    async def leave_socket(self) -> None:
        """A connection that nobody closes."""
        KEPT.append(socket.socket())
        KEPT[-1].bind(("127.0.0.1", 0))
        KEPT[-1].listen()
        await self.work()

    async def leave_child(self) -> None:
        """A child process that nobody ends."""
        KEPT.append(subprocess.Popen(["sleep", "30"]))
        await self.work()


def serve(settings: PlantedSettings, ports: Ports) -> Service:
    """The planned part for each portfolio."""
    return Service(begin=lambda deployment: begin(deployment, ports))


def begin(deployment: Deployment, ports: Ports) -> Tasks:
    """Beside a part that loses its lane, one that works on another. PLANTED_PLAN_<PORTFOLIO> is the
    plan for one portfolio alone.
    """
    portfolio = deployment.session.portfolio
    plan = os.environ.get(f"PLANTED_PLAN_{portfolio.name.upper()}", os.environ["PLANTED_PLAN"])
    if plan == "refuse_to_begin":
        raise CannotStart("the planted bars are not to be had")
    plans = {positions_lane(portfolio): plan}
    if plan == "lose":
        plans[orders_lane(portfolio)] = "work"

    def make(lane: str) -> Tasks:
        part = Planted(plans[lane], deployment, ports, lane)
        return Tasks([part.run()], [part.lane])

    return Tasks.of([partial(make, lane) for lane in plans])


if __name__ == "__main__":
    sys.exit(run_service("planted", PlantedSettings, serve))
