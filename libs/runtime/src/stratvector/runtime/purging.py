"""purging: what of a portfolio's log nobody needs any more, once it is archived.

    kept chapter: an earlier one than the newest, whose beginning the ledger has committed
    orders, signals, fills, positions    up to the message that the kept chapter begins after
    bars                                 the same of each portfolio that reads them, less the
                                         longest history of its models, counted from the newest
                                         signals of each that were used; the least of all

That message itself stays: it carries the epoch, and a subject without any message would expect 0.
Chapters stay, too: they tell what there was, and each names the one before it. Orders go first, as
they say which chapter a log begins with.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.archived_log import between
from stratvector.runtime.chapters import (
    Standing,
    logged_chapters,
    oldest_readable,
    opened_chapters,
    strategies_in,
)
from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.ports import Bus
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.lanes import bars_lane, fills_lanes, orders_lane, signals_lane
from stratvector.trading.portfolio import Portfolio

# Removes what stands in a subject below a sequence; how many messages that were.
Purge = Callable[[str, int], Awaitable[int]]
KEEP_CHAPTERS = 1


async def kept_chapter(
    bus: Bus,
    run: str,
    portfolio: str,
    committed: int | None,
    keep: int = KEEP_CHAPTERS,
    archived: int | None = None,
) -> Standing | None:
    """The chapter that the log begins with from now on; None where nothing is to be purged.

    committed : the ledger's newest close, ns UTC. keep : how many chapters before the newest stay.
    archived : how many chapters are, as more may have been closed since; None for all of them.
    """
    opened = await opened_chapters(bus, run, portfolio)
    spare = max(0, len(opened) - keep)
    for standing in reversed(opened[: spare if archived is None else min(spare, archived + 1)]):
        carried = standing.carried
        # The ledger begins one close before its newest, see its record.
        if carried and committed is not None and carried.close_time < committed:
            return standing
    return None


def own_places(kept: Standing, portfolio: Portfolio) -> dict[str, int]:
    """Subject -> the first message that stays, of the lanes that this portfolio alone has, in the
    order in which they are purged. The positions' place is not the chapter's to say.
    """
    assert kept.carried is not None
    lanes = [orders_lane(portfolio), *fills_lanes(portfolio).values()]
    lanes += [signals_lane(portfolio, model) for model in portfolio.model_names]
    return {lane: place for lane in lanes if (place := kept.carried.sequences.get(lane, 0))}


async def bars_places(bus: Bus, portfolio: Portfolio) -> dict[str, int]:
    """The same of the bars that it reads, by what is left of the log of each portfolio that reads
    them; asked when its own lanes are purged. Of a version that no chapter reads any more the last
    message that was used stays. Raises BadSession, OtherChapter.
    """
    used = _used(await opened_chapters(bus, portfolio.run, portfolio.name))
    places: dict[str, list[int]] = {lane: [] for lane in used}
    for stored in await logged_chapters(bus):
        whose = PortfolioRun.parsed(stored.message.subject.partition(".")[2])
        opened = await opened_chapters(bus, whose.run, whose.portfolio)
        oldest = await oldest_readable(bus, whose.run, whose.portfolio)
        left = [one for one in opened if oldest is None or one.number >= oldest.number]
        for lane, count in histories(left).items():
            if lane in places:
                places[lane].append(await _place_before(bus, lane, oldest, count))
    least = {lane: min(needed, default=used[lane]) for lane, needed in places.items()}
    return {lane: place for lane, place in least.items() if place}


def _used(chapters: Sequence[Standing]) -> dict[str, int]:
    """Lane of bars of any version -> its newest message that a chapter's beginning has used."""
    used = dict[str, int]()
    for standing in chapters:
        for universe in standing.portfolio.universes:
            used.setdefault(bars_lane(standing.portfolio, universe), 0)
        if (carried := standing.carried) is not None:
            used |= {lane: place for lane, place in carried.sequences.items() if lane in used}
    return used


def histories(chapters: Sequence[Standing]) -> Mapping[str, int]:
    """Lane of bars -> how many closes the models of any of these chapters look back."""
    longest = dict[str, int]()
    for standing in chapters:
        portfolio, strategies = standing.portfolio, strategies_in(standing.chapter)
        for universe in portfolio.universes:
            longest.setdefault(bars_lane(portfolio, universe), 1)
        for model in portfolio.active:
            lane = bars_lane(portfolio, portfolio.universe(model.universe))
            longest[lane] = max(longest[lane], strategies[model.name].history)
    return longest


async def _place_before(bus: Bus, lane: str, oldest: Standing | None, count: int) -> int:
    """The message of the bars that is so many closes before a chapter, or before the newest signals
    of a model that it knows, whose memory since is computed from the bars; 0 where all are needed.
    """
    if oldest is None or oldest.carried is None:
        return 0
    newest, span = oldest.carried.sequences.get(lane, 0), 2 * count
    until = computed_from(oldest, lane)
    while True:
        after = max(0, newest - span)
        epochs = EpochFilter()
        found = await between(bus, lane, after, newest)
        places = [
            one.sequence
            for one in found
            if epochs.admits(one.message)
            and decode_closed_bars(one.message.payload).close_time <= until
        ]
        if len(places) >= count or not after:
            return places[-count] if len(places) >= count else 0
        span *= 2


def computed_from(oldest: Standing, lane: str) -> int:
    """The close (ns UTC) after which some model of a universe computes its memory again."""
    portfolio, carried = oldest.portfolio, oldest.carried
    assert carried is not None
    models = [
        carried.model(model.name)
        for model in portfolio.active
        if bars_lane(portfolio, portfolio.universe(model.universe)) == lane
    ]
    known = [model.close_time for model in models if model is not None]
    return min([carried.close_time, *known])


async def purge_log(
    bus: Bus, purge: Purge, kept: Standing, portfolio: Portfolio, positions: Mapping[str, int]
) -> dict[str, int]:
    """Purge what is before a chapter; subject -> how many messages went. positions : the place of
    that lane, of which the newest content up to there stays.
    """
    removed, places = dict[str, int](), own_places(kept, portfolio)
    for lane, place in positions.items():
        if below := await _newest_content(bus, lane, place):
            places[lane] = below
    for lane, below in places.items():
        removed[lane] = await purge(lane, below)
    for lane, below in (await bars_places(bus, portfolio)).items():
        removed[lane] = await purge(lane, below)
    return removed


async def _newest_content(bus: Bus, lane: str, place: int) -> int:
    """The newest message of content up to a place, 0 for none. The owner after next counts on from
    it: where a new owner had nothing to say yet, its mark alone tells no number.
    """
    epochs = EpochFilter()
    found = await between(bus, lane, 0, place)
    return max((one.sequence for one in found if epochs.admits(one.message)), default=0)
