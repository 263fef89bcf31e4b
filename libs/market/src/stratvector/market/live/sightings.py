"""What a venue told of each candle so far: to be given, given already, refused, corrected."""

import math
from collections.abc import Mapping, Sequence

from stratvector.market.live.candles import Candle, Correction, Refusal, judged
from stratvector.market.live.state import FeedState
from stratvector.market.live.venue import Page
from stratvector.market.timeframes import Timeframe
from stratvector.trading.bad_bars import BadBar
from stratvector.trading.bars import FIELDS, ClosedBars


class Sightings:
    """The candles of one feed's symbols. A close is given once; later words on it are reports.

    next_close : the first close that is not given yet, UTC ns.
    recheck_closes : how many of the newest given closes are compared with what comes later.
    kept_max : given closes without a candle that are remembered until the venue answers again.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        timeframe: Timeframe,
        next_close: int,
        recheck_closes: int,
        kept_max: int,
        state: FeedState,
    ) -> None:
        self.next_close = next_close
        self._timeframe, self._step = timeframe, timeframe.nanoseconds
        self._recheck, self._kept_max, self._state = recheck_closes, kept_max, state
        self._waiting: dict[str, dict[int, Candle]] = {symbol: {} for symbol in symbols}
        self._given: dict[str, dict[int, Candle | None]] = {symbol: {} for symbol in symbols}
        self._refused: dict[tuple[str, int], str] = {}
        self._refusals: list[Refusal] = []
        self._corrections: list[Correction] = []

    def recall(self, bars: ClosedBars) -> None:
        """A close that was given before a restart; what comes later on it is reported."""
        columns = zip(*(getattr(bars, name) for name in FIELDS), strict=True)
        for symbol, values in zip(bars.symbols, columns, strict=True):
            numbers = [float(value) for value in values]
            there = not math.isnan(numbers[0])
            candle = Candle(bars.close_time, *numbers) if there else None
            self._given[symbol][bars.close_time] = candle

    def take(self, symbol: str, page: Page, now: int) -> int | None:
        """Take in a page, in any order; the newest closed candle's time, None where there is none.

        Within a page the last word on a candle stands. A candle still open by the venue's clock
        is passed over.
        """
        newest: int | None = None
        closes: set[int] = set()
        for row in page.rows:
            close_time = int(row[0] or 0) * 1_000_000 + self._step
            if close_time > page.venue_time:
                continue
            newest = max(newest or 0, close_time)
            self._state.repeated_candles += close_time in closes
            closes.add(close_time)
            try:
                candle = judged(symbol, row, self._step, self._timeframe.name)
            except BadBar as bad:
                self._refuse(bad, now)
            else:
                self._note(symbol, candle, now)
        if newest is not None:
            self._forget(symbol, newest)
        return newest

    def holds(self, symbol: str, close_time: int) -> bool:
        """Whether the candle is there to be given."""
        return close_time in self._waiting[symbol]

    def missing(self, symbol: str, first: int, last: int) -> int | None:
        """The first close in first ≤ t ≤ last without a candle to give."""
        closes = range(first, last + 1, self._step)
        return next((close for close in closes if close not in self._waiting[symbol]), None)

    def refused(self, symbol: str, close_time: int) -> str | None:
        """Why the candle that came was refused, if one came."""
        return self._refused.get((symbol, close_time))

    def recheck_from(self, symbol: str, close_time: int) -> int:
        """The first close to ask for, so that late and corrected candles before are met too."""
        missed = [close for close, candle in self._given[symbol].items() if candle is None]
        return min([*missed, close_time - self._recheck * self._step])

    def give(self, close_time: int) -> Mapping[str, Candle | None]:
        """The candles of the next close, for good; None where one is missing."""
        given = {name: candles.pop(close_time, None) for name, candles in self._waiting.items()}
        for symbol, candle in given.items():
            known = self._given[symbol]
            known[close_time] = candle
            while len(known) > self._kept_max:
                del known[min(known)]
        self.next_close = close_time + self._step
        return given

    def reports(self) -> tuple[tuple[Refusal, ...], tuple[Correction, ...]]:
        """What was refused and corrected since the last call."""
        told = tuple(self._refusals), tuple(self._corrections)
        self._refusals.clear()
        self._corrections.clear()
        return told

    def _note(self, symbol: str, candle: Candle, now: int) -> None:
        close_time, known = candle.close_time, self._given[symbol]
        if close_time >= self.next_close:
            self._waiting[symbol][close_time] = candle
        elif close_time in known and known[close_time] != candle:
            old, known[close_time] = known[close_time], candle
            self._corrections.append(Correction(symbol, close_time, old, candle, now))
            if old is None:
                self._state.late_candles += 1
            else:
                self._state.corrections += 1

    def _refuse(self, bad: BadBar, now: int) -> None:
        key, sentence = (bad.symbol, bad.close_time), str(bad)
        # The venue's newest word counts: a candle that it spoils before it is given is missing.
        self._waiting[bad.symbol].pop(bad.close_time, None)
        if self._refused.get(key) != sentence:
            self._refused[key] = sentence
            self._refusals.append(Refusal(bad.symbol, bad.close_time, sentence, now))
            self._state.refusals += 1

    def _forget(self, symbol: str, newest: int) -> None:
        """What the venue has now spoken about, and is old enough, is settled."""
        settled = min(newest, self.next_close) - self._recheck * self._step
        known = self._given[symbol]
        for close in [close for close in known if close < settled]:
            del known[close]
        for key in [key for key in self._refused if key[0] == symbol and key[1] < settled]:
            del self._refused[key]
