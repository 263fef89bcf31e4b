"""What a live feed counts, in plain fields that metrics can read at any time."""

from dataclasses import dataclass


@dataclass
class VenueState:
    """One venue's requests, of all feeds that share it.

    retries : requests sent again after a failed one. throttled : answers that told to wait.
    rate_limited_seconds : how long the venue told to wait, overlaps counted once.
    unreachable : time-outs, resets, 5xx and answers that are none. refused : answers that asking
    again won't change. in_flight : requests without an answer yet. last_error : one sentence.
    last_answer_at : UTC ns, 0 before the first. venue_ahead_seconds : its clock less ours.
    """

    venue: str
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    rate_limited_seconds: float = 0.0
    unreachable: int = 0
    refused: int = 0
    in_flight: int = 0
    last_error: str = ""
    last_answer_at: int = 0
    venue_ahead_seconds: float = 0.0


@dataclass
class FeedState:
    """One feed's closes and candles.

    partial_closes : given with a candle missing. gaps_filled : candles read from history for closes
    whose deadline had passed. late_candles : came after their close was given without them.
    repeated_candles : told twice in one answer. watched_answers : told by
    the WebSocket.
    last_close : UTC ns, 0 before the first.
    """

    closes: int = 0
    partial_closes: int = 0
    candles: int = 0
    missing_candles: int = 0
    gaps_filled: int = 0
    late_candles: int = 0
    corrections: int = 0
    refusals: int = 0
    repeated_candles: int = 0
    watched_answers: int = 0
    last_close: int = 0

    def count(self, close_time: int, symbols: int, missing: int) -> None:
        """Note a close as given, with that many of its symbols' candles missing."""
        self.closes += 1
        self.partial_closes += missing > 0
        self.candles += symbols - missing
        self.missing_candles += missing
        self.last_close = close_time
