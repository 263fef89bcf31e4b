"""scheduler: virtual time, and which process goes on next.

Without dice everything happens in the order in which it was asked for and takes no time; time moves
only when every process waits for it. With dice each effect travels out, is performed, and its
answer travels back, as its fate has it.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from stratvector.runtime.ports import LostOwnership, RuntimePortError
from stratvector.runtime.simulation.effect import Effect
from stratvector.runtime.simulation.fate import Fate
from stratvector.runtime.simulation.faults import Dice
from stratvector.runtime.simulation.process import Process, Task

ANSWER_TIMEOUT_SECONDS = 2.0


class Supervisor(Protocol):
    """What the scheduler tells the world."""

    def on_finished(self, task: Task) -> None:
        """A coroutine returned."""

    def on_lost(self, task: Task, error: LostOwnership) -> None:
        """A process has lost a lane."""

    def on_crash(self, process: Process, effect: Effect[Any]) -> None:
        """The dice or a plan kill a process at an effect."""

    def on_failure(self, process: Process, error: Exception) -> None:
        """A process raised what no process may raise."""

    def stalled(self, why: str) -> Exception:
        """What to raise when nothing goes on."""


class Scheduler:
    """Runs tasks and performs their effects. Durations are virtual seconds.

    seen : how often each service came to each kind of effect. horizon_seconds, effects_max : how
    long and how many effects without progress are a standstill.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        dice: Dice | None,
        horizon_seconds: float,
        effects_max: int,
    ) -> None:
        self.now = 0.0
        self.seen: Counter[tuple[str, str]] = Counter()
        self._supervisor = supervisor
        self._dice = dice
        self._horizon_seconds = horizon_seconds
        self._effects_max = effects_max
        self._ready: deque[tuple[Task, Any, RuntimePortError | None]] = deque()
        self._timers: list[tuple[float, float, int, Callable[[], None]]] = []
        self._timer_number = 0
        self._idle_since = 0.0
        self._idle_effects = 0

    def start(self, task: Task) -> None:
        """Make a task ready to run its first lines."""
        if self._dice is None:
            self._ready.append((task, None, None))
        else:
            self.at(0.0, partial(self._resume, task, None, None))

    def at(self, delay_seconds: float, action: Callable[[], None]) -> None:
        """Do something later; at one instant the dice decide the order."""
        self._timer_number += 1
        tie = 0.0 if self._dice is None else self._dice.tie()
        heapq.heappush(self._timers, (self.now + delay_seconds, tie, self._timer_number, action))

    def progress(self) -> None:
        """Note that something came about that can't be repeated for ever."""
        self._idle_since = self.now
        self._idle_effects = 0

    def ways(self) -> Sequence[float]:
        """How long a message of the bus is under way to one listener, each time that it comes."""
        return (0.0,) if self._dice is None else self._dice.ways()

    def turn(self) -> None:
        """Let one task go on, or time pass to the next event."""
        if self._ready:
            self._step(*self._ready.popleft())
            return
        if not self._timers:
            raise self._supervisor.stalled("nothing is left to happen")
        time, _, _, action = heapq.heappop(self._timers)
        if time > self._idle_since + self._horizon_seconds:
            raise self._supervisor.stalled(f"no progress for {self._horizon_seconds:g} s")
        self.now = time
        action()

    def answer(
        self, effect: Effect[Any], value: object, error: RuntimePortError | None = None
    ) -> None:
        """Resume the process that waits for the effect, once; fate may lose or delay the answer."""
        if effect.answered or effect.task is None:
            return
        fate = effect.fate
        if fate is None:
            effect.answered = True
            self._ready.append((effect.task, value, error))
        elif fate.crash == "after":
            self._crash(effect.task.process, effect)
        elif fate.loss != "answer":
            effect.answered = True
            self.at(fate.back_seconds, partial(self._resume, effect.task, value, error))

    def _step(self, task: Task, value: object, error: RuntimePortError | None) -> None:
        """Run a task up to its next effect."""
        process = task.process
        if not process.alive or task.ended:
            return
        try:
            effect = task.coroutine.send(value) if error is None else task.coroutine.throw(error)
        except StopIteration:
            task.done = True
            self.progress()
            self._supervisor.on_finished(task)
        except LostOwnership as lost:
            self._supervisor.on_lost(task, lost)
        except Exception as failure:  # noqa: BLE001  raised again with the process's name
            self._supervisor.on_failure(process, failure)
        else:
            self._issue(task, effect)

    def _issue(self, task: Task, effect: Effect[Any]) -> None:
        effect.task = task
        task.effect = effect
        service = task.process.seat.service
        self.seen[service, effect.kind] += 1
        self._idle_effects += 1
        if self._idle_effects > self._effects_max:
            raise self._supervisor.stalled(f"no progress in {self._effects_max:,} effects")
        if self._dice is None:
            effect.arrive(self)
            return
        effect.fate = self._dice.fate(service, self.seen[service, effect.kind], effect)
        self._send(task.process, effect, effect.fate)

    def _send(self, process: Process, effect: Effect[Any], fate: Fate) -> None:
        """Let an effect leave its process, unless its fate has it otherwise."""
        if fate.crash == "before":
            self._crash(process, effect)
            return
        departure = 0.0
        if fate.pause_seconds:
            process.pause(self.now, fate.pause_seconds, fate.clock_stops)
            departure = fate.pause_seconds if fate.pause == "before" else 0.0
        if fate.loss != "request":
            self.at(departure + fate.out_seconds, partial(effect.arrive, self))
        if effect.unknown is not None:
            self.at(departure + ANSWER_TIMEOUT_SECONDS, partial(self._give_up, effect))
        elif fate.loss is not None:
            self.at(departure + fate.back_seconds, partial(self._give_up, effect))

    def _give_up(self, effect: Effect[Any]) -> None:
        """Tell the process that no answer came."""
        if not effect.answered and effect.task is not None:
            effect.answered = True
            error = None if effect.unknown is None else effect.unknown(str(effect))
            self._resume(effect.task, None, error)

    def _resume(self, task: Task, value: object, error: RuntimePortError | None) -> None:
        pause = task.process.paused_until - self.now
        if pause > 0:
            self.at(pause, partial(self._resume, task, value, error))
        else:
            self._step(task, value, error)

    def _crash(self, process: Process, effect: Effect[Any]) -> None:
        if process.alive:
            self._supervisor.on_crash(process, effect)
