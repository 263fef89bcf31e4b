"""versions: of a universe in one run: another list of symbols is the next version, and so is a
universe that comes back after it was removed.

A version never changes, and has a lane of bars of its own, warm-up first. A chapter says which
versions it is over, so that nobody meets a symbol that his chapter does not know. It also says
which symbols of a version are closing: a universe that loses a symbol which is held keeps its
version, with the symbols that are to go only sold, until none of them is held or ordered.
"""

from collections.abc import Sequence
from dataclasses import replace

from stratvector.trading.carried import Carried
from stratvector.trading.chapters import ChapterBars
from stratvector.trading.lanes import bars_lane, earlier_bars_lanes
from stratvector.trading.portfolio import Portfolio, Universe


def with_versions(portfolio: Portfolio, bars: Sequence[ChapterBars]) -> Portfolio:
    """A document's portfolio over the versions that its chapter says, with closing symbols."""
    said = {one.universe: (1 + one.earlier_versions, one.closing) for one in bars}
    told = [(universe, *said.get(universe.name, (1, ()))) for universe in portfolio.universes]
    universes = [replace(u, version=version, closing=closing) for u, version, closing in told]
    return replace(portfolio, universes=tuple(universes))


def other_symbols(before: Portfolio, after: Portfolio) -> tuple[str, ...]:
    """The universes of the second whose symbols the first does not have under their name: those
    with another list, and those that are added.
    """
    symbols = {universe.name: universe.symbols for universe in before.universes}
    return tuple(one.name for one in after.universes if symbols.get(one.name) != one.symbols)


def begins_anew(portfolio: Portfolio, universe: Universe, carried: Carried | None) -> bool:
    """Whether a chapter goes on with a version of which no close was used: the closes before were
    those of another one, or the universe was not there, so models over it begin anew.
    """
    if carried is None or bars_lane(portfolio, universe) in carried.sequences:
        return False
    if universe.name not in carried.next_closes:
        return True
    return any(lane in carried.sequences for lane in earlier_bars_lanes(portfolio, universe))
