"""process: one instance of a service in the world, and its coroutines."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from stratvector.runtime.host import ServiceFactory, Tasks
from stratvector.runtime.simulation.clock import SimulatedClock
from stratvector.runtime.simulation.effect import Effect


class Seat:
    """Where instances of a service run one after the other; a standby is a seat of its own.

    service : its name. number : instances started here so far.
    """

    def __init__(self, service: str, name: str, factory: ServiceFactory) -> None:
        self.service = service
        self.name = name
        self.factory = factory
        self.number = 0


class Process:
    """One instance, from its start to its end; `instance` is never used again."""

    def __init__(self, seat: Seat, instance: str, clock: SimulatedClock, tasks: Tasks) -> None:
        self.seat = seat
        self.instance = instance
        self.clock = clock
        self.alive = True
        self.paused_until = 0.0
        self.main: list[Task] = []
        self.background: list[Task] = []
        self.unfinished = 0
        self.begin(tasks)

    @property
    def tasks(self) -> list[Task]:
        """All coroutines, main ones first."""
        return self.main + self.background

    def begin(self, tasks: Tasks) -> list[Task]:
        """Take more coroutines, and give what is to be started."""
        main = [Task(self, coroutine) for coroutine in tasks.main]
        background = [Task(self, coroutine) for coroutine in tasks.keepers()]
        self.main += main
        self.background += background
        self.unfinished += len(main)
        return main + background

    def pause(self, now: float, seconds: float, clock_stops: bool) -> None:
        """Stop all coroutines for a while."""
        self.paused_until = max(self.paused_until, now + seconds)
        if clock_stops:
            self.clock.offset_seconds -= seconds

    def end(self) -> None:
        """Stop at once: no coroutine runs another line of the service."""
        self.alive = False
        for task in self.tasks:
            task.coroutine.close()


class Task:
    """One coroutine of a process and the effect that it waits for."""

    __slots__ = ("coroutine", "done", "effect", "process")

    def __init__(self, process: Process, coroutine: Coroutine[Any, Any, None]) -> None:
        self.process = process
        self.coroutine = coroutine
        self.effect: Effect[Any] | None = None
        self.done = False
