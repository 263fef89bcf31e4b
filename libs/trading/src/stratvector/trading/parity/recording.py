"""The log against the session that it is of: its bars, and the compiled loop over them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from stratvector.trading import replay
from stratvector.trading.bars import FIELDS, ClosedBars
from stratvector.trading.chapters import FIRST, Chapter, ChapterBars, hash_of_sections
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.logged import Logged, LoggedClose, SessionLog
from stratvector.trading.orders import LATE, Cut
from stratvector.trading.parity.difference import Difference, Gap, gaps
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.session import Session

MARKET_WORDS = (FillKind.FILLED, FillKind.EXPIRED)


class RecordedBars:
    """The bars of the log are the session's, value by value."""

    def __init__(self, session: Session, log: SessionLog) -> None:
        self._session, self._log = session, log

    def at(self, index: int, close: LoggedClose) -> Iterator[Difference]:
        """How the bars of a close differ; the warm-up is told with the first one."""
        if index == 0:
            for early in self._log.warmup.values():
                for logged in early:
                    yield from self._differences(logged)
        for logged in close.logged_bars:
            yield from self._differences(logged)

    def _differences(self, logged: Logged[ClosedBars]) -> Iterator[Difference]:
        there = {one.name: one for one in self._session.portfolio.universes}
        if (universe := there.get(logged.noun.universe)) is None:
            return  # it was added while the portfolio ran
        section = _of(logged.noun, universe.symbols)
        history = self._session.histories[section.universe]
        row = history.bars.at(section.close_time)
        opened = int(history.open_times[row])
        pairs = [("open_time", section.universe, section.open_time, opened)]
        for name in FIELDS:
            values = getattr(section, name).tolist(), getattr(history.bars, name)[row].tolist()
            pairs += [(name, *triple) for triple in zip(section.symbols, *values, strict=True)]
        for what, subject, ours, theirs in pairs:
            for gap in gaps(ours, theirs, what, subject):
                yield _told("bars", section.close_time, gap, "recording", {"bars": logged.id})


def unpromised_bars(chapter: Chapter | None, log: SessionLog) -> Iterator[Difference]:
    """How the bars of a complete log, as a whole, are not those that its chapter names."""
    if chapter is None or log.begins or not log.is_complete or log.stopped:
        return
    last = log.closes[-1].close_time
    newest = log.chapters[-1].noun if log.chapters else chapter
    for universe in (one.universe for one in newest.bars):
        promised, sections = _newest_version(chapter, log, universe)
        pairs = [
            *([("closes", len(sections), promised.closes)] if promised.closes else []),
            ("hash", hash_of_sections(sections), promised.hash),
            ("late", any(one.late for one in sections), False),
        ]
        for what, ours, theirs in pairs:
            for gap in gaps(ours, theirs, what, universe):
                yield _told("bars", last, gap, "chapter", {})
    # Closes of a universe that was absent may have been taken up at those of another one.
    if log.scheduled is not None and not any(close.earlier for close in log.closes):
        for gap in gaps(len(log.closes), log.scheduled, "closes", ""):
            yield _told("bars", last, gap, "chapter", {})


def _newest_version(
    chapter: Chapter, log: SessionLog, universe: str
) -> tuple[ChapterBars, list[ClosedBars]]:
    """What was promised of a universe's newest version, and its bars. Of those before, only the
    closes that were used are in the log.
    """
    begun = [one for one in log.chapters if universe in one.before]
    logged, after = list(log.warmup.get(universe, ())), 0
    if begun:
        chapter, logged = begun[-1].noun, list(begun[-1].before[universe])
        after = 0 if chapter.carried is None else chapter.carried.close_time
    closes = (close for close in log.closes if close.close_time > after)
    used = [one for close in closes for one in close.logged_bars]
    logged += [one for one in used if one.noun.universe == universe]
    return chapter.bars_of(universe), [one.noun for one in logged]


def _of(section: ClosedBars, symbols: tuple[str, ...]) -> ClosedBars:
    """The columns of some of its symbols."""
    if section.symbols == symbols:
        return section
    places = [section.symbols.index(symbol) for symbol in symbols]
    values = {name: getattr(section, name)[places] for name in FIELDS}
    return replace(section, symbols=symbols, **values)


class BacktestReplay:
    """Decisions, executions and attribution of the log are the compiled backtest's."""

    def __init__(self, session: Session, log: SessionLog) -> None:
        self._session, self._log = session, log
        self._outcome = replay.run(session)
        self._events: defaultdict[int, list[FillEvent]] = defaultdict(list)
        for event in self._outcome.events:
            self._events[event.known_time].append(event)

    def at(self, index: int, close: LoggedClose) -> Iterator[Difference]:
        """How a close differs."""
        time, messages = close.close_time, {"orders": close.decision.id}
        logged = tuple(event for event in close.events if event.kind in MARKET_WORDS)
        for gap in gaps(logged, tuple(self._events[time]), "events"):
            yield _told("fills", time, gap, "backtest", {"fills": close.reports[-1].id})
        decision = replace(
            close.decision.noun, cut=Cut(), value_at_risk=None, chapter=FIRST, ends_chapter=False
        )
        for gap in gaps(decision, self._outcome.decisions[index]):
            yield _told("orders", time, gap, "backtest", messages)
        if index < len(self._log.entries):
            yield from self._attribution(index, self._log.entries[index])

    def _attribution(self, index: int, entry: LedgerEntry) -> Iterator[Difference]:
        """Lots per model and symbol."""
        symbols = self._session.portfolio.symbols
        for m, account in enumerate(entry.models):
            lots = self._outcome.journal.model_lots[index, m].tolist()
            held = {symbol: count for symbol, count in zip(symbols, lots, strict=True) if count}
            for gap in gaps(account.positions, held, f"lots of {account.model}"):
                yield _told("ledger", entry.close_time, gap, "backtest", {})


def uncomparable(log: SessionLog, portfolio: Portfolio) -> str | None:
    """Why a backtest, which knows neither lateness nor multipliers, stops nor documents, must
    differ; None if not. portfolio : of the first chapter.
    """
    changed = [
        str(one.noun.number) for one in log.chapters if one.renewed or one.portfolio != portfolio
    ]
    if changed:
        return f"not compared with a backtest: chapters {', '.join(changed)} have another document"
    if any(close.decision.noun.stopping for close in log.closes):
        return "not compared with a backtest: the portfolio was stopped"
    cuts = [close.decision.noun.cut for close in log.closes]
    late = sum(LATE in cut.signals.values() for cut in cuts)
    absent = sum(bool(cut.absent or cut.late) for cut in cuts)
    weighed = sum(any(m != 1.0 for m in cut.multipliers) for cut in cuts)
    if not late and not weighed and not absent:
        return None
    without = f", {absent} had absent universes or late bars" if absent else ""
    return (
        f"not compared with a backtest: {late} decisions went without late signals, "
        f"{weighed} had multipliers{without}"
    )


def _told(
    noun: str, close_time: int, gap: Gap, against: str, messages: dict[str, str]
) -> Difference:
    values = (gap.subject, gap.what, gap.logged, gap.replayed)
    return Difference(noun, close_time, *values, against=against, messages=messages)
