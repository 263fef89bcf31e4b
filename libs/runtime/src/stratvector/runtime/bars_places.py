"""bars_places: where in a lane of bars a chapter begins.

    lane that closes were used of     the message that was used last, which the chapter carries
    lane of a new version             before its first close after the chapter's beginning
    lane that no close was used of    its first message

A search asks for some tens of messages, however long the lane is.
"""

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.epochs import newest_content
from stratvector.runtime.ports import Bus, Kind, Stored
from stratvector.trading.bars import ClosedBars


async def place_after(bus: Bus, lane: str, close_time: int) -> int | None:
    """The sequence above which a lane's bars are later than a close (ns UTC): that of its newest
    message up to there, 0 where it has none. None as long as later ones of up to there may come.
    """
    last = await newest_content(bus, lane)
    if last is None:
        return None
    newest = _bars(last)
    if newest.close_time <= close_time:
        is_last = not newest.next_close or newest.next_close > close_time
        return last.sequence if is_last else None
    low, high = -1, last.sequence - 1  # above `high` all bars are later; up to `low` they are not
    while high - low > 1:
        middle = (low + high) // 2
        found = await _first_above(bus, lane, middle)
        if _bars(found).close_time > close_time:
            high = middle
        else:
            low = found.sequence - 1
    return high


def _bars(stored: Stored) -> ClosedBars:
    return decode_closed_bars(stored.message.payload)


async def _first_above(bus: Bus, lane: str, after: int) -> Stored:
    """The first message of content above a sequence, below which there is one."""
    while True:
        (stored,) = await bus.read(lane, after, 1)
        if stored.message.kind is Kind.CONTENT:
            return stored
        after = stored.sequence
