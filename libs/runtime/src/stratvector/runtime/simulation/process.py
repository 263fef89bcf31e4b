"""process: one instance of a service in the world, and its coroutines."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from stratvector.runtime.host import Make, ServiceFactory, Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.simulation.clock import SimulatedClock
from stratvector.runtime.simulation.effect import Effect


class Seat:
    """Where instances of a service run one after the other; a standby is a seat of its own.

    service : its name. number : instances started here so far. spreads : they share their lanes.
    engine : hash of the one that they say they have. is_removed : nothing is started here any more.
    """

    def __init__(
        self,
        service: str,
        name: str,
        factory: ServiceFactory,
        spreads: bool = False,
        engine: str = "",
    ) -> None:
        self.service = service
        self.name = name
        self.factory = factory
        self.spreads = spreads
        self.engine = engine
        self.is_removed = False
        self.number = 0


class Process:
    """One instance, from its start to its end; `instance` is never used again. Speaks
    `spread.Hands`.

    start : makes a task run.
    """

    def __init__(
        self,
        seat: Seat,
        instance: str,
        clock: SimulatedClock,
        tasks: Tasks,
        start: Callable[[Task], None],
    ) -> None:
        self.seat = seat
        self.instance = instance
        self.clock = clock
        self.alive = True
        self.paused_until = 0.0
        self.main: list[Task] = []
        self._keepers: list[Task] = []
        self._beside: list[Task] = []
        self._lanes: list[Lane] = []
        self._places: list[int] = []  # of the work on each lane, among the main coroutines
        self._again: list[Make] = []
        self._start = start
        self.take(tasks)

    @property
    def tasks(self) -> list[Task]:
        """All coroutines, main ones first."""
        return self.main + self._keepers + self._beside

    @property
    def parts(self) -> list[str]:
        """What each main coroutine does: the lane that it writes, which is the same in every
        instance that has it, or its number among those that write none.
        """
        lanes = dict(zip(self._places, (lane.subject for lane in self._lanes), strict=True))
        others = [place for place in range(len(self.main)) if place not in lanes]
        numbers = {place: str(number) for number, place in enumerate(others)}
        return [(lanes | numbers)[place] for place in range(len(self.main))]

    def pause(self, now: float, seconds: float, clock_stops: bool) -> None:
        """Stop all coroutines for a while."""
        self.paused_until = max(self.paused_until, now + seconds)
        if clock_stops:
            self.clock.offset_seconds -= seconds

    def end(self) -> None:
        """Stop at once: no coroutine runs another line of the service."""
        self.alive = False
        for task in self.tasks:
            task.end()

    def begin(self) -> None:
        """Run what there is."""
        for task in self.tasks:
            self._start(task)

    def take(self, tasks: Tasks) -> list[Task]:
        """More coroutines, which are to be started."""
        main = [Task(self, coroutine) for coroutine in tasks.main]
        keepers = [Task(self, coroutine) for coroutine in tasks.keepers()]
        self._places += range(len(self.main), len(self.main) + len(tasks.lanes))
        self.main += main
        self._keepers += keepers
        self._lanes += tasks.lanes
        self._again += tasks.again
        return main + keepers

    def beside(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something of the process's own."""
        self._beside.append(Task(self, coroutine))

    def lanes(self) -> Sequence[tuple[Lane, bool]]:
        """Every lane that can begin anew, and whether its work goes on."""
        if not self._again:
            return []
        pairs = zip(self._lanes, self._places, strict=True)
        return [(lane, not self.main[place].done) for lane, place in pairs]

    async def move(self, lane: Lane, heir: str) -> None:
        """End the work on a lane, give it to its heir, and stand by for it."""
        if lane not in self._lanes:
            return
        number = self._lanes.index(lane)
        self._end_work(number)
        await lane.hand_over(heir)
        self._begin_anew(number)

    def turn(self, task: Task) -> bool:
        """Begin the work on a lane anew that is lost; False when none of it can. task : the work,
        or what keeps its lease.
        """
        for number, _ in enumerate(self._again):
            if task in (self.main[self._places[number]], self._keepers[number]):
                self._end_work(number)
                self._begin_anew(number)
                return True
        return False

    def _end_work(self, number: int) -> None:
        """No coroutine of the lane runs another line."""
        self.main[self._places[number]].end()
        self._keepers[number].end()

    def _begin_anew(self, number: int) -> None:
        made = self._again[number]()
        (self._lanes[number],) = made.lanes
        self.main[self._places[number]] = Task(self, *made.main)
        self._keepers[number] = Task(self, *made.keepers())
        self._start(self.main[self._places[number]])
        self._start(self._keepers[number])


class Task:
    """One coroutine of a process and the effect that it waits for. done : it came to its end.
    ended : somebody ended it.
    """

    __slots__ = ("coroutine", "done", "effect", "ended", "process")

    def __init__(self, process: Process, coroutine: Coroutine[Any, Any, None]) -> None:
        self.process = process
        self.coroutine = coroutine
        self.effect: Effect[Any] | None = None
        self.done = False
        self.ended = False

    def end(self) -> None:
        """Run no other line."""
        self.ended = True
        self.coroutine.close()
