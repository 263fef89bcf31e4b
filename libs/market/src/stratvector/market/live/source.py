"""source: where a universe's live candles come from, as values that travel."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stratvector.market.live.feed import FeedTerms

CCXT = "ccxt"
PREFIX = f"{CCXT}:"  # `ccxt:kraken` in a configuration


def venue_of(source: str) -> str | None:
    """The venue that a configured source names; None for recorded bars."""
    return source.removeprefix(PREFIX) if source.startswith(PREFIX) else None


@dataclass(frozen=True)
class LiveSource:
    """A universe's candles at a venue.

    warmup_closes : closes before the first that trades. deadline_seconds : see `FeedTerms`.
    urls : see `Venue.connect`.
    """

    universe: str
    venue: str
    symbols: tuple[str, ...]
    timeframe: str
    warmup_closes: int
    deadline_seconds: float = FeedTerms.deadline_seconds
    urls: Mapping[str, Any] | None = None

    @property
    def hash(self) -> str:
        """Of what the bars are: venue, symbols and timeframe; of bars that don't exist yet there is
        none.
        """
        described = [CCXT, self.venue, list(self.symbols), self.timeframe]
        text = json.dumps(described, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def terms(self) -> FeedTerms:
        """How long its closes are waited for."""
        return FeedTerms(deadline_seconds=self.deadline_seconds)

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"symbols": list(self.symbols)}

    @classmethod
    def from_document(cls, values: Mapping[str, Any]) -> "LiveSource":
        """From JSON values. Raises ValueError."""
        try:
            read = cls(**{**values, "symbols": tuple(values["symbols"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"the description of a live source can't be read: {error}") from None
        texts = (read.universe, read.venue, read.timeframe, *read.symbols)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"universe, venue, timeframe and symbols must be texts: {texts}")
        if type(read.warmup_closes) is not int or read.warmup_closes < 0:
            raise ValueError(
                f"warmup_closes is {read.warmup_closes!r}; it must be 0 or a larger whole number"
            )
        if not isinstance(read.deadline_seconds, (int, float)):
            raise ValueError(f"deadline_seconds is {read.deadline_seconds!r}; it must be a number")
        return read
