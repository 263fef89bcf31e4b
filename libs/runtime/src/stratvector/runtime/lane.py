"""lane: the single writer of one subject, fenced.

    acquire ─▶ history ─▶ publish, publish, …         and beside them: keep
       ▲                      │
       └─── a new lane ◀──────┴── LostOwnership, hand_over

Three things fence an owner together, as none alone does: the epoch from compare-and-swap, the mark
that the new owner stores in the lane, and the expected last sequence, which only acquisition and
own publishes refresh. So whatever a replaced owner still has under way is refused, and it can't
learn the sequence that would be accepted.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from stratvector.contracts.codecs import Owner, encode_owner
from stratvector.runtime.at_hand import AT_HAND
from stratvector.runtime.epochs import EpochFilter
from stratvector.runtime.lease import Lease, MayTake, Meanwhile, holder
from stratvector.runtime.ports import (
    Entry,
    Kind,
    LostOwnership,
    Message,
    Ports,
    PublishUnknown,
    Stored,
    WrongSequence,
)
from stratvector.trading.flow import stream_of
from stratvector.trading.identity import message_id

REST_SECONDS = 0.1  # between two attempts to store a message, as a refusal may come at once


async def _always() -> bool:
    return True


class Lane:
    """One instance's writing end of a subject, used by one coroutine; `keep` runs beside it.

    subject : the lane. epoch : of this owner, 0 before `acquire`. sequence : the lane's last one as
    this owner knows it. lost : True for ever once ownership is known to be gone. is_folded :
    whether `history` has given all that there is. has_published : whether this owner has stored
    anything but its mark. engine : hash of the engine that the work's chapter names, empty where
    any will do. held_back : why nobody may take it, empty where somebody may. lease_seconds : see
    `Lease`, None for the ports'.
    """

    def __init__(self, ports: Ports, subject: str, lease_seconds: float | None = None) -> None:
        self.subject = subject
        self.epoch = 0
        self.sequence = 0
        self.engine = self.held_back = ""
        self.lost = self.is_folded = self.has_published = False
        self._bus = ports.bus
        self._clock = ports.clock
        self._instance, self._engine = ports.instance, ports.engine
        self._lease = Lease(ports, subject, lease_seconds or ports.lease_seconds)
        self._mark_sequence = self._mark_previous = 0
        self._holds = 0

    @property
    def is_owned(self) -> bool:
        """Whether this instance owns the lane, and has heard so within the lease."""
        return self.epoch > 0 and not self.lost and self._lease.is_fresh()

    @property
    def is_held(self) -> bool:
        """Whether the work is at a place where the lane should not be handed over."""
        return self._holds > 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the lane here for a while, as what is done or known is not on record yet: a move
        waits. A crash does not, and a heir must cope with it.
        """
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    async def acquire(
        self, meanwhile: Meanwhile | None = None, may_take: MayTake = _always
    ) -> None:
        """Wait as a standby until the lane is free, then own it: swap the lease, store the mark.

        meanwhile : what a standby does between two looks, for so many seconds; it sleeps if None.
        may_take : see `Lease.wait_until_free`.
        """
        while True:
            entry = await self._lease.wait_until_free(meanwhile or self._clock.sleep, may_take)
            last = await self._bus.last(self.subject)
            epoch = _next_epoch(entry, last)
            if await self._lease.take(entry, epoch) and await self._store_mark(epoch, last):
                self.epoch, self._mark_sequence = epoch, self.sequence
                self.is_folded = self._mark_previous == 0
                return

    async def history(self, after: int = 0) -> AsyncIterator[Stored]:
        """The lane's content that counts, in order, above a sequence and up to this owner's mark.

        Raises LostOwnership when the log shows a higher epoch than this owner's.
        """
        found: Stored | None = None
        async for stored in self._before_mark(after):
            if found is not None:
                AT_HAND.set(found)
                yield found
            found = stored
        self.is_folded = True
        if found is not None:
            AT_HAND.set(found)
            yield found

    async def _before_mark(self, after: int) -> AsyncIterator[Stored]:
        epochs = EpochFilter()
        position = after
        while position < self._mark_sequence:
            page = await self._bus.read(self.subject, position)
            self._check_page(page)
            for stored in page:
                if stored.sequence >= self._mark_sequence:
                    return
                position = stored.sequence
                if epochs.admits(stored.message):
                    yield stored

    async def newest(self, count: int) -> list[Stored]:
        """Up to `count` of the lane's newest messages of content, in order, before this owner's
        mark. It walks back from there, so it takes as long in a lane of years as in one of a day.

        Raises LostOwnership when the log shows a higher epoch than this owner's.
        """
        found: list[Stored] = []
        sequence = self._mark_previous
        # One more than wanted: what stands before a message tells whether it counts.
        while sequence and len(found) <= count:
            page = await self._bus.read(self.subject, sequence - 1, 1)
            self._check_page(page)
            stored = page[0]
            if stored.sequence != sequence:
                break  # what was there is purged
            sequence = stored.previous
            # What a lower epoch stored after this does not count, for any reader.
            found = [one for one in found if one.message.epoch >= stored.message.epoch]
            if stored.message.kind is Kind.CONTENT:
                found.append(stored)
        newest = found[:count][::-1]
        if newest:
            AT_HAND.set(newest[-1])
        return newest

    async def publish(
        self, id: str, payload: bytes, event_time: int = 0, kind: Kind = Kind.CONTENT
    ) -> Stored:
        """Store a message exactly once, however often the request or its answer is lost.

        id : deterministic, from `identity.message_id`. event_time : the close that the message is
        about, ns UTC, for its trace. Raises LostOwnership; then this work must end, and the message
        may or may not be in the log: the next owner's `history` tells.
        """
        message = Message(self.subject, id, payload, self.epoch, kind, event_time=event_time)
        stored = None
        while stored is None:
            await self._renew_if_stale()
            stored = await self._attempt(message)
        self.sequence, self.has_published = stored.sequence, True
        # What the caller does next in the world outside must not happen after a long sleep.
        self.check_ownership()
        return stored

    async def hand_over(self, heir: str = "") -> None:
        """Give the lane up, so that nobody need wait for the lease.

        heir : the instance that alone may take it within a lease, empty for whoever is first. After
        it nothing more can be published; an answer that gets lost only costs that wait.
        """
        self.lost = True
        if self.epoch:
            await self._lease.give_up(self.epoch, heir)

    async def keep(self) -> None:
        """Renew the lease for ever, three times in its duration. Raises LostOwnership."""
        while True:
            await self._lease.rest()
            if self.epoch and not self.lost:
                try:
                    await self._lease.renew()
                except LostOwnership as error:
                    self._lose(str(error))

    def check_ownership(self) -> None:
        """Raise LostOwnership unless the lease was renewed lately; ask it before acting outside."""
        if self.lost or not self._lease.is_fresh():
            self._lose("the lease is lost or was not renewed in time")

    async def check_in_log(self) -> None:
        """Raise LostOwnership if the lane itself tells of a later owner."""
        last = await self._bus.last(self.subject)
        if last is not None and last.message.epoch > self.epoch:
            self._lose(f"epoch {last.message.epoch} owns the lane")

    async def _renew_if_stale(self) -> None:
        """Ask before giving up: a lease that nobody took is still this owner's.

        Work that held the event loop for a lease, or a bus that was away for so long, would
        otherwise end every owner, and the same work would end its heir. Raises LostOwnership.
        """
        if not self.lost and not self._lease.is_fresh():
            try:
                await self._lease.renew()
            except LostOwnership as error:
                self._lose(str(error))
        self.check_ownership()

    async def _attempt(self, message: Message) -> Stored | None:
        """One publish; None when certainly nothing was stored, so that it may be tried again."""
        unknown = False
        try:
            answer = await self._bus.publish(message, self.sequence)
            if not answer.duplicate:
                return Stored(message, answer.sequence, self.sequence)
        except WrongSequence:
            pass
        except PublishUnknown:
            unknown = True
        last = await self._bus.last(self.subject)
        # The epoch counts too: a successor's copy of this message is not ours to build on.
        if last is not None and last.message == message:
            return last
        if unknown and _sequence_of(last) == self.sequence:
            await self._clock.sleep(REST_SECONDS)
            return None
        return self._lose(f"the last message is {_describe(last)}, not {message.id}")

    async def _store_mark(self, epoch: int, last: Stored | None) -> bool:
        """Store the mark of a new owner; False when somebody else took the lease meanwhile."""
        mark = self._mark(epoch)
        while True:
            self.sequence = _sequence_of(last)
            self._mark_previous = self.sequence
            try:
                answer = await self._bus.publish(mark, self.sequence)
                if not answer.duplicate:
                    self.sequence = answer.sequence
                    return True
            except (WrongSequence, PublishUnknown):
                pass
            # In this order: read the log, then ask for the lease; a mark stored between them is
            # refused by its sequence.
            last = await self._bus.last(self.subject)
            if last is not None and last.message == mark:
                self.sequence, self._mark_previous = last.sequence, last.previous
                return True
            if last is not None and last.message.epoch >= epoch:
                return False
            if not await self._lease.is_mine():
                return False
            await self._clock.sleep(REST_SECONDS)

    def _mark(self, epoch: int) -> Message:
        stream = stream_of(self.subject)
        identity = message_id(stream, self.subject, "owner", self._instance, epoch)
        payload = encode_owner(Owner(self._instance, epoch, self._engine))
        return Message(self.subject, identity, payload, epoch, Kind.OWNER)

    def _check_page(self, page: Sequence[Stored]) -> None:
        if not page:
            self._lose("the log ends before this owner's mark")
        highest = max(stored.message.epoch for stored in page)
        if highest > self.epoch:
            self._lose(f"epoch {highest} owns the lane")

    def _lose(self, why: str) -> NoReturn:
        self.lost = True
        raise LostOwnership(f"{self.subject}, epoch {self.epoch}: {why}")


def _next_epoch(entry: Entry | None, last: Stored | None) -> int:
    """Above the lease's epoch and, should the lease's store have been lost, above the log's too."""
    leased = 0 if entry is None else holder(entry).epoch
    logged = 0 if last is None else last.message.epoch
    return max(leased, logged) + 1


def _sequence_of(last: Stored | None) -> int:
    return 0 if last is None else last.sequence


def _describe(last: Stored | None) -> str:
    return "none" if last is None else f"{last.message.id} of epoch {last.message.epoch}"
