"""From configuration to a session that trades live candles: no bars yet, and no end."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from stratvector.config.bad_config import BadConfig, BadValue, UnusableData
from stratvector.config.configuration import Configuration
from stratvector.config.loading import blaming, portfolio_of, strategies_of, warmup_closes
from stratvector.runtime.run_clock import TimeMap
from stratvector.trading.runs import PAPER

if TYPE_CHECKING:
    from stratvector.market.live import Grid, LiveSource
    from stratvector.runtime.session_document import EndlessSession
    from stratvector.trading.portfolio import Universe

Grids = Mapping[str, Mapping[str, "Grid"]]


def refuse_no_paper(configuration: Configuration) -> None:
    """A configuration that can't be a paper run. Raises BadConfig."""
    path, system = configuration.path, configuration.system
    if system.system.mode != PAPER:
        rule = "a paper run needs mode: paper"
        raise BadValue(path, "system.mode", system.system.mode, rule)
    if system.session is not None:
        rule = "a paper run begins when it is applied and has no end; leave session out"
        raise BadValue(path, "session", "given", rule)
    if system.system.benchmark is not None:
        rule = "a paper run has no bars of it yet; leave benchmark out"
        raise BadValue(path, "system.benchmark", system.system.benchmark, rule)
    for name, entry in configuration.traded_universes.items():
        if entry.venue is None:
            rule = "a paper run needs live candles: ccxt:binance, ccxt:kraken or ccxt:coinbase"
            place, key = configuration.source_place(name)
            raise BadValue(place, key, entry.source, rule)
        if entry.calendar != "24/7":
            key = f"universes.{name}.calendar"
            rule = f"{entry.source} closes around the clock: 24/7"
            raise BadValue(configuration.universes_path, key, entry.calendar, rule)


def time_map_of(configuration: Configuration) -> TimeMap | None:
    """How the run's UTC follows the machine's; None for the machine's own. Raises BadConfig."""
    from stratvector.market.instants import first_instant

    clock = configuration.system.clock
    if clock is None:
        return None
    with blaming(configuration.path, "clock"):
        return TimeMap(first_instant(clock.origin), first_instant(clock.at), clock.rate)


def live_sources(configuration: Configuration) -> dict[str, "LiveSource"]:
    """Where the candles of each traded universe come from. Raises BadConfig."""
    from stratvector.market.live import (
        BadFeedTerms,
        CandleFeed,
        LiveSource,
        UnknownVenue,
        venue_terms,
    )

    strategies, sources = strategies_of(configuration), dict[str, LiveSource]()
    for universe in portfolio_of(configuration, f"{PAPER}.1").universes:
        entry = configuration.traded_universes[universe.name]
        assert entry.venue is not None, "refuse_no_paper asks for a venue"
        source = LiveSource(
            universe.name,
            entry.venue,
            universe.symbols,
            universe.timeframe,
            warmup_closes(configuration, strategies, universe.name),
            entry.deadline_seconds,
            entry.venue_urls,
        )
        place, key = configuration.source_place(universe.name)
        try:
            venue_terms(entry.venue)
        except UnknownVenue as error:
            raise BadValue(place, key, entry.source, str(error)) from None
        try:
            CandleFeed.check_terms(source.terms, universe.timeframe)
        except BadFeedTerms as error:
            raise UnusableData(place, universe.name, entry.source, str(error)) from None
        sources[universe.name] = source
    return sources


def live_session_of(
    configuration: Configuration, grids: Grids, run: str, now: int
) -> "EndlessSession":
    """The session of a paper run that is applied now.

    grids : per universe and symbol, as its venue trades it. run : "paper.1". now : the run's UTC,
    ns; the first close that trades is the first one after it. Raises BadConfig.
    """
    from stratvector.market.live import CCXT
    from stratvector.market.timeframes import timeframe
    from stratvector.runtime.session_document import EndlessSession
    from stratvector.trading.chapters import ChapterBars

    refuse_no_paper(configuration)
    sources, portfolio = live_sources(configuration), portfolio_of(configuration, run)
    universes = tuple(_traded_on(each, grids[each.name]) for each in portfolio.universes)
    steps = [timeframe(universe.timeframe).nanoseconds for universe in universes]
    return EndlessSession(
        replace(portfolio, universes=universes),
        min((now // step + 1) * step for step in steps),
        strategies_of(configuration),
        tuple(ChapterBars(name, source.hash, 0) for name, source in sources.items()),
        {
            name: {"source": CCXT, "total_return": False, "load": source.document()}
            for name, source in sources.items()
        },
        risk_free_rate=configuration.system.system.risk_free_rate,
        time_map=time_map_of(configuration),
    )


def _traded_on(universe: "Universe", grids: Mapping[str, "Grid"]) -> "Universe":
    """The venue's price grid and lot; what recorded bars were traded on says nothing of it."""
    try:
        instruments = tuple(
            replace(
                instrument,
                price_precision=grids[instrument.symbol].decimals,
                lot_size=grids[instrument.symbol].lot_size,
            )
            for instrument in universe.instruments
        )
    except ValueError as error:
        raise BadConfig(f"universe {universe.name}: {error}") from None
    return replace(universe, instruments=instruments)
