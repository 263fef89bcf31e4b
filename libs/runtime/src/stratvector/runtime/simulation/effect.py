"""effect: what a simulated port yields to the scheduler, and how it is performed and answered.

A process only ever waits at an effect. The scheduler decides when the effect reaches its server
(`arrive`), the server answers through the scheduler, and the process goes on when the answer
reaches it, if it still lives then.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from stratvector.runtime.ports import RuntimePortError
from stratvector.runtime.simulation.fate import Fate

if TYPE_CHECKING:
    from stratvector.runtime.simulation.process import Task

Answer = TypeVar("Answer")


class Channel(Enum):
    """How an effect can go wrong on its way, besides delay, crash and pause."""

    LOCAL = auto()  # no network in between
    READ = auto()  # can be asked again, so a loss is only a delay
    PUBLISH = auto()  # request or answer lost, or landing late
    SWAP = auto()  # the answer lost, and the client's own retry refused
    SEND = auto()  # to the broker: request or answer lost


class Scheduler(Protocol):
    """What servers need of the scheduler."""

    now: float

    def at(self, delay_seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""

    def answer(
        self, effect: Effect[Any], value: object, error: RuntimePortError | None = None
    ) -> None:
        """Resume the process that waits for the effect, once."""

    def progress(self) -> None:
        """Note that something came about that can't be repeated for ever."""

    def ways(self) -> Sequence[float]:
        """How long a message that the bus publishes again is under way to one listener, in seconds:
        none when it is lost, two when it comes twice.
        """


class Effect(Awaitable[Answer]):
    """One await of a process.

    kind : names the point, such as "publish ORDERS". target : what exactly, for people. unknown :
    what the process is told when no answer comes.
    """

    __slots__ = ("answered", "channel", "fate", "kind", "target", "task", "unknown")

    def __init__(
        self,
        kind: str,
        target: str,
        channel: Channel,
        unknown: type[RuntimePortError] | None = None,
    ) -> None:
        self.kind = kind
        self.target = target
        self.channel = channel
        self.unknown = unknown
        self.answered = False
        self.fate: Fate | None = None
        self.task: Task | None = None

    def __await__(self) -> Generator[Effect[Answer], Answer, Answer]:
        return (yield self)

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"

    @abstractmethod
    def arrive(self, scheduler: Scheduler) -> None:
        """Reach the server, which answers now or later."""


class Call(Effect[Answer]):
    """An effect that is performed and answered when it arrives."""

    __slots__ = ("_perform",)

    def __init__(
        self,
        kind: str,
        target: str,
        channel: Channel,
        perform: Callable[[], Answer],
        unknown: type[RuntimePortError] | None = None,
    ) -> None:
        super().__init__(kind, target, channel, unknown)
        self._perform = perform

    def arrive(self, scheduler: Scheduler) -> None:
        """Perform, and answer with the value or with the port's error."""
        try:
            value = self._perform()
        except RuntimePortError as error:
            scheduler.answer(self, None, error)
        else:
            scheduler.answer(self, value)


class Sleep(Effect[None]):
    """Wait for virtual time."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__("sleep", f"{seconds:g} s", Channel.LOCAL)
        self._seconds = seconds

    def arrive(self, scheduler: Scheduler) -> None:
        """Answer when the time has come."""
        scheduler.at(self._seconds, lambda: scheduler.answer(self, None))
