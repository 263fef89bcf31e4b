"""What can be scripted to go wrong at the loopback exchange, in its own time."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The faults. The first ones befall requests, the rest one candle (`close_time`)."""

    OUTAGE = "outage"  # the connection is lost before an answer
    UNAVAILABLE = "unavailable"  # 503
    THROTTLED = "throttled"  # 429 with Retry-After until the fault's end
    BANNED = "banned"  # 418 with Retry-After until the fault's end
    RATE_ERROR = "rate_error"  # Kraken's: 200, an error in the body, nothing about when
    GARBAGE = "garbage"  # 200, and a body that is no JSON
    ODD = "odd"  # 200, and JSON of no known shape
    REFUSED = "refused"  # 400, the venue's word for a symbol that it does not know
    HANG = "hang"  # no answer, ever
    CROWDED = "crowded"  # others behind the address have used `rows` of Binance's weight
    PARTIAL = "partial"  # the page is cut after `rows`
    REVERSED = "reversed"  # newest first
    TWICE = "twice"  # each candle twice
    LATE = "late"  # the candle is not there yet
    CORRECTED = "corrected"  # its prices are `factor` times what they were
    BAD = "bad"  # its `field` is `value`
    OFF_GRID = "off_grid"  # it opens a second late


REQUEST_KINDS = (
    Kind.OUTAGE, Kind.UNAVAILABLE, Kind.THROTTLED, Kind.BANNED, Kind.RATE_ERROR, Kind.GARBAGE,
    Kind.ODD, Kind.REFUSED, Kind.HANG,
)  # fmt: skip
PAGE_KINDS = (Kind.PARTIAL, Kind.REVERSED, Kind.TWICE)


@dataclass(frozen=True)
class Fault:
    """One fault in start ≤ now < end (UTC ns of the exchange's clock).

    symbol : "BTC-USD" whose pages or candle it befalls; None = all, and the list of markets.
    close_time : of the candle that it befalls.
    """

    kind: Kind
    start: int
    end: int
    symbol: str | None = None
    close_time: int = 0
    rows: int = 1
    factor: float = 1.0
    field: str = "low"
    value: str = "-1"

    def befalls(self, symbol: str | None, now: int) -> bool:
        """Whether it is on, and meant for this symbol (None = a request that is of no symbol)."""
        return self.start <= now < self.end and self.symbol in (None, symbol)

    def to_json(self) -> dict[str, Any]:
        """As the control endpoint reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Fault":
        """The fault that `to_json` wrote."""
        return cls(**{**fields, "kind": Kind(fields["kind"])})
