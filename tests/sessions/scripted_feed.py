"""A live feed in the simulated world: what a venue tells, and when, is a script.

It judges candles by the same `Sightings` as the feed over ccxt, and awaits nothing but its clock.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.market.live import Candle, ClosedCandles, FeedState, LiveSource
from stratvector.market.live.clock import UtcClock, nanoseconds, sleep_until
from stratvector.market.live.sightings import Sightings
from stratvector.market.live.venue import Page, Row
from stratvector.market.timeframes import timeframe
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.run_clock import RunClock
from stratvector.runtime.simulation.clock import UTC_ORIGIN
from stratvector.runtime.simulation.world import World
from stratvector.services.market_data.feed import FeedLane
from stratvector.services.market_data.feed_reports import FeedReports
from stratvector.trading.bars import FIELDS, ClosedBars
from stratvector.trading.instruments import Instrument
from stratvector.trading.lanes import bars_lane
from stratvector.trading.portfolio import Account, ModelAllocation, Portfolio, Universe
from stratvector.trading.timestamps import utc_text
from tests.sessions.hand_fed import let_pass, payloads_of

SYMBOLS = ("A", "B")
STEP = timeframe("1M").nanoseconds
SETTLE, DEADLINE, POLL = 2.0, 20.0, 2.0
RECHECK = 5
PUNCTUAL = 1.0  # seconds after its close at which a candle is there, unless the script says else
UNIVERSE = Universe("coins", "1M", "24/7", tuple(Instrument(s, s, "crypto", 2) for s in SYMBOLS))
PORTFOLIO = Portfolio(
    "paper",
    (Account("simulated", Decimal(1_000)),),
    (UNIVERSE,),
    (ModelAllocation("model", "coins", 1.0),),
    run="paper.1",
)


def close_at(number: int) -> int:
    """The close that many minutes after the world's beginning, ns UTC; earlier ones below 0."""
    return UTC_ORIGIN + number * STEP


@dataclass(frozen=True)
class Told:
    """A venue's word on a candle. after : seconds from its close to the word. price : of all."""

    symbol: str
    number: int
    after: float
    price: float


