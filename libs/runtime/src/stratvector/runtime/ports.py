"""The ports that `wiring.py` fills: everything that a service awaits.

RuntimePortError
├── WrongSequence      the bus refused a publish: the lane's last sequence is another (10071)
├── PublishUnknown     no answer: the message may or may not be stored; never treated as failed
├── WrongRevision      a compare-and-swap in the key-value store lost
├── BrokerUnknown      no answer from the broker: the order may or may not be there
├── LedgerConflict     the ledger holds another entry of a close: its record is of another log
├── NoAnswer           the Monte Carlo service gave no figure; the sentence says why
├── ForeignMessage     the log holds a message that no owner of its lane can have written
└── LostOwnership      this instance does not own its lane, or no longer: begin anew, never retry
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from stratvector.trading.carried import Carried
from stratvector.trading.fills import FillEvent
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.orders import ApprovedOrder
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.ticks import TickBars
from stratvector.trading.timestamps import utc_text

LEASE_SECONDS = 5.0


class RuntimePortError(Exception):
    """Base of the errors that a port raises."""


class WrongSequence(RuntimePortError):
    """The lane's last sequence is not the expected one."""

    def __init__(self, subject: str, expected: int, actual: int) -> None:
        super().__init__(f"{subject}: expected last sequence {expected}, but it is {actual}")
        self.subject, self.expected, self.actual = subject, expected, actual


class PublishUnknown(RuntimePortError):
    """The publish got no answer in time; the message may be stored."""


class WrongRevision(RuntimePortError):
    """The key changed since it was read."""


class BrokerUnknown(RuntimePortError):
    """The broker did not answer; the order may have reached it."""


class LedgerConflict(RuntimePortError):
    """The ledger holds another entry of a committed close, or none of one before its newest."""

    def __init__(self, portfolio: str, close_time: int, run: str = "") -> None:
        of = f"{portfolio} in {run}" if run else portfolio
        super().__init__(
            f"the ledger's record of {of} at {utc_text(close_time)} is not what the log "
            "says: it was written from another log, or by another version; give it a new database"
        )
        self.portfolio, self.close_time, self.run = portfolio, close_time, run


class ForeignMessage(RuntimePortError):
    """A stored message without the marks that every owner of a lane writes; nobody may skip it."""

    def __init__(self, subject: str, sequence: int, why: str) -> None:
        super().__init__(f"it was not written by an owner of the lane: {why}")
        self.subject, self.sequence, self.why = subject, sequence, why


class NoAnswer(RuntimePortError):
    """The Monte Carlo service gave no figure; the sentence says why.

    may_heal : it was away or cut the run, so that the same question may be answered later.
    """

    def __init__(self, sentence: str, may_heal: bool = False) -> None:
        super().__init__(sentence)
        self.may_heal = may_heal


class LostOwnership(RuntimePortError):
    """Another instance owns the lane; who worked on it stops, and begins anew as a standby."""


class Kind(StrEnum):
    """What a stored message is: the noun itself, the mark of a new owner, or, in the orders lane,
    that a chapter opens.
    """

    CONTENT = "content"
    OWNER = "owner"
    OPENED = "opened"


@dataclass(frozen=True)
class Message:
    """What is published: payload bytes under a deterministic id, in the name of an epoch.

    event_time : the close that it is about, ns UTC, for its trace, told where it is published.
    trace_id : of that close, as a reader finds it; empty when nobody told.
    """

    subject: str
    id: str
    payload: bytes
    epoch: int
    kind: Kind = Kind.CONTENT
    event_time: int = field(default=0, compare=False)
    trace_id: str = field(default="", compare=False)


@dataclass(frozen=True)
class Stored:
    """A message as the log holds it.

    sequence : its place in the stream. previous : the sequence of the message before it on its
    subject (0 = none), that the publisher expected; so a reader sees every gap. stored_at : when
    the server stored it, ns UTC by its clock, 0 where nobody told; for metrics, never for results.
    """

    message: Message
    sequence: int
    previous: int
    stored_at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Published:
    """The bus's answer. duplicate : a message with this id was stored before; nothing was added."""

    sequence: int
    duplicate: bool


class Arrivals(Protocol):
    """What is stored on one subject, heard as it is stored: in order, but any of it may be lost, or
    come twice. Who hears nothing, or sees a gap, reads the log.
    """

    async def next(self, timeout_seconds: float) -> Stored | None:
        """The next message that was heard, or None when none came in time."""

    async def close(self) -> None:
        """Hear nothing more."""


