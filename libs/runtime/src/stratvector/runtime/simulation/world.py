"""world: services, their bus and their clock in one Python process, with faults drawn from a seed.

SimulationError
├── ProcessFailed   a process raised something other than LostOwnership
└── Stalled         nothing can go on, or nothing comes of it; says what each process waits for
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from stratvector.runtime.host import ServiceFactory, Tasks
from stratvector.runtime.ports import LEASE_SECONDS, LostOwnership, Ports
from stratvector.runtime.simulation.bus import SimulatedBus
from stratvector.runtime.simulation.clock import SimulatedClock
from stratvector.runtime.simulation.effect import Effect
from stratvector.runtime.simulation.fate import Plan
from stratvector.runtime.simulation.faults import Dice, Faults
from stratvector.runtime.simulation.key_value import SimulatedKeyValue
from stratvector.runtime.simulation.process import Process, Seat, Task
from stratvector.runtime.simulation.scheduler import Scheduler
from stratvector.runtime.spread import Spread
from stratvector.trading.identity import payload_hash

RESTART_SECONDS = 0.25
RESTART_SECONDS_MAX = 8.0
OFFSET_SECONDS_MAX = 1_000_000.0


class SimulationError(Exception):
    """Base of what a world raises."""


class ProcessFailed(SimulationError):
    """A process raised `error`, which no process may."""

    def __init__(self, instance: str, error: Exception) -> None:
        super().__init__(f"{instance}: {type(error).__name__}: {error}")
        self.instance, self.error = instance, error


class Stalled(SimulationError):
    """Nothing goes on. waits : instance and effect of every waiting task."""

    def __init__(self, why: str, waits: Sequence[str], lost: Sequence[str]) -> None:
        lines = [why, *(f"  {wait}" for wait in waits), *(f"  last lost: {one}" for one in lost)]
        super().__init__("\n".join(lines))
        self.waits = waits


class World:
    """Add services, run, then look at the bus.

    seed : decides every fault and every tie.
    faults, plans : what may go wrong, and what must.
    skew_seconds_max : how far a host's UTC may be ahead or behind, where there are faults.
    lease_seconds : of every lane.
    horizon_seconds, effects_max : without progress for so long, or so many, it is a standstill.
    crashes : how often a service was killed at a kind of effect, "before" or "after".
    losses : how often each service lost a lane.
    """

    def __init__(
        self,
        seed: int = 0,
        faults: Faults | None = None,
        plans: Iterable[Plan] = (),
        horizon_seconds: float = 600.0,
        effects_max: int = 1_000_000,
        skew_seconds_max: float = 1.0,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        faults, plans = faults or Faults.none(), tuple(plans)
        calm = faults == Faults.none()
        self._dice = None if calm and not plans else Dice(seed, faults, plans)
        self.scheduler = Scheduler(self, self._dice, horizon_seconds, effects_max)
        self.bus = SimulatedBus(self.scheduler)
        self.key_value, self.documents = SimulatedKeyValue(), SimulatedKeyValue()
        self.snapshots = SimulatedKeyValue()
        self.members = SimulatedKeyValue("members")
        self.crashes: Counter[tuple[str, str, str]] = Counter()
        self.losses: Counter[str] = Counter()
        self._skew_seconds_max = skew_seconds_max
        self._lease_seconds = lease_seconds
        self._processes: dict[str, Process] = {}
        self._awaited: set[str] = set()
        self._parts: dict[str, list[str]] = {}
        self._finished: defaultdict[str, set[str]] = defaultdict(set)
        self._last_lost: dict[str, str] = {}

    @property
    def effects(self) -> Counter[tuple[str, str]]:
        """How often each service came to each kind of effect."""
        return self.scheduler.seen

    @property
    def now(self) -> float:
        """Virtual seconds since the world began."""
        return self.scheduler.now

    def add(
        self,
        name: str,
        factory: ServiceFactory,
        instances: int = 1,
        start_seconds: float = 0.0,
        spreads: bool = False,
        engine: str = "",
        seat: str = "",
    ) -> None:
        """Run a service, with standbys if there is more than one instance. spreads : they share
        their lanes. engine : hash of the one that they say they have. seat : the instances' name,
        the service's where it has no others.
        """
        for number in range(instances):
            named = seat or name
            seat_name = named if instances == 1 else f"{named}.{number}"
            place = Seat(name, seat_name, factory, spreads, engine)
            if start_seconds > 0:
                self.at(start_seconds, partial(self._start, place))
            else:
                self._start(place)

    def remove(self, seat: str) -> None:
        """End what runs on a seat, at once and for good; the seat must have been started."""
        process = self._processes[seat]
        process.seat.is_removed = True
        process.end()

    def at(self, delay_seconds: float, action: Callable[[], None]) -> None:
        """Do something at a virtual time, such as a part of a test's script."""
        self.scheduler.at(delay_seconds, action)

    def run(self, until: Sequence[str]) -> None:
        """Run until each main task of each named service is finished, by whichever instance; then
        end all.

        Raises ProcessFailed or Stalled.
        """
        self._awaited = {service for service in until if not self._is_finished(service)}
        turn = self.scheduler.turn
        try:
            while self._awaited:
                turn()
        finally:
            for process in self._processes.values():
                process.end()

    def trace(self) -> list[tuple[str, str, str]]:
        """Subject, id and payload hash of every stored message, in the order of storing."""
        messages = (stored.message for stored in self.bus.journal)
        return [(m.subject, m.id, payload_hash(m.payload)) for m in messages]

    def trace_hash(self) -> str:
        """SHA-256 over the trace: equal traces, equal runs."""
        lines = ("\x1f".join(line) for line in self.trace())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def on_finished(self, task: Task) -> None:
        """A coroutine returned; the last main one ends its process."""
        process = task.process
        if task not in process.main:
            return
        service = process.seat.service
        self._finished[service].add(process.parts[process.main.index(task)])
        if self._is_finished(service):
            self._awaited.discard(service)
        # A lane that has finished may be lost and begin anew, and finish once more.
        if all(one.done for one in process.main):
            process.end()

    def on_lost(self, task: Task, error: LostOwnership) -> None:
        """A process has lost a lane, which begins anew alone; where it can't, all of it does."""
        process = task.process
        self.losses[process.seat.service] += 1
        self._last_lost[process.instance] = str(error)
        if not process.turn(task):
            self._restart(process)

    def on_crash(self, process: Process, effect: Effect[Any]) -> None:
        """A process is killed at an effect, and a new one starts."""
        assert effect.fate is not None
        self.crashes[process.seat.service, effect.kind, str(effect.fate.crash)] += 1
        self._restart(process)

    def on_failure(self, process: Process, error: Exception) -> None:
        """A process raised what no process may raise."""
        raise ProcessFailed(process.instance, error) from error

    def stalled(self, why: str) -> Stalled:
        """The error that says what every process waits for."""
        alive = (process for process in self._processes.values() if process.alive)
        waits = [
            f"{process.instance} waits for {task.effect}"
            for process in alive
            for task in process.tasks
            if not task.done
        ]
        return Stalled(why, waits, [f"{k}: {v}" for k, v in list(self._last_lost.items())[-3:]])

    def _is_finished(self, service: str) -> bool:
        """Whether all that its newest instance has to do is done, by whichever instance."""
        parts = self._parts.get(service)
        return parts is not None and self._finished[service].issuperset(parts)

    def _start(self, seat: Seat) -> None:
        if seat.is_removed:
            return
        seat.number += 1
        instance = f"{seat.name}-{seat.number}"
        clock = self._clock()

        def begin_more(key: str, tasks: Tasks) -> None:
            begun = process.take(tasks)
            self._parts[seat.service] = process.parts
            for task in begun:
                self.scheduler.start(task)

        ports = Ports(
            self.bus,
            self.key_value,
            clock,
            instance,
            self._lease_seconds,
            documents=self.documents,
            snapshots=self.snapshots,
            members=self.members if seat.spreads else None,
            engine=seat.engine,
            begin=begin_more,
        )
        process = Process(seat, instance, clock, seat.factory(ports), self.scheduler.start)
        if seat.spreads:
            spread = Spread(seat.service, ports, self.members, process, lambda: True)
            process.beside(spread.run())
        self._processes[seat.name] = process
        self._parts[seat.service] = process.parts
        process.begin()

    def _clock(self) -> SimulatedClock:
        """Of another host at each start, where there are faults."""
        if self._dice is None:
            return SimulatedClock(self.scheduler)
        drawn = self._dice.tie()
        skew = self._skew_seconds_max * (2.0 * drawn - 1.0)
        return SimulatedClock(self.scheduler, OFFSET_SECONDS_MAX * drawn, skew)

    def _restart(self, process: Process) -> None:
        process.end()
        delay = min(RESTART_SECONDS * 2 ** (process.seat.number - 1), RESTART_SECONDS_MAX)
        self.at(delay, partial(self._start, process.seat))
