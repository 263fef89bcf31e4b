"""lanes: the subjects of one portfolio in its run."""

from collections.abc import Iterator
from dataclasses import replace

from stratvector.trading.flow import subject
from stratvector.trading.portfolio import Portfolio, Universe
from stratvector.trading.runs import bars_run


def chapters_lane(portfolio: Portfolio) -> str:
    """What its log begins with."""
    return chapters_lane_of(portfolio.run, portfolio.name)


def chapters_lane_of(run: str, portfolio: str) -> str:
    """The same, for who knows no more of it than its names."""
    return subject("chapters", run=run, portfolio=portfolio)


def bars_lane(portfolio: Portfolio, universe: Universe) -> str:
    """The bars that it reads of one of its universes; each version has a lane of its own."""
    run, named = bars_run(portfolio.run), universe.name
    if universe.version > 1:
        named = f"{named}={universe.version}"  # also a key of the key-value store, without an "@"
    return subject("bars", run=run, universe=named, timeframe=universe.timeframe)


def earlier_bars_lanes(portfolio: Portfolio, universe: Universe) -> Iterator[str]:
    """Those of the versions before, the newest first."""
    for version in range(universe.version - 1, 0, -1):
        yield bars_lane(portfolio, replace(universe, version=version))


def signals_lane(portfolio: Portfolio, model: str) -> str:
    """The signals of one of its models."""
    return subject("signals", run=portfolio.run, portfolio=portfolio.name, model=model)


def orders_lane(portfolio: Portfolio) -> str:
    """Its decisions."""
    return subject("orders", run=portfolio.run, portfolio=portfolio.name)


def fills_lane(portfolio: Portfolio, account: str) -> str:
    """What happened to its orders at one of its accounts."""
    keys = {"portfolio": portfolio.name, "account": account}
    return subject("fills", run=portfolio.run, **keys)


def fills_lanes(portfolio: Portfolio) -> dict[str, str]:
    """The same for each of its accounts, the leading one first."""
    return {account: fills_lane(portfolio, account) for account in portfolio.account_names}


def positions_lane(portfolio: Portfolio) -> str:
    """Its holdings."""
    return subject("positions", run=portfolio.run, portfolio=portfolio.name)
