"""paper_wish: a paper configuration as what is wanted of its portfolio.

    configuration ─▶ venues asked for ticks and lots ─▶ document that begins at the next close

Of a run that has a document, its start and what was traded on are kept: asked again with the same
configuration the wish is the same, whatever time it is and whether the venue answers or not.
"""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stratvector.cli.bus_access import user_name
from stratvector.cli.failures import CommandFailed

if TYPE_CHECKING:
    from stratvector.config import Configuration
    from stratvector.market.live import Grid, LiveSource
    from stratvector.runtime.documents import Wish
    from stratvector.runtime.run_clock import RunClock

VENUE_SECONDS = 30.0  # for the list of markets; a venue that is slower is away

Grids = dict[str, "dict[str, Grid]"]


async def paper_wish(
    configuration: "Configuration", run: str, before: "Wish | None", connect_seconds: float
) -> "Wish":
    """What a configuration wants of its paper run now.

    run : "paper.1". before : what is wanted of it already. Raises BadConfig, BadSession,
    CommandFailed.
    """
    from stratvector.config.live import live_session_of, live_sources, refuse_no_paper, time_map_of
    from stratvector.runtime.documents import endless_wish_of, warmups_of
    from stratvector.runtime.jetstream.clock import AsyncClock
    from stratvector.runtime.run_clock import RunClock

    refuse_no_paper(configuration)
    if before is not None:
        configuration = replace(configuration, began=warmups_of(before))
    sources, clock = live_sources(configuration), RunClock(AsyncClock(), time_map_of(configuration))
    grids = None if before is None else _known(before, sources)
    if grids is None:
        grids = await _asked(configuration.path, sources, clock, connect_seconds)
    session = live_session_of(configuration, grids, run, clock.now())
    if before is not None:
        session = replace(session, start=before.session().start)
    return endless_wish_of(session, user_name(), time.time_ns())


def refuse_another(folder: Path, run: str, wanted: "Wish", begun: "Wish") -> None:
    """A run keeps the configuration that it began with. Raises CommandFailed."""
    from stratvector.runtime.document_changes import changes

    if wanted.says_the_same(begun):
        return
    found = list(changes(json.loads(begun.document), json.loads(wanted.document)))
    told = "; ".join(f"{c['place']} was {c['before']} and is {c['after']}" for c in found[:1])
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    raise CommandFailed(
        f"{run} in {folder} began with another configuration: {told or 'other sources'}{more}; "
        "begin another run with --run NAME"
    )


def _known(before: "Wish", sources: "dict[str, LiveSource]") -> Grids | None:
    """What a document trades on, None where it does not have every symbol."""
    from stratvector.market.live import Grid

    portfolio, grids = before.session().portfolio, Grids()
    for universe in portfolio.universes:
        grids[universe.name] = {
            one.symbol: Grid(one.decimals, one.lot_size) for one in universe.instruments
        }
    whole = all(set(s.symbols) <= set(grids.get(name, {})) for name, s in sources.items())
    return grids if whole else None


async def _asked(
    config: Path, sources: "dict[str, LiveSource]", clock: "RunClock", connect_seconds: float
) -> Grids:
    """Ask the venues, which also says whether they have what is wanted. Raises CommandFailed."""
    return {
        name: await _venue_grids(config, source, clock, connect_seconds)
        for name, source in sources.items()
    }


async def _venue_grids(
    config: Path, source: "LiveSource", clock: "RunClock", connect_seconds: float
) -> "dict[str, Grid]":
    from stratvector.market.live import CandleFeed, Refused, Venue, VenueState
    from stratvector.market.live.venue import REQUEST_SECONDS

    state = VenueState(source.venue)
    await Venue.load()
    try:
        async with asyncio.timeout(connect_seconds):
            venue = await Venue.connect(
                source.venue,
                clock,
                time.time_ns(),
                source.urls,
                state,
                REQUEST_SECONDS * clock.rate,
            )
    except TimeoutError:
        why = state.last_error or "it does not answer"
        raise CommandFailed(
            f"{config}: {source.venue} can't be reached within {connect_seconds:g} s: {why}"
        ) from None
    except Refused as error:
        raise CommandFailed(f"{config}: {source.venue} refuses: {error}") from None
    try:
        CandleFeed(venue, source.universe, source.symbols, source.timeframe, source.terms)
        return {symbol: venue.grid(symbol) for symbol in source.symbols}
    except ValueError as error:
        raise CommandFailed(f"{config}: universe {source.universe}: {error}") from None
    finally:
        await venue.close()
