"""lease: who may own a lane, kept in the key-value store under `owner.<subject>`.

The entry is "instance epoch". Only compare-and-swap changes it, so an epoch has one holder. Time
decides when a standby may try, never who owns: a lane is fenced by its sequence, and the lease
keeps an owner that slept from acting outside.
"""

from stratvector.runtime.ports import Entry, LostOwnership, Ports, WrongRevision

RENEWALS_PER_LEASE = 3
NOBODY = "-"


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
        self._value = b""
        self._revision = 0
        self._renewed_at = 0.0

    async def wait_until_free(self) -> Entry | None:
        """Stand by until the entry is absent, nobody's, this instance's, or a lease old."""
        revision, since = -1, 0.0
        while True:
            asked_at = self._clock.monotonic_seconds()
            entry = await self._key_value.get(self.key)
            if entry is None or holder(entry)[0] in (self._instance, NOBODY):
                return entry
            if entry.revision != revision:
                # The owner counts from before its write left, we from after we saw it: it gives up
                # first.
                revision, since = entry.revision, self._clock.monotonic_seconds()
            elif asked_at - since >= self.seconds:
                return entry
            await self.rest()

    async def take(self, entry: Entry | None, epoch: int) -> bool:
        """Swap the entry for one of this instance; False when somebody else was faster."""
        begun_at = self._clock.monotonic_seconds()
        self._value = f"{self._instance} {epoch}".encode()
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

    async def give_up(self, epoch: int) -> None:
        """Leave the entry to nobody, unless it is another's already."""
        while True:
            try:
                await self._key_value.put(self.key, f"{NOBODY} {epoch}".encode(), self._revision)
            except WrongRevision:
                # A renewal that was under way when its keeper was stopped moved the revision.
                if not await self.is_mine():
                    return
            else:
                return

    async def rest(self) -> None:
        """Sleep until the next renewal, or the next look of a standby."""
        await self._clock.sleep(self.seconds / RENEWALS_PER_LEASE)

    def is_fresh(self) -> bool:
        """Whether the last renewal left less than a lease ago."""
        return self._clock.monotonic_seconds() - self._renewed_at < self.seconds


def holder(entry: Entry) -> tuple[str, int]:
    """Instance and epoch of an entry."""
    instance, epoch = entry.value.decode().rsplit(" ", 1)
    return instance, int(epoch)
