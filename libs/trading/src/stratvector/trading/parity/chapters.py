"""Chapters replayed: what each of them carries is what a fold from the first message has then."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from stratvector.trading.account import PortfolioAccount
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying
from stratvector.trading.chapters import Chapter
from stratvector.trading.logged import Logged, LoggedClose
from stratvector.trading.parity.difference import Difference, Gap, gaps
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import UnfitNoun


class ChaptersReplay:
    """Folds beside the replayed account what it does not know. chapters : those that opened."""

    def __init__(self, portfolio: Portfolio, chapters: Sequence[Logged[Chapter]]) -> None:
        self._carrying = Carrying(portfolio)
        self._chapters = {
            chapter.noun.carried.close_time: chapter
            for chapter in chapters
            if chapter.noun.carried is not None
        }
        self._order = [chapter.noun for chapter in chapters]
        self._previous = {one.noun.number: before.id for before, one in pairwise(chapters)}

    def at(self, close: LoggedClose, account: PortfolioAccount) -> Iterator[Difference]:
        """How the chapter that opened after a close differs. account : with that close's decision
        in effect.
        """
        if not self._chapters:
            return
        try:
            self._carrying.hear(
                close.close_time, list(close.bars.values()), close.signals, close.reports
            )
        except UnfitNoun:
            return  # told as a difference of fills already
        self._carrying.place(close.decision.noun, close.decision.sequence)
        chapter = self._chapters.get(close.close_time)
        if chapter is None:
            return
        for gap in self._gaps(chapter.noun, account.carried(self._carrying)):
            yield Difference(
                "chapters",
                close.close_time,
                gap.subject,
                gap.what,
                gap.logged,
                gap.replayed,
                messages={"chapters": chapter.id, "orders": close.decision.id},
            )

    def _gaps(self, chapter: Chapter, replayed: Carried) -> Iterator[Gap]:
        yield from gaps(chapter.carried, replayed, "carried")
        previous = self._previous.get(chapter.number, chapter.previous)
        yield from gaps(chapter.previous, previous, "previous")
