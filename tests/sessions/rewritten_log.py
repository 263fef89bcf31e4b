"""A stored log read from outside, and a copy of it in which chosen messages say something else."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from stratvector.runtime.archive import Archive
from stratvector.runtime.chapter_windows import chapter_windows
from stratvector.runtime.chapters import Standing
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Bus, Message, Ports, Stored
from stratvector.runtime.session_log import read_session
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.world import World
from stratvector.trading.logged import SessionLog
from stratvector.trading.portfolio import Portfolio

Change = Callable[[Stored], bytes | None]


def log_of(bus: Bus, session: SessionParts) -> SessionLog:
    """The session log, read in a calm world of its own."""
    found: list[SessionLog] = []

    async def read(ports: Ports) -> None:
        found.append(await read_session(bus, session))

    world = World()
    world.add("reader", lambda ports: Tasks([read(ports)]))
    world.run(until=["reader"])
    return found[0]


def chapters_of(
    bus: Bus, portfolio: Portfolio, archive: Archive | None = None, after: int = 0
) -> list[tuple[Standing, SessionLog]]:
    """The same chapter by chapter, each from what it carries. archive, after : see
    `chapter_windows`.
    """
    found: list[tuple[Standing, SessionLog]] = []

    async def read(ports: Ports) -> None:
        windows = chapter_windows(bus, portfolio.run, portfolio.name, archive, after)
        found.extend([(one.standing, (await one.read())[1]) async for one in windows])

    world = World()
    world.add("reader", lambda ports: Tasks([read(ports)]))
    world.run(until=["reader"])
    return found


def rewritten(journal: Sequence[Stored], change: Change, stop: int | None = None) -> SimulatedBus:
    """The first `stop` messages again, each with the payload that `change` gives; None leaves it
    out. Sequences stay what they were unless one is left out.
    """
    world = World()
    bus = SimulatedBus(world.scheduler, deduplication_seconds=0.0)
    last: dict[str, int] = {}

    async def publish(ports: Ports) -> None:
        for stored in journal[:stop]:
            payload = change(stored)
            if payload is not None:
                message: Message = replace(stored.message, payload=payload)
                answer = await bus.publish(message, last.get(message.subject, 0))
                last[message.subject] = answer.sequence

    world.add("writer", lambda ports: Tasks([publish(ports)]))
    world.run(until=["writer"])
    return bus


def as_stored(stored: Stored) -> bytes:
    """No change."""
    return stored.message.payload
