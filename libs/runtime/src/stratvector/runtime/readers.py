"""readers: the flow's inboxes with their contents decoded, asked close by close.

Which close comes next is what the bars say (`bars_reader`), or in a run with deadlines what
execution says of them. Risk, execution, ledger and drift walk the same closes, then; each asks for
what belongs to one of them and gets exactly that, or an error that halts it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stratvector.contracts.codecs import (
    decode_decision,
    decode_opened,
)
from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.inbox import POLL_SECONDS, Inbox, Place
from stratvector.runtime.ports import Kind, Ports, Stored
from stratvector.runtime.unfit_messages import (
    MisplacedOpening,
    OutOfStep,
    refuse_other_close,
)
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import FIRST, Opened
from stratvector.trading.lanes import orders_lane
from stratvector.trading.logged import Logged
from stratvector.trading.meaning.chapters import check_chapter_number
from stratvector.trading.meaning.orders import check_decision_of
from stratvector.trading.meaning.own import Own
from stratvector.trading.orders import Decision
from stratvector.trading.portfolio import Portfolio

Noun = TypeVar("Noun")
HasEnded = Callable[[], Awaitable[bool]]  # whether nothing more will come, as far as the log tells


@dataclass(frozen=True)
class Received(Logged[Noun]):
    """A noun with the message that it came in."""

    stored: Stored

    def take_up(self) -> None:
        """Work on this message from here on: what can't be processed is it, and not the one that
        was read last.
        """
        AT_HAND.set(self.stored)


class Reader(Generic[Noun]):
    """An inbox that decodes, and refuses what the lane's owner can't have meant.

    check : raises UnfitNoun for a noun that is none of the reader's portfolio. follows : reads the
    lane's log page by page, and does not listen. after : the sequence to start above. place : see
    `Inbox`.
    """

    def __init__(
        self,
        ports: Ports,
        lane: str,
        decode: Callable[[bytes], Noun],
        check: Callable[[Noun], None],
        follows: bool = False,
        after: int = 0,
        place: Place | None = None,
    ) -> None:
        self.lane = lane
        self._inbox = Inbox(ports, lane, follows, after, place=place)
        self._decode, self._check = decode, check

    async def next(self) -> Received[Noun]:
        """The next message of the lane. Raises BadMessage, MisplacedOpening and what the check
        raises.
        """
        stored = await self._inbox.next()
        if stored.message.kind is Kind.OPENED:
            raise MisplacedOpening(f"{self.lane} holds a chapter's opening where none may be")
        return self._received(stored)

    def _received(self, stored: Stored) -> Received[Noun]:
        noun = self._decode(stored.message.payload)
        self._check(noun)
        return Received(noun, stored.message.id, stored.sequence, stored)

    async def look(self, patience_seconds: float) -> bool:
        """Whether the next message is at hand, or comes in time."""
        return await self._inbox.look(patience_seconds)

    async def look_in_log(self) -> bool:
        """Whether the next message is there, as the log is now."""
        return await self._inbox.look_in_log()

    def at_hand(self) -> bool:
        """Whether the next message is here without asking the bus."""
        return self._inbox.at_hand()

    async def listen(self) -> None:
        """From now on hear each message as it comes, where this reader only followed."""
        await self._inbox.listen()

    async def close(self) -> None:
        """Listen no longer; nothing more is asked of it."""
        await self._inbox.close()


class OrdersReader(Reader[Decision]):
    """The portfolio's `orders` lane in one chapter, up to the opening of the next one."""

    def __init__(
        self,
        ports: Ports,
        portfolio: Portfolio,
        follows: bool = False,
        chapter: int = FIRST,
        carried: Carried | None = None,
    ) -> None:
        lane, own = orders_lane(portfolio), Own.of(portfolio)

        def check(decision: Decision) -> None:
            check_decision_of(decision, own)
            check_chapter_number(decision.chapter, chapter)

        after = carried_sequence(carried, lane)
        super().__init__(ports, lane, decode_decision, check, follows, after)
        self._chapter, self._is_opened = chapter, carried is None

    async def at(self, close_time: int) -> Received[Decision] | Opened:
        """The next decision, which must be of that close; or the opening of the next chapter, where
        another engine goes on before it. Raises OutOfStep.
        """
        await self._pass_openings()
        received = await self._decided_or_opened()
        if isinstance(received, Opened):
            return received
        refuse_other_close(self.lane, close_time, received.noun.close_time)
        return received

    async def after(
        self, close_time: int, has_ended: HasEnded
    ) -> Received[Decision] | Opened | None:
        """The next decision, of any later close (ns UTC), or opening; None when there is none.
        Raises OutOfStep.
        """
        await self._pass_openings()
        while not await self.look(POLL_SECONDS):
            if await has_ended():
                return None
        received = await self._decided_or_opened()
        if isinstance(received, Received) and received.noun.close_time <= close_time:
            raise OutOfStep(self.lane, close_time + 1, received.noun.close_time)
        return received

    async def _pass_openings(self) -> None:
        """Of chapters in which nothing was decided the openings stand one after the other."""
        while not self._is_opened:
            self._is_opened = (await self.opening()).number >= self._chapter

    async def _decided_or_opened(self) -> Received[Decision] | Opened:
        stored = await self._inbox.next()
        if stored.message.kind is Kind.OPENED:
            return opening_in(stored)
        return self._received(stored)

    async def opening(self) -> Opened:
        """That of the chapter that comes after the newest decision, or that this reader began with.

        Raises MisplacedOpening when something else is there.
        """
        stored = await self._inbox.next()
        return opening_in(stored)


def opening_in(stored: Stored) -> Opened:
    """The opening in a message. Raises MisplacedOpening, BadMessage."""
    if stored.message.kind is not Kind.OPENED:
        raise MisplacedOpening(
            f"{stored.message.subject} goes on where its chapter has ended; the next chapter must "
            "open there"
        )
    return decode_opened(stored.message.payload)


def carried_sequence(carried: Carried | None, lane: str) -> int:
    """The message of a lane that was used last before the chapter, 0 = none."""
    return 0 if carried is None else carried.sequences.get(lane, 0)
