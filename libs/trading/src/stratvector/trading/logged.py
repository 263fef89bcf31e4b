"""What the log says of one session, close by close: the nouns as they were stored, with the ids and
places of their messages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import Chapter
from stratvector.trading.fills import FillEvent, FillsReport
from stratvector.trading.ledger import LedgerEntry, Positions
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.schedule import Schedule
from stratvector.trading.signals import Signals

if TYPE_CHECKING:
    from stratvector.trading.strategy import Strategy

Noun = TypeVar("Noun")


@dataclass(frozen=True)
class Logged(Generic[Noun]):
    """A noun with the id of its message and its sequence in the stream."""

    noun: Noun
    id: str
    sequence: int


@dataclass(frozen=True)
class LoggedChapter(Logged[Chapter]):
    """A chapter that opened after the first one. portfolio : as its document describes it, and the
    models that are closing. strategies : per model of the document, loaded when they are asked for;
    what that raises is the caller's. before : of each universe that begins another version here,
    the bars of that version up to the chapter's beginning. renewed : the models that have another
    strategy than in the chapter before.
    """

    portfolio: Portfolio
    strategies: Callable[[], Mapping[str, "Strategy"]]
    before: Mapping[str, tuple[Logged[ClosedBars], ...]] = field(default_factory=dict)
    renewed: tuple[str, ...] = ()


@dataclass(frozen=True)
class EarlierClose:
    """A universe's close that was not waited for. bars : that came after it. signals : by model,
    what its models made of them, which no decision uses; they need never come.
    """

    bars: Logged[ClosedBars]
    signals: Mapping[str, Logged[Signals]] = field(default_factory=dict)


@dataclass(frozen=True)
class UndecidedClose:
    """What a decision has at one close.

    bars : per closing universe. signals : per model of these. reports : what execution published
    since the close before, up to the report that closes this one. absent : universes that are
    silent. earlier : closes whose bars came late and are taken up here, in order.
    """

    close_time: int
    bars: Mapping[str, Logged[ClosedBars]]
    signals: Mapping[str, Logged[Signals]]
    reports: tuple[Logged[FillsReport], ...]
    absent: tuple[str, ...] = field(default=(), kw_only=True)
    earlier: tuple[EarlierClose, ...] = field(default=(), kw_only=True)

    @property
    def logged_bars(self) -> tuple[Logged[ClosedBars], ...]:
        """All bars in the order in which they move marks."""
        return (*(one.bars for one in self.earlier), *self.bars.values())

    @property
    def sections(self) -> tuple[ClosedBars, ...]:
        """The same without their messages."""
        return tuple(one.noun for one in self.logged_bars)

    @property
    def late_sections(self) -> tuple[ClosedBars, ...]:
        """Those of earlier closes alone."""
        return tuple(one.bars.noun for one in self.earlier)

    @property
    def events(self) -> tuple[FillEvent, ...]:
        """All events of the reports, in their order."""
        return tuple(event for report in self.reports for event in report.noun.events)


@dataclass(frozen=True)
class LoggedClose(UndecidedClose):
    """Everything that belongs to one close. late : signals that came, but too late for the
    decision; those that it went without need never come.
    """

    decision: Logged[Decision]
    late: Mapping[str, Logged[Signals]] = field(default_factory=dict)


@dataclass(frozen=True)
class Halt:
    """Where a lane's readers halt: what must come next is not what the lane holds.

    close_time : of what must come next (ns UTC). id : of the message that is there instead.
    why : one sentence.
    """

    noun: str
    lane: str
    close_time: int
    id: str
    why: str


@dataclass(frozen=True)
class OtherEngine:
    """What an owner published whose engine is not its chapter's: a process had taken the lane that
    was upgraded already, or not yet. closes : how many. noun : fills or signals.
    """

    chapter: int
    noun: str
    engine: str
    closes: int


@dataclass(frozen=True)
class SessionLog:
    """A session as its lanes tell it, as far as it is complete.

    scheduled : closes of the whole session, as its document says; None where nobody knows an end.
    schedule : the closes that its bars tell, those without a bar yet included that the newest ones
    promise. ended : every universe said that it never closes again.
    closes : the first of the schedule, each with all its messages. undecided : the close after
    these, if only its decision is missing.
    entries : the ledger's fold of the closes; shorter only if a halt of fills says why.
    warmup : bars before the session's start, per universe. positions : what the ledger published.
    bars, signals : messages from the session's start on, complete closes or not.
    halts : lanes that hold what no reader takes; an unfinished session has none.
    chapters : those that have opened after the first one, each with what it carries. other_engines
    : fills and signals that were computed by another engine than their chapter's.
    begins : the chapter that was read first, None where that is the first of all; what the closes
    go on from is what it carries, and the warm-up are the bars that were used before it. published
    : how many positions the ledger had published before.
    """

    scheduled: int | None
    schedule: Schedule
    ended: bool
    closes: tuple[LoggedClose, ...]
    undecided: UndecidedClose | None
    entries: tuple[LedgerEntry, ...]
    warmup: Mapping[str, tuple[Logged[ClosedBars], ...]]
    positions: tuple[Logged[Positions], ...]
    bars: int
    signals: int
    halts: tuple[Halt, ...] = ()
    chapters: tuple[LoggedChapter, ...] = ()
    other_engines: tuple[OtherEngine, ...] = ()
    begins: LoggedChapter | None = None
    published: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every close is there with all its messages, and none will come."""
        if self.stopped or not (self.ended and self.closes):
            return self.stopped
        # Where universes may be absent, a close of one may be taken up at a later one.
        return self.closes[-1].close_time == int(self.schedule.close_times[-1])

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped the portfolio, and its last decision says that it has ended."""
        return bool(self.closes) and self.closes[-1].decision.noun.ended
