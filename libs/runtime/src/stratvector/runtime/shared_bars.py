"""shared_bars: portfolios that read one lane of bars must mean the same bars.

A universe has one lane in a run, and live, paper and shadow runs have one feed, so two portfolios
that give one name to other bars would trade on those of whichever came first.
"""

from contextlib import suppress

from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.chapters import chapter_of
from stratvector.runtime.documents import Documents, Wish, decode_wish
from stratvector.runtime.ports import Bus
from stratvector.runtime.session_document import BadSession
from stratvector.trading.chapters import Chapter, ChapterBars
from stratvector.trading.lanes import chapters_lane_of
from stratvector.trading.runs import bars_run


async def refuse_other_bars(
    bus: Bus, documents: Documents, wish: Wish, standing: Chapter | None = None
) -> None:
    """Hold what is to begin against what others began with, or are to begin with. standing : of a
    portfolio that runs, its chapter; then only universes are to begin that it never had. Raises
    OtherChapter, BadMessage.
    """
    had = set[str]()
    if standing is not None:
        had = {one.universe for one in standing.bars} | {one.universe for one in standing.gone}
    ours = {one.universe: _meant(one) for one in wish.bars if one.universe not in had}
    if not ours:
        return
    for other in await _others(documents, wish):
        for bars in await _began_with(bus, other):
            if ours.get(bars.universe, _meant(bars)) != _meant(bars):
                raise OtherChapter(
                    f"{wish.key}: universe {bars.universe} has other bars than {other.key} began "
                    f"with, and both would read the one lane that it has in {bars_run(wish.run)}: "
                    "give the universe another name, or apply it as another replay"
                )


async def _others(documents: Documents, wish: Wish) -> list[Wish]:
    """What is wanted of the other portfolios that read the same lanes; what can't be read runs
    nowhere.
    """
    found, feed = list[Wish](), bars_run(wish.run)
    for key, entry in (await documents.stored()).items():
        if key != wish.key and bars_run(key.rpartition(".")[0]) == feed:
            with suppress(BadSession):
                found.append(decode_wish(f"document {key}", entry.value))
    return found


async def _began_with(bus: Bus, wish: Wish) -> tuple[ChapterBars, ...]:
    first = await bus.read(chapters_lane_of(wish.run, wish.portfolio), 0, 1)
    return chapter_of(first[0]).bars if first else wish.bars


def _meant(bars: ChapterBars) -> tuple[str, int]:
    return bars.hash, bars.closes
