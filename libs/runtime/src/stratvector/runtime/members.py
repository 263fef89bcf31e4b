"""members: the instances of a service that are there, as each of them says in the key-value store.

    beat, three times a lease ─▶ <service>.<instance> ─▶ alive: whose entry changed within a lease

Nothing here gives a right: who may write a lane is the lease's matter. What a member says is at
most a third of a lease old, and a wrong view costs a wait, never a result.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stratvector.runtime.lease import RENEWALS_PER_LEASE
from stratvector.runtime.ports import KeyValue, Ports, WrongRevision

LEASES_UNTIL_COUNTED = 3
SILENT_SECONDS_MAX = 600  # after which the bus itself forgets a member


@dataclass(frozen=True)
class Member:
    """What an instance says of itself.

    address : host:port of its gRPC questions, empty where it has none. beats : how often it has
    said so since it is ready, 0 while it is not. owned : the lanes that it works on. kept : those
    that it owns and that are finished or halted. standing_by : those that it would take. engine :
    hash of the one that it computes with, empty where it computes with none. wanted : of the lanes
    that it works on, those whose chapter names another engine, each with that.
    """

    instance: str
    address: str
    beats: int
    owned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    standing_by: tuple[str, ...] = ()
    engine: str = ""
    wanted: tuple[tuple[str, str], ...] = ()

    @property
    def takes(self) -> tuple[str, ...]:
        """The lanes that it works on or would take."""
        return (*self.owned, *self.standing_by)

    @property
    def is_counted(self) -> bool:
        """Whether it has been ready for so long that lanes may move to it."""
        return self.beats > LEASES_UNTIL_COUNTED * RENEWALS_PER_LEASE


def encode_member(member: Member) -> bytes:
    """As the store holds it."""
    return json.dumps(asdict(member)).encode()


def decode_member(value: bytes) -> Member:
    """What an instance said."""
    told: dict[str, Any] = json.loads(value)
    owned, kept, standing_by = (tuple(told[key]) for key in ("owned", "kept", "standing_by"))
    # An instance of an earlier version says nothing of engines.
    wanted = tuple((lane, engine) for lane, engine in told.get("wanted", ()))
    lanes = (owned, kept, standing_by, told.get("engine", ""), wanted)
    return Member(told["instance"], told["address"], told["beats"], *lanes)


class Members:
    """One instance's word to the others of its service, and theirs to it."""

    def __init__(self, ports: Ports, service: str, key_value: KeyValue) -> None:
        self._key_value, self._clock = key_value, ports.clock
        self._instance, self._address = ports.instance, ports.address
        self._engine, self._lease_seconds = ports.engine, ports.lease_seconds
        self._prefix = f"{service}."
        self._revision = self._beats = 0
        self._seen: dict[str, tuple[int, float]] = {}

    async def beat(
        self,
        ready: bool,
        owned: Sequence[str],
        kept: Sequence[str] = (),
        standing_by: Sequence[str] = (),
        wanted: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Say that this instance is there, and which lanes it has."""
        self._beats = self._beats + 1 if ready else 0
        lanes = (tuple(owned), tuple(kept), tuple(standing_by))
        of = (self._instance, self._address(), self._beats)
        await self._put(Member(*of, *lanes, self._engine, tuple(wanted)))

    async def leave(self) -> None:
        """Say that nothing more may be given to this instance."""
        self._beats = 0
        await self._put(Member(self._instance, self._address(), 0, engine=self._engine))

    async def alive(self) -> list[Member]:
        """Whose word changed within a lease, on this instance's own clock, by their names."""
        asked_at = self._clock.monotonic_seconds()
        found, seen = list[Member](), dict[str, tuple[int, float]]()
        for key, entry in sorted((await self._key_value.all()).items()):
            if not key.startswith(self._prefix):
                continue
            before = self._seen.get(key)
            is_new = before is None or before[0] != entry.revision
            seen[key] = (entry.revision, asked_at) if is_new or before is None else before
            if asked_at - seen[key][1] < self._lease_seconds:
                found.append(decode_member(entry.value))
        self._seen = seen
        return found

    async def _put(self, member: Member) -> None:
        key = self._prefix + self._instance
        while True:
            try:
                self._revision = await self._key_value.put(
                    key, encode_member(member), self._revision
                )
                return
            except WrongRevision:
                # The answer to the last one was lost, or the bus has forgotten it.
                entry = await self._key_value.get(key)
                self._revision = 0 if entry is None else entry.revision
