"""host: what a service is to whatever runs it: the simulated world, or a process of its own."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports

if TYPE_CHECKING:
    import grpc.aio
    from prometheus_client.registry import Collector

Page = Callable[[], tuple[str, bytes]]


@dataclass(frozen=True)
class Servicer:
    """A gRPC service that an instance offers.

    name : the full name, such as "stratvector.contracts.v1.LedgerService". register : adds it to a
    server.
    """

    name: str
    register: Callable[["grpc.aio.Server"], None]


@dataclass(frozen=True)
class Tasks:
    """The coroutines of one service instance.

    main : the work, in the same order in every instance of a service; each ends when its part of
    the session does. lanes : what the work writes to, `lanes[n]` by `main[n]`; main coroutines
    that write no lane stand last. Their leases are kept beside the work.
    servicers : what a process of the service answers. pages : what its HTTP port shows beside
    `/metrics`, by path: content type and bytes, asked on a thread. collectors : metrics of the
    service's own. trouble : why the process is not ready although it runs, empty when all is well;
    asked on a thread. close : called on a thread at a drain's end, when nothing runs and nobody can
    ask any more. LostOwnership out of any of them ends the whole instance, which is started anew
    under another instance name.
    """

    main: Sequence[Coroutine[Any, Any, None]]
    lanes: Sequence[Lane] = ()
    servicers: Sequence[Servicer] = ()
    pages: Mapping[str, Page] = field(default_factory=dict)
    collectors: Sequence["Collector"] = ()
    trouble: Callable[[], str] = str
    close: Callable[[], None] | None = None

    def keepers(self) -> list[Coroutine[Any, Any, None]]:
        """New coroutines that keep the leases, one per lane; they never end by themselves."""
        return [lane.keep() for lane in self.lanes]


ServiceFactory = Callable[[Ports], Tasks]
