"""What the feed met that its bars do not show: counted for Prometheus, and a log line for each."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from threading import Lock
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stratvector.market.live import Candle, ClosedCandles, Correction, VenueState
from stratvector.runtime.process.logs import logger
from stratvector.trading.timestamps import NANOSECONDS_PER_SECOND, utc_text

Tell = Callable[[str, Mapping[str, Any]], None]
COUNTERS = {
    "stratvector_feed_closes": "The closes of a live feed that were published.",
    "stratvector_feed_filled_closes": "Those read from history, after their deadline.",
    "stratvector_feed_missing_candles": "The candles that a close was published without.",
    "stratvector_feed_late_candles": "Those that came after their close was published.",
    "stratvector_feed_corrected_candles": "Those that the venue told otherwise after their close.",
    "stratvector_feed_refused_candles": "Those that broke a rule and count as missing.",
}
VENUE_COUNTERS = {
    "stratvector_venue_requests": ("requests", "The requests to a venue."),
    "stratvector_venue_retries": ("retries", "Those sent again after a failed one."),
    "stratvector_venue_throttled": ("throttled", "The answers that told to wait."),
    "stratvector_venue_unreachable": ("unreachable", "The requests without a fit answer."),
}


def _log(event: str, facts: Mapping[str, Any]) -> None:
    logger().warning(event, **facts)


class FeedReports:
    """The reports of one universe's feed. tell : takes an event and its facts.

    Each is told at least once: an owner that dies between a report and the publish of the close
    that it came with leaves both to the next one.
    """

    def __init__(self, universe: str, timeframe: str, tell: Tell = _log) -> None:
        self.labels = (universe, timeframe)
        self.counts = Counter[str]()
        self.last_close = 0
        self._tell_of, self._lock = tell, Lock()

    def take(self, closed: ClosedCandles) -> None:
        """What came with a close that is about to be published."""
        close_time = closed.bars.close_time
        self._count("stratvector_feed_closes", 1)
        self._count("stratvector_feed_filled_closes", int(closed.filled))
        self.last_close = max(self.last_close, close_time)
        for symbol, why in closed.missing.items():
            self._report(
                "stratvector_feed_missing_candles", "candle missing", symbol, close_time, why=why
            )
        for refusal in closed.refusals:
            self._report(
                "stratvector_feed_refused_candles",
                "candle refused",
                refusal.symbol,
                refusal.close_time,
                why=refusal.sentence,
                seen_at=utc_text(refusal.seen_at),
            )
        for correction in closed.corrections:
            self._corrected(correction)

    def figures(self) -> dict[str, int]:
        """Every count, asked on whatever thread."""
        with self._lock:
            return {name: self.counts[name] for name in COUNTERS}

    def _corrected(self, correction: Correction) -> None:
        is_late = correction.old is None
        self._report(
            "stratvector_feed_late_candles" if is_late else "stratvector_feed_corrected_candles",
            "candle late" if is_late else "candle corrected",
            correction.symbol,
            correction.close_time,
            was=None if correction.old is None else _values(correction.old),
            now=_values(correction.new),
            seen_at=utc_text(correction.seen_at),
        )

    def _report(
        self, counter: str, event: str, symbol: str, close_time: int, **facts: object
    ) -> None:
        self._count(counter, 1)
        universe, timeframe = self.labels
        place = {"universe": universe, "timeframe": timeframe, "symbol": symbol}
        self._tell_of(event, {**place, "close": utc_text(close_time), **facts})

    def _count(self, name: str, more: int) -> None:
        with self._lock:
            self.counts[name] += more


class FeedCollector(Collector):
    """What Prometheus scrapes of the feeds of a process, and of the venues that they ask. feeds :
    may grow.
    """

    def __init__(
        self, feeds: Collection[FeedReports], venues: Callable[[], list[VenueState]]
    ) -> None:
        self._feeds, self._venues = feeds, venues

    def collect(self) -> Iterator[Metric]:
        """Counts by universe and timeframe, then requests by venue."""
        figures = [(feed.labels, feed.figures()) for feed in tuple(self._feeds)]
        for name, text in COUNTERS.items():
            family = CounterMetricFamily(name, text, labels=["universe", "timeframe"])
            for labels, counts in figures:
                family.add_metric(labels, counts[name])
            yield family
        yield self._last_closes()
        yield from self._requests()

    def _last_closes(self) -> Metric:
        text = "The newest close that a live feed published, in seconds since 1970 UTC."
        family = GaugeMetricFamily(
            "stratvector_feed_last_close_seconds", text, labels=["universe", "timeframe"]
        )
        for feed in tuple(self._feeds):
            family.add_metric(feed.labels, feed.last_close / NANOSECONDS_PER_SECOND)
        return family

    def _requests(self) -> Iterator[Metric]:
        states = self._venues()
        for name, (key, text) in VENUE_COUNTERS.items():
            family = CounterMetricFamily(name, text, labels=["venue"])
            for state in states:
                family.add_metric([state.venue], getattr(state, key))
            yield family


def _values(candle: Candle) -> list[float]:
    return [candle.open, candle.high, candle.low, candle.close, candle.volume]