class Bus(Protocol):
    """The log and source of truth."""

    async def publish(self, message: Message, expected_sequence: int) -> Published:
        """Store a message if its subject's last sequence is the expected one.

        Raises WrongSequence (checked before de-duplication) or PublishUnknown.
        """

    async def last(self, subject: str) -> Stored | None:
        """The newest message of a subject."""

    async def read(self, subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        """Up to `limit` messages of a subject with a sequence above `after`, in order.

        A subject that ends with `>` is every one below.
        """

    async def arrivals(self, subject: str) -> Arrivals:
        """Listen to a subject: what is stored after a later read's answer is heard, or lost."""


@dataclass(frozen=True)
class Entry:
    """A key's value and the revision that the next update must name."""

    value: bytes
    revision: int


class KeyValue(Protocol):
    """A bucket of keys with compare-and-swap: who owns a lane, or what is wanted."""

    async def get(self, key: str) -> Entry | None:
        """The current entry, or None."""

    async def all(self) -> Mapping[str, Entry]:
        """Every key with its current entry."""

    async def put(self, key: str, value: bytes, revision: int) -> int:
        """Write if the key has the given revision (0 = there is no key); the new revision.

        Raises WrongRevision.
        """


class Clock(Protocol):
    """Monotonic time for leases, waits and deadlines, and UTC for what the world outside lives by;
    never a source of results.
    """

    def monotonic_seconds(self) -> float:
        """Seconds on a clock that never steps back."""

    def utc_now(self) -> int:
        """The host's UTC in ns, which may step either way. Only market_data's feed may ask, as when
        a close is due is its judgement, and execution, whether an order may still be sent to a
        broker outside the log; everybody else follows their messages.
        """

    async def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True)
class Acknowledgement:
    """The broker's word on an order. accepted False is a final rejection, `text` says why."""

    accepted: bool
    text: str = ""


class Broker(Protocol):
    """A venue, or the simulated broker. Only execution holds one."""

    @property
    def is_external(self) -> bool:
        """Whether it holds orders outside the log: then each claim and outcome is stored at once,
        as nobody could tell them again.
        """

    def begin(self, portfolio: Portfolio, carried: Carried | None) -> None:
        """A chapter begins, with what it carries; orders of earlier ones keep their terms."""

    async def send(self, order: ApprovedOrder, epoch: int) -> Acknowledgement:
        """Hand over an order under its id. Raises BrokerUnknown when no answer came."""

    async def find(self, order: ApprovedOrder) -> Acknowledgement | None:
        """What the broker knows of this order id; None when it was never accepted.

        Raises BrokerUnknown.
        """

    async def cancel(self, order_id: str) -> bool:
        """True when the order is cancelled, also when it was before; False when it ended otherwise
        or was never there. Raises BrokerUnknown.
        """

    async def events_until(self, bars: TickBars) -> Sequence[FillEvent]:
        """Executions and terminal events up to a close; asked again, the same events.

        Raises BrokerUnknown.
        """


class LedgerStore(Protocol):
    """Where the ledger keeps its entries; only the ledger service holds one."""

    async def last_close(self, run: str, portfolio: str) -> int | None:
        """The newest close of a portfolio in a run that survives every crash, or None."""

    async def verify(self, run: str, portfolio: str, after: int | None) -> None:
        """Hold what is kept of a portfolio in a run against its own proofs, before anything is
        added: all closes later than `after`, ns UTC, None for every one. Raises CannotStart where
        it is not as it was committed.
        """

    async def commit(self, entry: LedgerEntry) -> None:
        """Take one close, which is kept whole or not at all, and never without those before it.

        It may be durable a little later: the log is the source of truth, and who recovers asks
        `last_close`. The same close again changes nothing. Raises LedgerConflict for another entry
        of a close that is there.
        """

    async def written(self, run: str, portfolio: str) -> None:
        """Wait until everything that was committed of a portfolio in a run survives every crash.

        Raises what keeps it from that, such as LedgerConflict.
        """


class Spans(Protocol):
    """Who is told how the work of a close goes on, for its trace; never a source of results."""

    def taken(self, stored: Stored) -> None:
        """The calling coroutine took a message and works on it from here on."""

    def open(self, name: str, close_time: int) -> Callable[[], None]:
        """A span of a close (ns UTC) that began when the calling coroutine took its last message;
        what is answered ends it, on any thread.
        """


def _nowhere(key: str, tasks: Any) -> None:
    raise RuntimeError(f"nobody here can begin more work for {key}")


async def _at_once(call: Callable[[], Any]) -> Any:
    return call()


@dataclass(frozen=True)
class Ports:
    """What a service instance gets to stand on.

    instance : unique for each start of a process. lease_seconds : how long a lane stays with an
    owner that is not heard of. spans : None where nobody traces, which costs nothing. documents :
    what is wanted of each portfolio, for risk alone. snapshots : what those that only watch have
    folded, None where nobody keeps it. holds : whose orders nobody may send, for execution alone;
    None where nothing is ever held. members : who else is there; None where nobody may be.
    address : host:port at which other instances reach this one's questions, empty while it answers
    none. engine : hash of the engine that this instance computes with, empty where it computes with
    none. begin : runs more coroutines of a portfolio, by its key `<run>.<portfolio>`. aside : calls
    what takes long, such as a compiler, so that nothing else waits for it.
    """

    bus: Bus
    key_value: KeyValue
    clock: Clock
    instance: str
    lease_seconds: float = LEASE_SECONDS
    spans: Spans | None = None
    documents: KeyValue | None = None
    snapshots: KeyValue | None = None
    members: KeyValue | None = None
    holds: KeyValue | None = None
    address: Callable[[], str] = str
    engine: str = ""
    begin: Callable[[str, Any], None] = _nowhere  # host.Tasks, which stands on this module
    aside: Callable[[Callable[[], Any]], Awaitable[Any]] = _at_once
