"""Replay of recorded bars: one lane per version of a universe, not far ahead of the portfolio's
decisions.
"""

from collections.abc import Callable

import numpy as np

from stratvector.contracts.codecs import decode_closed_bars, encode_closed_bars
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.chapters import Standing, chapter_reader, newest_chapter
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.progress import ProgressReader
from stratvector.runtime.readers import carried_sequence
from stratvector.runtime.unfit_messages import OtherSymbols
from stratvector.services.market_data.replay_store import Recording
from stratvector.services.market_data.tempo import Tempo
from stratvector.trading.bars import ClosedBars
from stratvector.trading.chapters import Chapter
from stratvector.trading.flow import hop
from stratvector.trading.identity import message_id
from stratvector.trading.lanes import bars_lane
from stratvector.trading.meaning.bars import check_bars_of
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.schedule import Schedule
from stratvector.trading.unfit import Absurd

# How long a decision may lie unread for each close that bars may stay ahead: the flow then decides
# a fraction of these, and many decisions cost one wake-up.
REST_SECONDS_PER_CLOSE = 0.0005


class ReplayLane:
    """Publishes one universe's history, warm-up first, close by close.

    recording : its bars. schedule : the closes of all universes that trade. bars_ahead_max : closes
    that bars may run ahead of decisions. closes_per_s_max : see `Tempo`. is_read : whether any
    portfolio reads a lane; the lane ends when none does.
    """

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        universe: Universe,
        recording: Recording,
        schedule: Schedule,
        bars_ahead_max: int,
        closes_per_s_max: float | None = None,
        is_read: Callable[[str], bool] = lambda lane: True,
    ) -> None:
        self._is_read = is_read
        self._universe, self._recording, self._schedule = universe, recording, schedule
        name = bars_lane(portfolio, universe)
        self.lane = Lane(ports, name)
        self._ports, self._portfolio = ports, portfolio
        self._chapters = chapter_reader(ports, portfolio)
        self._closes = frozenset(schedule.close_times.tolist())
        self._bars_ahead_max = bars_ahead_max
        self._ahead_after_wait = max(1, bars_ahead_max // 2)
        self._rest_seconds = REST_SECONDS_PER_CLOSE * (self._ahead_after_wait - 1)
        self._clock = ports.clock
        self._tempo = Tempo(ports.clock, closes_per_s_max)
        self._decided = -1

    async def run(self) -> None:
        """Own the lane, adopt what is published, publish the rest; nothing before the chapter that
        says which bars they are. Raises OtherChapter.
        """
        await self.lane.acquire()
        self._check((await self._chapters.next()).noun)
        portfolio = self._portfolio
        standing = await newest_chapter(self._ports.bus, portfolio.run, portfolio.name)
        if standing is not None:
            self._check(standing.chapter)
        published = self._begin(standing)
        async for stored in self.lane.history(self._used):
            published = self._adopted(decode_closed_bars(stored.message.payload), published)
        for section in self._recording.sections(published):
            if await self._wait_for_decisions(section.close_time):
                return
            if not self._is_read(self.lane.subject):
                return
            await self._publish(section)

    def _begin(self, standing: Standing | None) -> int:
        """Read progress from a chapter's beginning on; the newest close that has bars by then."""
        self._decisions = ProgressReader(self._ports, self._portfolio, self._closes, standing)
        carried = None if standing is None else standing.carried
        self._used = 0
        if standing is None or carried is None or not carried.close_time:
            return -1
        self._decided = self._place(carried.close_time)
        lanes = [bars_lane(standing.portfolio, one) for one in standing.portfolio.universes]
        if self.lane.subject not in lanes:
            return -1  # what of it is used no chapter from here on says
        self._used = carried_sequence(carried, self.lane.subject)
        return carried.bars_until(self._universe.name) if self._used else -1

    def _check(self, chapter: Chapter) -> None:
        """A chapter that has this version of the universe names these bars. Raises OtherChapter."""
        for bars in chapter.bars:
            is_ours = (bars.universe, 1 + bars.earlier_versions) == (
                self._universe.name,
                self._universe.version,
            )
            if is_ours and bars.hash != self._recording.hash:
                raise OtherChapter(
                    f"the bars of universe {bars.universe} are not those that the log began with"
                )

    def _adopted(self, section: ClosedBars, newest: int) -> int:
        """The close time of what an earlier owner published. Raises OtherSymbols, Absurd."""
        if section.symbols != self._universe.symbols:
            raise OtherSymbols(self.lane.subject, self._universe.symbols, section.symbols)
        check_bars_of(section, self._universe, newest)
        if section.close_time > (last := int(self._schedule.close_times[-1])):
            raise Absurd(f"close_time is {section.close_time} ns; the replay ends at {last}")
        return section.close_time

    async def _publish(self, section: ClosedBars) -> None:
        close_time = section.close_time
        identity = message_id(hop("bars").stream, self.lane.subject, close_time)
        await self.lane.publish(identity, encode_closed_bars(section), close_time)

    async def _wait_for_decisions(self, close_time: int) -> bool:
        """Hold back at `bars_ahead_max` closes ahead until half of them are decided: bars then come
        in bursts, and between these the way of an order has the processors for itself. True when
        the portfolio was stopped, so that nobody needs any more bars.
        """
        if close_time < self._schedule.close_times[0]:
            return False
        place = self._schedule.index(close_time)
        await self._tempo.wait_for(place)
        if place - self._decided <= self._bars_ahead_max:
            return False
        while place - self._decided > self._ahead_after_wait:
            if self._rest_seconds and not await self._decisions.look(0.0):
                await self._clock.sleep(self._rest_seconds)
            decided_at, ended = await self._decisions.next()
            if ended:
                return True
            self._decided = self._place(decided_at)
        return False

    def _place(self, decided_at: int) -> int:
        """Of a decided close in the schedule, or of the last one before it: universes that came or
        went have other closes.
        """
        return int(np.searchsorted(self._schedule.close_times, decided_at, side="right")) - 1
