"""The check: one walk over the closes of a log, every part of it computed again.

    chapter ─▶ bars ─▶ signals ─▶ fills ─▶ orders ─▶ positions        by the cuts
                └──────────── compiled backtest over the same bars, where they are at hand

What was logged is adopted after each comparison: the first difference is told, the others counted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stratvector.trading.chapters import Chapter
from stratvector.trading.fills import FillKind
from stratvector.trading.flow import FLOW
from stratvector.trading.logged import Halt, LoggedClose, SessionLog
from stratvector.trading.parity.chapters import carried_of
from stratvector.trading.parity.decisions import DecisionReplay, messages_of
from stratvector.trading.parity.difference import Difference, Fact, text
from stratvector.trading.parity.executions import ExecutionReplay
from stratvector.trading.parity.record import RecordReplay
from stratvector.trading.parity.recording import (
    BacktestReplay,
    RecordedBars,
    uncomparable,
    unpromised_bars,
)
from stratvector.trading.parity.signals import SignalsReplay
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.session import Session
from stratvector.trading.strategy import Strategy

Progress = Callable[[int, int], None]
OTHER_BARS = "nothing else was compared: the bars are not those that the log began with"
FOR_EVER = 2**63 - 1
NOUNS = [hop.noun for hop in FLOW]


class Parts(Protocol):
    """What a replay needs of a session; its bars are in the log."""

    @property
    def portfolio(self) -> Portfolio: ...

    @property
    def start(self) -> int: ...

    @property
    def strategies(self) -> Mapping[str, Strategy]: ...


class Replay(Protocol):
    """One part of the check."""

    def at(self, index: int, close: LoggedClose) -> Iterable[Difference]:
        """The differences of a close; asked once for each, in order."""


@dataclass(frozen=True)
class Parity:
    """What a check found.

    scheduled, closes : of the session (None where nobody knows an end), and compared. whole : the
    log has every close of the session. last_close : of those compared, ns UTC. orders, fills :
    approved orders and executions compared. first : the first difference in the order of the
    closes and of the flow. others : how many came after it. positions_behind : closes with
    executions that the published positions don't show yet. notes : what was not compared, and why.
    by_chapter : of each that holds, from the first on: its closes, and the differences there.
    """

    scheduled: int | None
    closes: int
    whole: bool
    last_close: int | None
    orders: int
    fills: int
    first: Difference | None
    others: int
    positions_behind: int
    notes: tuple[str, ...]
    by_chapter: tuple[tuple[int, int], ...] = ()

    @property
    def is_equal(self) -> bool:
        """No difference as far as the log goes."""
        return self.first is None

    @property
    def is_complete(self) -> bool:
        """The log goes as far as the session."""
        return self.whole and self.positions_behind == 0


def check(
    log: SessionLog,
    parts: Parts,
    recorded: Session | None = None,
    simulated_broker: bool = True,
    progress: Progress | None = None,
    chapter: Chapter | None = None,
) -> Parity:
    """Replay a log by its cuts.

    recorded : the session with its bars, to compare with those and with a backtest.
    simulated_broker : whether the fills are the simulated broker's, so that they can be computed.
    progress : called with (closes done, closes that the log has).
    chapter : what the log begins with; once all bars are there they must have its hashes, and what
    follows from other bars is not compared.
    """
    if wrong := list(unpromised_bars(chapter, log)):
        return _found(log, wrong, 0, (OTHER_BARS,))
    portfolio, strategies = _parts(log, parts)
    decisions = DecisionReplay(portfolio, log.chapters, log.begins)
    record, notes = RecordReplay(log), list[str]()
    replays: list[Replay] = [
        *([RecordedBars(recorded, log)] if recorded and chapter is None else []),
        SignalsReplay(portfolio, strategies, log.warmup, log.chapters, parts.start, log.begins),
        ExecutionReplay(portfolio, simulated_broker, log.chapters, log.begins),
        decisions,
        record,
        _Halts(log.halts),
        *_backtest(log, parts, recorded, simulated_broker, notes),
    ]
    found = list(decisions.before(_beginning(log)))
    for index, close in enumerate(log.closes):
        for replay in replays:
            found.extend(replay.at(index, close))
        if progress is not None:
            progress(index + 1, len(log.closes))
    found += _after(log, decisions)
    return _found(log, found, record.behind, tuple(notes))


def _parts(log: SessionLog, parts: Parts) -> tuple[Portfolio, Mapping[str, Strategy]]:
    """Those of the chapter that the log is read from."""
    if (begins := log.begins) is None:
        return parts.portfolio, parts.strategies
    return begins.portfolio, begins.strategies()


def _beginning(log: SessionLog) -> int:
    """The first close; without one, the close that the log is read after. ns UTC."""
    if log.closes:
        return log.closes[0].close_time
    carried = carried_of(log.begins)
    return 0 if carried is None else carried.close_time


def _found(
    log: SessionLog, found: Sequence[Difference], behind: int, notes: tuple[str, ...]
) -> Parity:
    return Parity(
        scheduled=log.scheduled,
        closes=len(log.closes),
        whole=log.is_complete,
        last_close=log.closes[-1].close_time if log.closes else None,
        orders=sum(len(close.decision.noun.orders) for close in log.closes),
        fills=sum(e.kind is FillKind.FILLED for close in log.closes for e in close.events),
        first=found[0] if found else None,
        others=max(0, len(found) - 1),
        positions_behind=behind,
        notes=notes,
        by_chapter=tuple(_by_chapter(log, found)),
    )


def _by_chapter(log: SessionLog, found: Sequence[Difference]) -> Iterator[tuple[int, int]]:
    """What a chapter carries is told at the close before it, whose engine wrote it or not."""
    begins = [one.noun.carried.close_time for one in log.chapters if one.noun.carried is not None]
    closes = [close.close_time for close in log.closes]
    differing = [difference.close_time for difference in found]
    for after, until in zip([-1, *begins], [*begins, FOR_EVER], strict=True):
        yield _within(closes, after, until), _within(differing, after, until)


def _within(times: Sequence[int], after: int, until: int) -> int:
    return sum(after < time <= until for time in times)


def _backtest(
    log: SessionLog,
    parts: Parts,
    recorded: Session | None,
    simulated_broker: bool,
    notes: list[str],
) -> list[Replay]:
    """The comparison with a backtest, or a note that says why there is none."""
    if not log.closes:
        return []
    if recorded is None:
        notes.append("not compared with a backtest: the session's bars are not at hand")
        return []
    if not simulated_broker:
        notes.append("not compared with a backtest: the fills are a venue's")
        return []
    if why := uncomparable(log, parts.portfolio):
        notes.append(why)
        return []
    return [BacktestReplay(recorded, log)]


class _Halts:
    """Where readers of the log halt, told at the close that they halt at."""

    def __init__(self, halts: Sequence[Halt]) -> None:
        self._halts = halts

    def at(self, index: int, close: LoggedClose) -> Iterable[Difference]:
        """Halts of one close."""
        return [_halted(halt) for halt in self._halts if halt.close_time == close.close_time]


def _after(log: SessionLog, decisions: DecisionReplay) -> list[Difference]:
    """Halts at closes that are not complete; a missing decision is told with what it should be."""
    compared = {close.close_time for close in log.closes}
    halts = [halt for halt in log.halts if halt.close_time not in compared]
    halts.sort(key=lambda halt: (halt.close_time, NOUNS.index(halt.noun)))
    return [_halted(halt, log, decisions) for halt in halts]


def _halted(
    halt: Halt, log: SessionLog | None = None, decisions: DecisionReplay | None = None
) -> Difference:
    facts: tuple[Fact, ...] = ()
    messages = {f"found in {halt.lane}": halt.id}
    replayed = f"one message of {halt.lane} for this close"
    undecided = None if log is None else log.undecided
    if (
        decisions is not None
        and undecided is not None
        and (halt.noun, halt.close_time) == ("orders", undecided.close_time)
    ):
        decision = decisions.decided(undecided)
        replayed = f"a decision with {len(decision.orders)} orders, equity {text(decision.equity)}"
        facts = tuple(
            Fact(f"order of {order.symbol}", text(None), f"{order.lots} lots")
            for order in decision.orders
        )
        messages |= messages_of(undecided)
    return Difference(
        halt.noun,
        halt.close_time,
        "",
        "message",
        halt.why,
        replayed,
        facts=facts,
        messages=messages,
    )
