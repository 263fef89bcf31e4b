"""Chapters replayed: what each of them carries is what a fold from the first message has then."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from stratvector.trading.account import PortfolioAccount
from stratvector.trading.carried import Carried
from stratvector.trading.carrying import Carrying
from stratvector.trading.logged import LoggedChapter, LoggedClose
from stratvector.trading.parity.difference import Difference, Gap, gaps
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.unfit import UnfitNoun


class ChaptersReplay:
    """Folds beside the replayed account what it does not know. chapters : those that opened after
    the one that the log is read from. begins : that one, None for the first of all.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        chapters: Sequence[LoggedChapter],
        begins: LoggedChapter | None = None,
    ) -> None:
        carried = carried_of(begins)
        self._carrying = Carrying(portfolio, carried)
        self._begins_after = 0 if carried is None else carried.close_time
        self._chapters = defaultdict[int, list[LoggedChapter]](list)
        for one in chapters:
            if one.noun.carried is not None:
                self._chapters[one.noun.carried.close_time].append(one)
        known = [*([] if begins is None else [begins]), *chapters]
        self._previous = {one.noun.number: before.id for before, one in pairwise(known)}

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
        yield from self._opened(close.close_time, account, {"orders": close.decision.id})

    def before(self, close_time: int, account: PortfolioAccount) -> Iterator[Difference]:
        """The same of those that opened before anything was decided. close_time : to tell it at,
        ns UTC.
        """
        yield from self._opened(close_time, account, {}, after=self._begins_after)

    def _opened(
        self,
        close_time: int,
        account: PortfolioAccount,
        messages: Mapping[str, str],
        after: int | None = None,
    ) -> Iterator[Difference]:
        """Where nothing was decided in a chapter, the next one begins with the same."""
        for chapter in self._chapters.get(close_time if after is None else after, ()):
            carried = account.carried(self._carrying).begun_anew(chapter.renewed)
            for gap in self._gaps(chapter, carried):
                yield Difference(
                    "chapters",
                    close_time,
                    gap.subject,
                    gap.what,
                    gap.logged,
                    gap.replayed,
                    messages={"chapters": chapter.id, **messages},
                )
            self._carrying = Carrying(chapter.portfolio, chapter.noun.carried)
            account = PortfolioAccount(chapter.portfolio, chapter.noun.carried)

    def _gaps(self, chapter: LoggedChapter, replayed: Carried) -> Iterator[Gap]:
        noun = chapter.noun
        yield from gaps(noun.carried, replayed, "carried")
        yield from gaps(noun.previous, self._previous.get(noun.number, noun.previous), "previous")


def carried_of(begins: LoggedChapter | None) -> Carried | None:
    """What a log goes on from that is read from a chapter on; None from the first one on."""
    return None if begins is None else begins.noun.carried


def begins_of(chapters: Sequence[LoggedChapter]) -> dict[int, LoggedChapter]:
    """Chapters by the close (ns UTC) that they open after; of several the last, as nothing was
    decided in the others.
    """
    return {one.noun.carried.close_time: one for one in chapters if one.noun.carried is not None}
