"""parity: does a session's log say what the engine says? Only the log is asked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stratvector.cli.console import remark
from stratvector.cli.progress import session_progress
from stratvector.cli.stored_log import session_folder, stored_log
from stratvector.runtime.archive import Archive
from stratvector.runtime.chapter_changes import as_first
from stratvector.runtime.logged_session import LoggedSession
from stratvector.trading.chapters import FIRST, Chapter
from stratvector.trading.engine.compiling import engine_hash
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import Difference, Parity, check
from stratvector.trading.timestamps import utc_text

AGAINST = {
    "cut": "replay",
    "chapter": "chapter that the log begins with",
    "recording": "recorded bars",
    "backtest": "backtest",
}


@dataclass(frozen=True)
class ChapterFound:
    """One chapter: the engine that it names, how many closes were compared in it, and how many
    differences there were. others : what was computed by another engine, as a sentence each.
    """

    number: int
    engine_hash: str
    closes: int
    differences: int
    others: tuple[str, ...]

    @property
    def is_proven(self) -> bool:
        """Whether the engine at hand is the one that it names."""
        return self.engine_hash == engine_hash()

    def told(self) -> str:
        """A line for people."""
        by = "" if self.is_proven else f", replayed by engine {engine_hash()}"
        found = "equal" if not self.differences else f"{self.differences:,} differences"
        others = "".join(f"; {one}" for one in self.others)
        of = f"chapter {self.number}, engine {self.engine_hash}, {self.closes:,} closes"
        return f"{of}{by}: {found}{others}"


@dataclass(frozen=True)
class Examination:
    """A session, and what its check found. portfolio, run : whose it is. engine_hash : of the
    engine that it began on. chapters : what was found in each that holds. remarks : what a reader
    should know beside it.
    """

    folder: Path
    portfolio: str
    run: str
    parity: Parity
    engine_hash: str
    remarks: tuple[str, ...]
    chapters: tuple[ChapterFound, ...] = ()

    @property
    def passed(self) -> bool:
        """Equal from the first close to the last; to the newest where there is no last."""
        parity = self.parity
        is_endless = parity.scheduled is None and parity.closes > 0
        return parity.is_equal and (parity.is_complete or is_endless)

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        parity = self.parity
        return {
            "session": str(self.folder),
            "portfolio": self.portfolio,
            "run": self.run,
            "engine_hash": self.engine_hash,
            "replayed_by_engine_hash": engine_hash(),
            "chapters": [
                {
                    "chapter": one.number,
                    "engine_hash": one.engine_hash,
                    "closes": one.closes,
                    "equal": not one.differences,
                    "proven": one.is_proven,
                    "others": list(one.others),
                }
                for one in self.chapters
            ],
            "equal": parity.is_equal,
            "complete": parity.is_complete,
            "closes": parity.closes,
            "scheduled_closes": parity.scheduled,
            "last_close": None if parity.last_close is None else utc_text(parity.last_close),
            "orders": parity.orders,
            "fills": parity.fills,
            "difference": None if parity.first is None else _document(parity.first),
            "other_differences": parity.others,
            "remarks": list(self.remarks),
        }


def examine(
    path: Path, portfolio: str = "", run: str = "", archive: Path | None = None
) -> Examination:
    """Read and check the session of a folder. portfolio, run : see `stored_log`. archive : the
    folder with what was purged of its log.

    With an archive the log is read chapter by chapter, as it may be longer than memory. Raises
    CommandFailed, BadArchive, BadSession, NatsServerError or BusConnectionError.
    """
    folder = session_folder(path)
    if archive is not None:
        from stratvector.cli.chapter_parity import examined_archive

        return examined_archive(folder, Archive(archive), portfolio, run)
    session, log = stored_log(folder, portfolio, run)
    return examined(folder, session, log)


def examined(folder: Path, session: LoggedSession, log: SessionLog) -> Examination:
    """Check a session that was read from a folder. Raises BadSession."""
    # A universe that has been absent from the start on has no bars to be compared.
    whole = session.whole(log) if log.closes and log.schedule.closes.any(axis=0).all() else None
    closes = [close.close_time for close in log.closes]
    with session_progress(len(closes), "parity", closes) as progress:
        parity = check(log, session, whole, progress=progress, chapter=session.chapter)
    of, chapters = session.chapter, chapters_found(session, log, parity)
    sources = other_sources([of, *(one.noun for one in log.chapters)])
    remarks = (*engines_told(session, chapters), *sources, *parity.notes)
    return Examination(folder, of.portfolio, of.run, parity, of.engine_hash, remarks, chapters)


def print_examination(console: Console, examination: Examination) -> None:
    """The verdict; of a difference, how either side came to it and from which messages."""
    for line in examination.remarks:
        remark(line)
    parity = examination.parity
    console.print(Text(verdict(parity)), soft_wrap=True)
    if parity.first is None:
        return
    if parity.first.facts:
        console.print(_facts(parity.first))
    if parity.first.messages:
        console.print(_messages(parity.first))
    if parity.others:
        console.print(f"and {parity.others:,} more differences")


def verdict(parity: Parity) -> str:
    """One sentence."""
    counts = f"{parity.orders:,} orders, {parity.fills:,} fills, equity to the bit"
    if parity.first is not None:
        return _told(parity.first)
    if parity.is_complete:
        return f"equal: {parity.closes:,} closes, {counts}"
    if parity.last_close is None:
        whole = "no close" if parity.scheduled is None else f"none of {parity.scheduled:,} closes"
        return f"nothing to compare yet: {whole} is complete"
    of = "closes so far" if parity.scheduled is None else f"of {parity.scheduled:,} closes"
    place = f"{utc_text(parity.last_close)}: {parity.closes:,} {of}"
    behind = f"; positions are {parity.positions_behind:,} closes with fills behind"
    return f"equal up to {place}, {counts}{behind if parity.positions_behind else ''}"


def _told(difference: Difference) -> str:
    subject = f" of {difference.subject}" if difference.subject else ""
    return (
        f"different at {utc_text(difference.close_time)}: {difference.noun}{subject}, "
        f"{difference.what}: {difference.logged} in the log, "
        f"{difference.replayed} in the {AGAINST[difference.against]}"
    )


def _document(difference: Difference) -> dict[str, Any]:
    return {
        "noun": difference.noun,
        "close": utc_text(difference.close_time),
        "subject": difference.subject,
        "what": difference.what,
        "logged": difference.logged,
        "replayed": difference.replayed,
        "against": AGAINST[difference.against],
        "facts": [vars(fact) for fact in difference.facts],
        "messages": dict(difference.messages),
    }


def _facts(difference: Difference) -> Table:
    """How either side came to its value; where they part is bold."""
    table = Table(title="Explanation", title_justify="left")
    for head in ("", "log", AGAINST[difference.against]):
        table.add_column(head, overflow="fold")
    for fact in difference.facts:
        style = "" if fact.logged == fact.replayed else "bold red"
        table.add_row(*map(Text, (fact.what, fact.logged, fact.replayed)), style=style)
    return table


def _messages(difference: Difference) -> Table:
    table = Table(title="Messages", title_justify="left")
    table.add_column("")
    table.add_column("id", no_wrap=True)
    for name, identity in difference.messages.items():
        table.add_row(Text(name), Text(identity))
    return table


def chapters_found(
    session: LoggedSession, log: SessionLog, parity: Parity
) -> tuple[ChapterFound, ...]:
    """What a check found, chapter by chapter."""
    chapters, found = [session.chapter, *(one.noun for one in log.chapters)], []
    for chapter, (closes, differences) in zip(chapters, parity.by_chapter, strict=True):
        others = tuple(
            f"{one.noun} of {one.closes:,} closes are of engine {one.engine}"
            for one in log.other_engines
            if one.chapter == chapter.number
        )
        found.append(ChapterFound(chapter.number, chapter.engine_hash, closes, differences, others))
    return tuple(found)


def engines_told(session: LoggedSession, chapters: Sequence[ChapterFound]) -> Iterator[str]:
    """Which engine the session ran on, and where the code that replays it is another one; of
    several engines, each chapter with its own.
    """
    ran, here = session.chapter.engine_hash, engine_hash()
    if {one.engine_hash for one in chapters} == {ran}:
        other = "" if ran == here else f", it is replayed by {here}"
        yield f"the session ran on engine {ran}{other}"
        chapters = [one for one in chapters if one.others]
    yield from (one.told() for one in chapters)


def other_sources(chapters: Iterable[Chapter]) -> Iterator[str]:
    """Strategies whose code is another one here than in the chapter that names them; of each only
    the first such chapter. Raises BadSession.
    """
    told = set[str]()
    for chapter in chapters:
        since = "" if chapter.number == FIRST else f"from chapter {chapter.number} on, "
        for sentence in LoggedSession(as_first(chapter)).other_sources():
            if sentence not in told:
                told.add(sentence)
                yield f"{since}{sentence}"
