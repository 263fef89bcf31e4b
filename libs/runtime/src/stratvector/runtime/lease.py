"""lease: who may own a lane, kept in the key-value store under `owner.<subject>`.

The entry is "instance epoch" and, on a second line, its address; "- epoch" and its heir after a
hand-over: for one lease the heir alone may take the lane. Only compare-and-swap changes it, so an
epoch has one holder. Time decides when a standby may try, never who owns: a lane is fenced by its
sequence, and the lease keeps an owner that slept from acting outside.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stratvector.runtime.ports import Entry, LostOwnership, Ports, WrongRevision

RENEWALS_PER_LEASE = 3
LOOKS_PER_LEASE = 30  # of a standby, while the owner's next renewal is due
NOBODY = "-"

Meanwhile = Callable[[float], Awaitable[None]]
MayTake = Callable[[], Awaitable[bool]]


class Lease:
    """One instance's side of the lease of a subject.

    seconds : an entry that did not change for so long, on one's own clock, is free to take.
    """

    def __init__(self, ports: Ports, subject: str, seconds: float) -> None:
        self.key = f"owner.{subject}"
        self.seconds = seconds
        self._key_value = ports.key_value
        self._clock = ports.clock
        self._instance = ports.instance
        self._address = ports.address
        self._value = b""
        self._revision = 0
        self._renewed_at = 0.0

    async def wait_until_free(self, meanwhile: Meanwhile, may_take: MayTake) -> Entry | None:
        """Stand by until the entry is absent, this instance's or left to it, or a lease old; and
        this instance may take it.

        meanwhile : what to do between two looks, for so many seconds. Looks follow the owner's
        renewals closely, as the lease is counted from when one was seen. may_take : asked at each
        renewal that is seen, and when the entry is free.
        """
        revision, since = -1, 0.0
        while True:
            asked_at = self._clock.monotonic_seconds()
            entry = await self._key_value.get(self.key)
            is_free = entry is None or self._may_take_at_once(holder(entry))
            look_seconds = self.seconds / LOOKS_PER_LEASE
            if entry is not None and entry.revision != revision:
                # The owner counts from before its write left, we from after we saw it: it gives up
                # first.
                revision, since = entry.revision, self._clock.monotonic_seconds()
                if not is_free:
                    await may_take()
                    look_seconds = self.seconds / RENEWALS_PER_LEASE - look_seconds
            elif asked_at - since >= self.seconds:
                is_free = True
            if is_free and await may_take():
                return entry
            await meanwhile(look_seconds)

    def _may_take_at_once(self, held: "Holder") -> bool:
        if held.instance == NOBODY:
            return held.told in ("", self._instance)
        return held.instance == self._instance

    async def take(self, entry: Entry | None, epoch: int) -> bool:
        """Swap the entry for one of this instance; False when somebody else was faster."""
        begun_at = self._clock.monotonic_seconds()
        self._value = f"{self._instance} {epoch}\n{self._address()}".rstrip().encode()
        expected = 0 if entry is None else entry.revision
        try:
            self._revision = await self._key_value.put(self.key, self._value, expected)
        except WrongRevision:
            return False
        self._renewed_at = begun_at
        return True

    async def is_mine(self) -> bool:
        """Whether the entry is still the one that this instance wrote; learns its revision."""
        entry = await self._key_value.get(self.key)
        if entry is None or entry.value != self._value:
            return False
        self._revision = entry.revision
        return True

    async def renew(self) -> None:
        """Write the entry again. Raises LostOwnership when it is another's."""
        while True:
            begun_at = self._clock.monotonic_seconds()
            try:
                self._revision = await self._key_value.put(self.key, self._value, self._revision)
            except WrongRevision:
                # A write of our own whose answer got lost moves the revision too.
                if not await self.is_mine():
                    raise LostOwnership(f"{self.key} has another owner") from None
            else:
                self._renewed_at = begun_at
                return

    async def give_up(self, epoch: int, heir: str = "") -> None:
        """Leave the entry to an heir, or to whoever comes, unless it is another's already."""
        value = f"{NOBODY} {epoch}\n{heir}".rstrip().encode()
        while True:
            try:
                await self._key_value.put(self.key, value, self._revision)
            except WrongRevision:
                # A renewal that was under way when its keeper was stopped moved the revision.
                if not await self.is_mine():
                    return
            else:
                return

    async def rest(self) -> None:
        """Sleep until the next renewal."""
        await self._clock.sleep(self.seconds / RENEWALS_PER_LEASE)

    def is_fresh(self) -> bool:
        """Whether the last renewal left less than a lease ago."""
        return self._clock.monotonic_seconds() - self._renewed_at < self.seconds


@dataclass(frozen=True)
class Holder:
    """What an entry says. instance : the owner's, or NOBODY. told : its address; of nobody's entry
    the heir; empty where there is none.
    """

    instance: str
    epoch: int
    told: str = ""


def holder(entry: Entry) -> Holder:
    """Whose an entry is."""
    owner, _, told = entry.value.decode().partition("\n")
    instance, epoch = owner.rsplit(" ", 1)
    return Holder(instance, int(epoch), told)
