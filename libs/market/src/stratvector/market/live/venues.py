"""The venues that a feed can read, and what each lets one address ask without a key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from stratvector.market.live.budget import Allowance


class UnknownVenue(ValueError):
    """A name that is no venue's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"venue {name!r} is unknown: use {', '.join(VENUES)}")


@dataclass(frozen=True)
class VenueTerms:
    """How a venue is asked.

    allowance : about half of what the venue publishes, so that a second process behind the same
    address, or a person's script, does not get both banned.
    page_rows : candles in one answer at most. page_cost, markets_cost : tokens of a request.
    used_header, used_max : the header that tells the tokens used in the running minute, and their
    limit; None where the venue tells none.
    options : given to ccxt.
    """

    allowance: Allowance
    page_rows: int
    page_cost: float = 1.0
    markets_cost: float = 1.0
    used_header: str | None = None
    used_max: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)


VENUES: Mapping[str, VenueTerms] = MappingProxyType(
    {
        # 6,000 of weight a minute and address; a page weighs 2, the list of markets 20.
        "binance": VenueTerms(
            Allowance(burst=1_000.0, per_second=50.0),
            page_rows=1_000,
            page_cost=2.0,
            markets_cost=20.0,
            used_header="x-mbx-used-weight-1m",
            used_max=6_000.0,
            options={"fetchMarkets": {"types": ["spot"]}},
        ),
        # About one public request a second; whatever `since` says, only the newest 720 candles.
        "kraken": VenueTerms(Allowance(burst=5.0, per_second=1.0), page_rows=720),
        # Ten public requests a second; ccxt lists the markets in three requests.
        "coinbase": VenueTerms(
            Allowance(burst=5.0, per_second=5.0), page_rows=300, markets_cost=3.0
        ),
    }
)


def venue_terms(name: str) -> VenueTerms:
    """How a venue is asked. Raises UnknownVenue."""
    if name not in VENUES:
        raise UnknownVenue(name)
    return VENUES[name]
