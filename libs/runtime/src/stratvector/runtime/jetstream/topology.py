"""topology: which streams, buckets and durable consumers the flow needs; pure.

Everything follows from the table of hops and a portfolio. A durable is one reader's place in one
lane; its name is what `runtime.readers` asks the bus for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stratvector.trading.flow import FLOW, Hop, hop
from stratvector.trading.portfolio import Portfolio, Universe

OWNERS = "owners"
QUARANTINE = "quarantine"
# About thirty thousand notes: a lane has one, so that only a thief's can be so many.
QUARANTINE_BYTES_MAX = 16 * 1024 * 1024
REDELIVERY_SECONDS = 30


@dataclass(frozen=True)
class Stream:
    """A log. newest_only : keeps one message per subject, as a key-value bucket does.

    bytes_max : its size, at which the oldest messages go; None never drops any.
    """

    name: str
    subjects: str
    newest_only: bool = False
    bytes_max: int | None = None


@dataclass(frozen=True)
class Durable:
    """One service's place in one lane of a stream.

    redelivery_seconds : after how long what was not acknowledged is delivered again.
    """

    stream: str
    name: str
    subject: str
    service: str
    redelivery_seconds: int = REDELIVERY_SECONDS


def streams() -> tuple[Stream, ...]:
    """One log per hop, in the order of the flow."""
    return tuple(Stream(one.stream, f"{one.noun}.>") for one in FLOW)


def buckets() -> tuple[Stream, ...]:
    """The key-value buckets: who owns a lane, and what could not be processed."""
    return tuple(
        Stream(f"KV_{name}", f"$KV.{name}.>", True, bytes_max)
        for name, bytes_max in ((OWNERS, None), (QUARANTINE, QUARANTINE_BYTES_MAX))
    )


def durables(
    portfolio: Portfolio, redelivery_seconds: int = REDELIVERY_SECONDS
) -> tuple[Durable, ...]:
    """Every durable of a portfolio, in the order of the flow; followers need none."""
    return tuple(
        Durable(one.stream, f"{reader}-{lane}".replace(".", "-"), lane, service, redelivery_seconds)
        for one in FLOW
        for service in one.consumers
        for reader, lane in _readers(one, service, portfolio)
    )


def lanes(one: Hop, portfolio: Portfolio) -> tuple[str, ...]:
    """Every lane that a noun has in a portfolio."""
    if "{universe}" in one.subject:
        return tuple(_universe_lane(one, universe) for universe in portfolio.universes)
    keys = {"portfolio": portfolio.name, "account": portfolio.account}
    if "{model}" in one.subject:
        return tuple(one.subject.format(model=name, **keys) for name in portfolio.model_names)
    return (one.subject.format(**keys),)


def _universe_lane(one: Hop, universe: Universe) -> str:
    return one.subject.format(universe=universe.name, timeframe=universe.timeframe)


def _readers(one: Hop, service: str, portfolio: Portfolio) -> Iterator[tuple[str, str]]:
    """Reader and lane, for each reader that a service has of a noun."""
    if service == "strategy":
        # Each model reads the bars of its universe in its own time.
        for model in portfolio.models:
            universe = portfolio.universe(model.universe)
            yield f"{service}-{portfolio.name}-{model.name}", _universe_lane(one, universe)
    elif service == "market_data":
        # Each universe's replay watches the decisions in its own time.
        for universe in portfolio.universes:
            for lane in lanes(one, portfolio):
                yield f"{service}-{universe.name}", lane
    else:
        # Portfolios may share a universe, so the readers of bars bear the portfolio's name.
        reader = f"{service}-{portfolio.name}" if one == hop("bars") else service
        for lane in lanes(one, portfolio):
            yield reader, lane
