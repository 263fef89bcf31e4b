"""Chapters replayed: what each of them carries is what a fold from the first message has then."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from stratvector.trading.account import PortfolioAccount
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying
from stratvector.trading.logged import LoggedChapter, LoggedClose
from stratvector.trading.parity.difference import Difference, Gap, gaps
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import UnfitNoun


class ChaptersReplay:
    """Folds beside the replayed account what it does not know. chapters : those that opened."""

    def __init__(self, portfolio: Portfolio, chapters: Sequence[LoggedChapter]) -> None:
        self._carrying = Carrying(portfolio)
        self._chapters = begins_of(chapters)
        self._previous = {one.noun.number: before.id for before, one in pairwise(chapters)}

    def at(self, close: LoggedClose, account: PortfolioAccount) -> Iterator[Difference]:
        """How the chapter that opened after a close differs. account : with that close's decision
        in effect.
        """
        if not self._chapters:
            return
        try:
            self._carrying.hear(close.close_time, close.logged_bars, close.signals, close.reports)
        except UnfitNoun:
            return  # told as a difference of fills already
        self._carrying.place(close.decision.noun, close.decision.sequence)
        chapter = self._chapters.get(close.close_time)
        if chapter is None:
            return
        for gap in self._gaps(chapter, account.carried(self._carrying)):
            yield Difference(
                "chapters",
                close.close_time,
                gap.subject,
                gap.what,
                gap.logged,
                gap.replayed,
                messages={"chapters": chapter.id, "orders": close.decision.id},
            )
        self._carrying = Carrying(chapter.portfolio, chapter.noun.carried)

    def _gaps(self, chapter: LoggedChapter, replayed: Carried) -> Iterator[Gap]:
        noun = chapter.noun
        yield from gaps(noun.carried, replayed, "carried")
        yield from gaps(noun.previous, self._previous.get(noun.number, noun.previous), "previous")


def begins_of(chapters: Sequence[LoggedChapter]) -> dict[int, LoggedChapter]:
    """Chapters by the close (ns UTC) that they open after."""
    return {one.noun.carried.close_time: one for one in chapters if one.noun.carried is not None}
