"""logged_signals: the signals of a logged session, those left out that need never come.

A decision may go without signals, and none is made on bars that came late: what models say then may
be in their lanes or not.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from stratvector.contracts.codecs import BadMessage, decode_signals
from stratvector.runtime.logged_engines import LoggedEngines
from stratvector.runtime.logged_lane import LoggedLane, content_of, logged
from stratvector.runtime.logged_ticks import LoggedTick
from stratvector.runtime.ports import Bus, Stored
from stratvector.runtime.readers import carried_sequence
from stratvector.runtime.unfit_messages import UnfitMessage, refuse_other_close
from stratvector.trading.carried import Carried
from stratvector.trading.lanes import signals_lane
from stratvector.trading.logged import Halt, Logged, LoggedChapter
from stratvector.trading.meaning.chapters import check_chapter_number
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.signals import Signals
from stratvector.trading.unfit import UnfitNoun

Lane = LoggedLane[Logged[Signals] | None]


class LoggedSignals:
    """Of every model of a portfolio. at : by model and close; None where they need never come.

    chapters : that opened after the first one. chapter_of : the number of a close's. decisions : by
    close. engines : take note of whose each message is. halts : where what no reader takes is told.
    carried : what the chapter that is read first begins with, None in the first of all.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        ticks: Sequence[LoggedTick],
        chapters: Sequence[LoggedChapter],
        chapter_of: Callable[[int], int],
        decisions: Mapping[int, Logged[Decision]],
        engines: LoggedEngines,
        halts: list[Halt],
        carried: Carried | None = None,
    ) -> None:
        self._carried = carried
        self._portfolio, self._ticks, self._chapters = portfolio, ticks, chapters
        self._chapter_at, self._decisions, self._halts = chapter_of, decisions, halts
        self._engines = engines
        self.at: dict[str, dict[int, Logged[Signals] | None]] = {}
        # By universe: each close with the one at which it was taken up, itself unless it was late.
        self._taken_at: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for tick in ticks:
            for one in tick.late:
                self._taken_at[one.noun.universe][one.noun.close_time] = tick.close_time
            for name in tick.closing:
                self._taken_at[name][tick.close_time] = tick.close_time

    async def read(self, bus: Bus) -> None:
        """What is stored now."""
        for model, (universe, closes) in self._signalled().items():
            lane = Lane("signals", signals_lane(self._portfolio, model), closes, self._halts)
            await self._read_lane(bus, model, universe, lane)
            self.at[model] = lane.at

    def _signalled(self) -> dict[str, tuple[str, list[int]]]:
        """Each model of any chapter, with its universe and the closes that it sends signals at."""
        found = dict[str, tuple[str, list[int]]]()
        begins = [one.noun.carried.close_time for one in self._chapters if one.noun.carried]
        portfolios = [self._portfolio, *(one.portfolio for one in self._chapters)]
        for portfolio, after, until in zip(portfolios, [-1, *begins], [*begins, None], strict=True):
            for model in portfolio.active:
                taken = self._taken_at[model.universe].items()
                within = [
                    close for close, at in taken if at > after and (until is None or at <= until)
                ]
                found.setdefault(model.name, (model.universe, []))[1].extend(within)
        return found

    async def _read_lane(self, bus: Bus, model: str, universe: str, lane: Lane) -> None:
        """One message per close, in order: that of the chapter which the close belongs to. Those
        that a decision went without may be left out, and are at the lane's end.
        """
        halts = len(self._halts)
        of = (model, universe)
        after = carried_sequence(self._carried, lane.subject)
        for stored in await self._engines.contents(bus, lane.subject, after):
            if (asked := lane.asked) is None or not self._take(of, lane, asked, stored):
                break
        while len(self._halts) == halts and (asked := lane.asked) and self._is_late(of, asked):
            lane.at[asked] = None

    def _take(self, of: tuple[str, str], lane: Lane, asked: int, stored: Stored) -> bool:
        """False where the lane's readers halt. of : the model and its universe."""
        try:
            signals = decode_signals(content_of(stored))
            while signals.chapter >= self._chapter_of(of, asked):
                of_asked = (self._chapter_of(of, asked), asked)
                if (signals.chapter, signals.close_time) == of_asked:
                    self._engines.note("signals", stored, signals.chapter)
                    lane.at[asked] = logged(stored, signals)
                    return True
                if not self._is_late(of, asked):
                    check_chapter_number(signals.chapter, of_asked[0])
                    refuse_other_close(lane.subject, asked, signals.close_time)
                lane.at[asked] = None
                if (following := lane.asked) is None:
                    return True
                asked = following
        except (BadMessage, UnfitMessage, UnfitNoun) as error:
            lane.halt(asked, stored, error)
            return False
        return True

    def _is_late(self, of: tuple[str, str], close_time: int) -> bool:
        """Whether a close was decided without a model's signals, or its bars came late."""
        model, universe = of
        if self._taken_at[universe][close_time] != close_time:
            return True
        decision = self._decisions.get(close_time)
        return decision is not None and decision.noun.cut.is_late(model)

    def _chapter_of(self, of: tuple[str, str], close_time: int) -> int:
        """The number of the chapter that a universe's close belongs to."""
        return self._chapter_at(self._taken_at[of[1]][close_time])
