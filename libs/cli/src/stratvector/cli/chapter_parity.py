"""Parity chapter by chapter: each replayed from what it carries, to what the next one carries."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stratvector.cli.failures import CommandFailed
from stratvector.cli.parity import (
    ChapterFound,
    Examination,
    chapters_found,
    engines_told,
    other_sources,
    verdict,
)
from stratvector.cli.progress import session_progress
from stratvector.cli.stored_log import on_stored_log
from stratvector.runtime.archive import Archive, BadArchive
from stratvector.runtime.chapter_windows import ChapterWindow, chapter_windows
from stratvector.runtime.chapters import opened_chapters
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus
from stratvector.trading.parity import Parity, check

NO_BACKTEST = "not compared with a backtest: an archive is read chapter by chapter"


@dataclass(frozen=True)
class ExaminedChapter:
    """One chapter and what its check found. hands_over : whether the next one was compared."""

    session: LoggedSession
    parity: Parity
    found: ChapterFound
    hands_over: bool

    def refuse_gap(self, folder: Path) -> None:
        """Raises CommandFailed where its messages don't go as far as the next chapter."""
        if not self.hands_over:
            raise CommandFailed(
                f"{folder}: the messages of chapter {self.found.number} end before the next one "
                f"begins: {verdict(self.parity)}"
            )


async def examined_chapter(window: ChapterWindow) -> ExaminedChapter:
    """Raises BadSession."""
    session, log = await window.read()
    parity = await asyncio.to_thread(check, log, session)
    found = chapters_found(session, log, parity)
    closes = [close.close_time for close in log.closes]
    ends = [one.noun.carried.close_time for one in log.chapters if one.noun.carried]
    # A chapter in which nothing was decided ends where it begins.
    hands_over = len(ends) == 1 and closes[-1:] in ([], ends)
    return ExaminedChapter(session, parity, found[0], hands_over)


def examined_archive(folder: Path, archive: Archive, portfolio: str, run: str) -> Examination:
    """An archive, then what the log of a session's folder has after it. Raises CommandFailed,
    BadArchive, BadSession, NatsServerError or BusConnectionError.
    """
    archive.verify()
    listed = archive.listed()
    assert listed is not None  # or it can't be verified
    whose = run or listed.run, portfolio or listed.portfolio
    archive.opened(*whose, listed.log)

    async def read(bus: Bus) -> Examination:
        opened = await opened_chapters(bus, *whose)
        if not opened or opened[0].id != listed.log:
            raise BadArchive(f"{archive.folder}: it is of another log of {'.'.join(whose)}")
        return await examined_chapters(folder, chapter_windows(bus, *whose, archive))

    return on_stored_log(folder, read)


async def examined_chapters(folder: Path, windows: AsyncIterator[ChapterWindow]) -> Examination:
    """All of them as one, up to one that differs. Raises BadSession, CommandFailed."""
    examined, closes = list[ExaminedChapter](), 0
    with session_progress(None, "parity", []) as progress:
        async for window in windows:
            examined.append(await examined_chapter(window))
            closes += examined[-1].parity.closes
            progress(closes, 0, examined[-1].parity.last_close or 0)
            if not examined[-1].parity.is_equal:
                break
            if window.is_closed:
                examined[-1].refuse_gap(folder)
    first = examined[0].session
    chapters = tuple(one.found for one in examined)
    sources = other_sources(one.session.chapter for one in examined)
    remarks = (*engines_told(first, chapters), *sources, NO_BACKTEST)
    of, parity = first.chapter, joined([one.parity for one in examined], first.closes)
    return Examination(folder, of.portfolio, of.run, parity, of.engine_hash, remarks, chapters)


def joined(parts: Sequence[Parity], scheduled: int | None) -> Parity:
    """What was found of chapters that follow each other. scheduled : see `Parity`."""
    found = [one.first for one in parts if one.first is not None]
    decided = [one.last_close for one in parts if one.last_close is not None]
    return Parity(
        scheduled=scheduled,
        closes=sum(one.closes for one in parts),
        whole=parts[-1].whole,
        last_close=decided[-1] if decided else None,
        orders=sum(one.orders for one in parts),
        fills=sum(one.fills for one in parts),
        first=found[0] if found else None,
        others=max(0, sum((one.first is not None) + one.others for one in parts) - 1),
        positions_behind=parts[-1].positions_behind,
        notes=(),
        by_chapter=tuple(one.by_chapter[0] for one in parts),
    )