@dataclass
class Script:
    """What a venue tells. late, again : words instead of the punctual one, and after it. outages :
    seconds of the world in which it does not answer. reverse : pages come newest first, each
    candle twice.
    """

    late: Sequence[Told] = ()
    again: Sequence[Told] = ()
    outages: Sequence[tuple[float, float]] = ()
    reverse: bool = False
    asked: int = 0

    def is_away(self, now: int) -> bool:
        """Whether nobody answers at a time of the venue (ns UTC)."""
        seconds = (now - UTC_ORIGIN) / 1e9
        return any(start <= seconds < end for start, end in self.outages)

    def words(self, symbol: str, number: int) -> list[Told]:
        """All words on a candle, in their order."""
        instead = [t for t in self.late if (t.symbol, t.number) == (symbol, number)]
        first = instead or [Told(symbol, number, PUNCTUAL, price(symbol, number))]
        more = [t for t in self.again if (t.symbol, t.number) == (symbol, number)]
        return sorted([*first, *more], key=lambda told: told.after)

    def newest(self, symbol: str, number: int, now: int) -> float | None:
        """The newest word on a candle at a time of the venue."""
        close = close_at(number)
        heard = [t for t in self.words(symbol, number) if close + nanoseconds(t.after) <= now]
        return heard[-1].price if heard else None

    def page(self, symbol: str, first: int, last: int, now: int, step: int = STEP) -> Page:
        """Candles that close in first ≤ t ≤ last (ns UTC), as the venue has them now. step : ns
        from one to the next.
        """
        self.asked += 1
        rows: list[Row] = []
        for close in range(first, last + 1, step):
            told = self.newest(symbol, (close - UTC_ORIGIN) // STEP, now)
            if told is not None:
                row: Row = [(close - step) // 1_000_000, told, told, told, told, 1.0]
                rows += [row, row] if self.reverse else [row]
        return Page(rows[::-1] if self.reverse else rows, now)


def price(symbol: str, number: int) -> float:
    """The punctual price of a candle."""
    return 100.0 + number + 1_000.0 * (ord(symbol[0]) - ord(SYMBOLS[0]))


class ScriptedFeed:
    """Speaks `Feed`, and gives itself as its closes: a killed process can't end a generator.

    venue_now : the venue's own clock; it does not share the host's skew.
    """

    def __init__(
        self, script: Script, source: LiveSource, clock: UtcClock, venue_now: Callable[[], int]
    ) -> None:
        self._script, self._clock, self._venue_now = script, clock, venue_now
        self._source, self._symbols = source, source.symbols
        self._timeframe = timeframe(source.timeframe)
        self._step = self._timeframe.nanoseconds
        self._ready: deque[ClosedCandles] = deque()
        self._seen: Sightings

    def closes(self, after: int, given: Iterable[ClosedBars] = ()) -> "ScriptedFeed":
        """As `CandleFeed.closes`, asked symbol after symbol."""
        first = (after // self._step + 1) * self._step
        self._seen = Sightings(self._symbols, self._timeframe, first, RECHECK, 99, FeedState())
        for bars in given:
            self._seen.recall(bars)
        return self

    def __aiter__(self) -> AsyncIterator[ClosedCandles]:
        return self

    async def __anext__(self) -> ClosedCandles:
        while not self._ready:
            close = self._seen.next_close
            await sleep_until(self._clock, close + nanoseconds(SETTLE))
            past = (self._clock.now() - nanoseconds(DEADLINE)) // self._step * self._step
            if filled := past >= close:
                await self._fill(close, past)
            else:
                await self._poll(close)
            for each in range(close, max(close, past) + 1, self._step):
                self._ready.append(self._given(each, filled))
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Nothing listens."""

    async def _fill(self, close: int, last: int) -> None:
        while self._script.is_away(self._venue_now()):
            await self._clock.sleep(POLL)
        self._ask(close, last)

    async def _poll(self, close: int) -> None:
        deadline = close + nanoseconds(DEADLINE)
        while True:
            if not self._script.is_away(self._venue_now()):
                self._ask(close, close)
            there = all(self._seen.holds(symbol, close) for symbol in self._symbols)
            if there or self._clock.now() >= deadline:
                return
            left = (deadline - self._clock.now()) / 1e9
            await self._clock.sleep(min(POLL, left))

    def _ask(self, first: int, last: int) -> None:
        now = self._venue_now()
        for symbol in self._symbols:
            start = self._seen.recheck_from(symbol, first)
            page = self._script.page(symbol, start, last, now, self._step)
            self._seen.take(symbol, page, now)

    def _given(self, close: int, filled: bool) -> ClosedCandles:
        candles = self._seen.give(close)
        missing = {s: "it was not there" for s in self._symbols if candles[s] is None}
        refusals, corrections = self._seen.reports()
        late = bool(missing) and not filled
        bars = self._bars(close, candles, late)
        return ClosedCandles(bars, missing, filled, refusals, corrections, self._clock.now())

    def _bars(self, close: int, candles: Mapping[str, Candle | None], late: bool) -> ClosedBars:
        panel = {
            name: np.array([getattr(candles[symbol], name, np.nan) for symbol in self._symbols])
            for name in FIELDS
        }
        return ClosedBars(
            self._source.universe,
            self._timeframe.name,
            close,
            self._symbols,
            **panel,
            late=late,
            open_time=close - self._step,
            next_close=close + self._step,
        )


@dataclass
class FeedPlay:
    """market_data's feed lane alone in a world, and what came of it.

    start : minutes after the world's beginning of the first close that trades. is_read : whether
    anybody reads the lane. reports : event and facts, of every owner.
    """

    world: World
    script: Script
    start: int = 1
    warmup: int = 3
    instances: int = 1
    is_read: Callable[[str], bool] = lambda lane: True
    reports: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    looked: dict[float, list[ClosedBars]] = field(default_factory=dict)

    def run(self, minutes: float, *looks: float) -> list[ClosedBars]:
        """Let so many minutes pass; the bars that the lane says then. looks : minutes after which
        `looked` gets them too.
        """
        self.world.add("market_data", self._build, self.instances)
        for look in looks:
            self.world.at(look * 60.0, partial(self._look, look))
        let_pass(self.world, minutes * 60.0)
        return self.published()

    def published(self) -> list[ClosedBars]:
        """What the lane says to its readers."""
        lane = bars_lane(PORTFOLIO, UNIVERSE)
        return [decode_closed_bars(payload) for payload in payloads_of(self.world, lane)]

    def unreported(self) -> list[str]:
        """Candles that the venue says otherwise than they were published, and no report tells."""
        now, found = UTC_ORIGIN + round(self.world.now * 1e9), []
        told = {
            (facts["symbol"], facts["close"], facts["now"][0])
            for event, facts in self.reports
            if event in ("candle late", "candle corrected")
        }
        for section in self.published():
            number = (section.close_time - UTC_ORIGIN) // STEP
            for symbol, open_price in zip(SYMBOLS, section.open.tolist(), strict=True):
                newest = self.script.newest(symbol, number, now)
                same = newest == open_price or (newest is None and math.isnan(open_price))
                if not same and (symbol, utc_text(section.close_time), newest) not in told:
                    found.append(f"{symbol} at {number}: {open_price} published, {newest} told")
        return found

    def _look(self, minutes: float) -> None:
        self.looked[minutes] = self.published()

    def _build(self, ports: Ports) -> Tasks:
        def tell(event: str, facts: Mapping[str, Any]) -> None:
            self.reports.append((event, facts))

        source = LiveSource("coins", "script", SYMBOLS, "1M", self.warmup)
        lane = FeedLane(
            ports,
            PORTFOLIO,
            UNIVERSE,
            source,
            close_at(self.start),
            partial(self._opened, source, RunClock(ports.clock)),
            FeedReports("coins", "1M", tell),
            self.is_read,
        )
        return Tasks([lane.run()], [lane.lane])

    @asynccontextmanager
    async def _opened(self, source: LiveSource, clock: UtcClock) -> AsyncIterator[ScriptedFeed]:
        def venue_now() -> int:
            return UTC_ORIGIN + round(self.world.now * 1e9)

        yield ScriptedFeed(self.script, source, clock, venue_now)
