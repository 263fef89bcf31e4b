"""host: what a service is to whatever runs it: the simulated world, or a process of its own."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports

if TYPE_CHECKING:
    import grpc.aio
    from prometheus_client.registry import Collector

    from stratvector.runtime.deployment import Deployment

Page = Callable[[], tuple[str, bytes]]


@dataclass(frozen=True)
class AnsweredFrom:
    """A lane that a question is about. is_current : whether this instance owns it, and knows what
    the log says of it.
    """

    lane: str
    is_current: bool


@dataclass(frozen=True)
class Servicer:
    """A gRPC service that an instance offers.

    name : the full name, such as "stratvector.contracts.v1.LedgerService". register : adds it to a
    server. lane_of : the lane whose owner alone can answer a request; None, of it or of a request,
    where every instance can, or where the servicer itself says why nobody does.
    """

    name: str
    register: Callable[["grpc.aio.Server"], None]
    lane_of: Callable[[Any], "AnsweredFrom | None"] | None = None


@dataclass(frozen=True)
class Tasks:
    """The coroutines of one portfolio in one run, in one service instance.

    main : the work, in the same order in every instance of a service; each ends when its part of
    the session does. lanes : what the work writes to, `lanes[n]` by `main[n]`; main coroutines
    that write no lane stand last. Their leases are kept beside the work. again : `again[n]` makes
    `main[n]` and `lanes[n]` anew. A lane that is lost or moves begins again by it, alone; without
    it LostOwnership ends the whole instance.
    """

    main: Sequence[Coroutine[Any, Any, None]]
    lanes: Sequence[Lane] = ()
    again: Sequence["Make"] = ()

    @classmethod
    def of(cls, makers: Sequence["Make"]) -> "Tasks":
        """Lanes that are each made by themselves. Every maker gives one coroutine and its lane."""
        made = [make() for make in makers]
        main = [coroutine for tasks in made for coroutine in tasks.main]
        return cls(main, [lane for tasks in made for lane in tasks.lanes], tuple(makers))

    def keepers(self) -> list[Coroutine[Any, Any, None]]:
        """New coroutines that keep the leases, one per lane; they never end by themselves."""
        return [lane.keep() for lane in self.lanes]


Make = Callable[[], Tasks]
Begin = Callable[["Deployment"], Tasks | Awaitable[Tasks]]


@dataclass(frozen=True)
class Service:
    """What a process of a service is made of, once, whatever portfolios it comes to serve.

    begin : asked once for each portfolio in each run that this process finds; what it awaits holds
    up no other portfolio. None for a service that works for none. It raises CannotStart or
    BadSession for a portfolio that can't be served here.
    main : coroutines of the process itself, which write no lane. servicers : what it answers.
    pages : what its HTTP port shows beside `/metrics`, by path: content type and bytes, asked on a
    thread. collectors : metrics of the service's own. trouble : why the process is not ready
    although it runs, empty when all is well; asked on a thread. close : called on a thread at a
    drain's end, when nothing runs and nobody can ask any more.
    """

    begin: Begin | None = None
    main: Sequence[Coroutine[Any, Any, None]] = ()
    servicers: Sequence[Servicer] = ()
    pages: Mapping[str, Page] = field(default_factory=dict)
    collectors: Sequence["Collector"] = ()
    trouble: Callable[[], str] = str
    close: Callable[[], None] | None = None


ServiceFactory = Callable[[Ports], Tasks]
