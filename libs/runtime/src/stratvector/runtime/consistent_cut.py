"""consistent_cut: what of a log that was copied stream by stream can stand together.

    copied first                                                   copied last
    ledger's database, positions, fills, orders, chapters, signals, bars, documents, owners

What a message names was stored before it, so a stream that is named is copied after the one that
names it, and is there. Fills and orders name each other: a decision names the fills that it used,
and fills the orders that they are about. Fills are copied first, as they tell what happened in the
world; so the end of an orders lane may name fills that are not there, and is left out:

    fills    … f7 f8 │ f9 f10           │ where the copy ends
    orders   … d(f6) d(f8) │ d(f9) d(f10)
                           └ left out, and decided again

Signals of a chapter whose opening is left out with the decisions before it are left out, too. What
else is there beyond the newest decision, signals and bars that are ahead of it, content of chapters
that never opened, stays: it is what any owner may find who takes over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stratvector.contracts.codecs import decode_decision, decode_signals
from stratvector.runtime.ports import Bus, Kind, Stored
from stratvector.runtime.readers import opening_in
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.chapters import FIRST
from stratvector.trading.flow import FLOW

BEFORE_ORDERS = ("positions", "fills")
AFTER_ORDERS = ("chapters", "signals", "bars")


def copying_order() -> tuple[str, ...]:
    """The streams of the flow, in the order in which they are copied. Raises ValueError for a noun
    whose place nobody has thought about.
    """
    order = (*BEFORE_ORDERS, "orders", *AFTER_ORDERS)
    if set(order) != {one.noun for one in FLOW}:
        raise ValueError(f"the flow has other nouns than {', '.join(order)}")
    streams = {one.noun: one.stream for one in FLOW}
    return tuple(streams[noun] for noun in order)


@dataclass(frozen=True)
class LaneCut:
    """One orders lane. dropped : sequences of the messages of its end that are left out, ascending.
    close_time : of the newest decision that stays, ns UTC; None where none does. chapter : the
    number of the newest chapter that has opened in what stays.
    """

    lane: str
    dropped: tuple[int, ...]
    close_time: int | None
    chapter: int

    @property
    def key(self) -> str:
        """`<run>.<portfolio>`."""
        return self.lane.partition(".")[2]


async def cut_orders(bus: Bus, lane: str, fills_until: int, until: int | None = None) -> LaneCut:
    """What stays of an orders lane, where fills end with a sequence. until : the last message of
    orders that counts, None for all. Raises BadMessage.
    """

    def stays(stored: Stored) -> bool | None:
        if stored.message.kind is not Kind.CONTENT:
            return None
        return decode_decision(stored.message.payload).cut.fills_sequence <= fills_until

    dropped, kept = await _end(bus, lane, stays, until)
    close_time, chapter, newest = None, FIRST, kept
    while newest is not None and newest.message.kind is Kind.OWNER:
        newest = await _before(bus, lane, newest)
    if newest is not None and newest.message.kind is Kind.OPENED:
        opened = opening_in(newest)
        close_time, chapter = opened.close_time or None, opened.number
    elif newest is not None:
        decision = decode_decision(newest.message.payload)
        close_time, chapter = decision.close_time, decision.chapter
    return LaneCut(lane, dropped, close_time, chapter)


async def cut_signals(bus: Bus, lane: str, chapter: int) -> tuple[int, ...]:
    """Sequences of the messages of a signals lane's end that are of later chapters than one,
    ascending. Raises BadMessage.
    """

    def stays(stored: Stored) -> bool | None:
        if stored.message.kind is not Kind.CONTENT:
            return None
        return decode_signals(stored.message.payload).chapter <= chapter

    dropped, _ = await _end(bus, lane, stays, None)
    return dropped


def chapter_of_signals(lane: str, cuts: Mapping[str, LaneCut]) -> int:
    """The newest chapter that has opened for whom a signals lane is, by what stays of the orders
    lanes, by `<run>.<portfolio>`; the first one where none is there yet.
    """
    mode, number, portfolio, _ = lane.partition(".")[2].split(".", 3)
    its = cuts.get(PortfolioRun(f"{mode}.{number}", portfolio).key)
    return FIRST if its is None else its.chapter


async def _end(
    bus: Bus, lane: str, stays: Callable[[Stored], bool | None], until: int | None
) -> tuple[tuple[int, ...], Stored | None]:
    """The end of a lane that does not stay, and the newest message that does. stays : of one
    message; None for one that goes where what is before it goes.
    """
    dropped, undecided = list[int](), list[Stored]()
    stored = await _last(bus, lane, until)
    while stored is not None and not (judged := stays(stored)):
        undecided.append(stored)
        if judged is False:
            dropped += [one.sequence for one in undecided]
            undecided.clear()
        stored = await _before(bus, lane, stored)
    newest: Sequence[Stored] = (*undecided, *(() if stored is None else (stored,)))
    return tuple(sorted(dropped)), newest[0] if newest else None


async def _last(bus: Bus, lane: str, until: int | None) -> Stored | None:
    stored = await bus.last(lane)
    while stored is not None and until is not None and stored.sequence > until:
        stored = await _before(bus, lane, stored)
    return stored


async def _before(bus: Bus, lane: str, stored: Stored) -> Stored | None:
    """What stands before a message in its lane; None where that is purged, or there is nothing."""
    if not stored.previous:
        return None
    page = await bus.read(lane, stored.previous - 1, 1)
    return page[0] if page and page[0].sequence == stored.previous else None
