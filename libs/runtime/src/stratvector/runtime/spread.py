"""spread: which instance of a service works on which lane.

    members as they say they are ─▶ moves: the fewest that leave all within one lane of each other
                                      └─▶ an owner makes its own: one per lease, to a named heir

The plan is a function of what the members say, so all that see the same plan the same. It gives no
right: a lane moves by its lease, and whoever sees too little or too late waits for that.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from stratvector.runtime.lane import Lane
from stratvector.runtime.lease import RENEWALS_PER_LEASE
from stratvector.runtime.members import Member, Members
from stratvector.runtime.ports import KeyValue, Ports

SETTLED_LEASES = 3  # after which a lane may move on although its owner has published nothing


@dataclass(frozen=True)
class Move:
    """A lane and the instances that it goes from and to."""

    lane: str
    owner: str
    heir: str


def preference(lane: str, instance: str) -> int:
    """How much a lane prefers an instance (rendezvous hashing): the highest is the first choice,
    and it does not change when others come or go.
    """
    return int.from_bytes(sha256(f"{lane} {instance}".encode()).digest()[:8], "big")


def moves(members: Sequence[Member]) -> list[Move]:
    """Lanes whose chapter names another engine to those that have it; then the fewest moves after
    which no counted member could take a lane from one with the same engine that has two more.

    Of the lanes that may go, the one that prefers its heir most goes first.
    """
    held = {one.instance: set(one.owned) for one in members}
    able = {one.instance: set(one.takes) for one in members if one.is_counted}
    engines = {one.instance: one.engine for one in members}
    found = list[Move]()

    def note(move: Move) -> None:
        found.append(move)
        held[move.owner].remove(move.lane)
        held[move.heir].add(move.lane)

    for member in members:
        for lane, engine in member.wanted:
            takers = [one for one in able if engines[one] == engine and lane in able[one]]
            if lane in held[member.instance] and takers:
                note(Move(lane, member.instance, _choice(lane, takers, held)))
    while (move := _next_move(held, able, engines)) is not None:
        note(move)
    return found


def _choice(lane: str, takers: Sequence[str], held: Mapping[str, Collection[str]]) -> str:
    """Of those who could take a lane who has least, then whom it prefers."""
    return min(takers, key=lambda one: (len(held[one]), -preference(lane, one)))


def _next_move(
    held: Mapping[str, set[str]], able: Mapping[str, set[str]], engines: Mapping[str, str]
) -> Move | None:
    """From who has most to who has least, of those between whom something can move."""
    for owner in sorted(held, key=lambda one: (-len(held[one]), one)):
        for heir in sorted(able, key=lambda one: (len(held[one]), one)):
            if len(held[owner]) - len(held[heir]) < 2:
                break
            if engines[owner] == engines[heir] and (lanes := held[owner] & able[heir]):
                lane = max(lanes, key=lambda one: (preference(one, heir), one))
                return Move(lane, owner, heir)
    return None


def heirs(leaving: str, members: Sequence[Member]) -> dict[str, str]:
    """Who is to take each lane of an instance that ends, of those with its chapter's engine first;
    none where no counted member could.
    """
    own = next((one for one in members if one.instance == leaving), None)
    if own is None:
        return {}
    others = {one.instance: one for one in members if one.is_counted and one is not own}
    held = {instance: set(one.owned) for instance, one in others.items()}
    wanted, found = dict(own.wanted), dict[str, str]()
    for lane in sorted(own.owned):
        able = [instance for instance, one in others.items() if lane in one.standing_by]
        engine = wanted.get(lane, own.engine)
        if takers := [one for one in able if others[one].engine == engine] or able:
            found[lane] = heir = _choice(lane, takers, held)
            held[heir].add(lane)
    return found


def own_move(instance: str, members: Sequence[Member]) -> Move | None:
    """The move that an instance may make now: no member gives or takes two at a time, and nothing
    moves while a lane is on its way, for then it can't be said who has how many.
    """
    owned = {lane for one in members for lane in (*one.owned, *one.kept)}
    if any(lane not in owned for one in members for lane in one.standing_by):
        return None
    busy = set[str]()
    for move in moves(members):
        if not busy & {move.owner, move.heir} and move.owner == instance:
            return move
        busy |= {move.owner, move.heir}
    return None


class Hands(Protocol):
    """What moves lanes in a process, or in the simulated world."""

    def lanes(self) -> Sequence[tuple[Lane, bool]]:
        """Every lane that can move, and whether its work goes on: it is not finished or halted."""

    async def move(self, lane: Lane, heir: str) -> None:
        """End the work on a lane, give it to its heir, and stand by for it from then on. Nothing
        happens when the lane has begun anew meanwhile.
        """


class Spread:
    """One instance's part: it says that it is there, looks who else is, and gives lanes away.

    ready : whether the instance does its work, as owner or as standby; asked at each beat.
    """

    def __init__(
        self,
        service: str,
        ports: Ports,
        key_value: KeyValue,
        hands: Hands,
        ready: Callable[[], bool],
    ) -> None:
        self._members = Members(ports, service, key_value)
        self._clock, self._instance, self._engine = ports.clock, ports.instance, ports.engine
        self._lease_seconds = ports.lease_seconds
        self._settled_seconds = SETTLED_LEASES * ports.lease_seconds
        self._hands, self._ready = hands, ready
        self._seen: Sequence[Member] = ()
        self._moved_at = float("-inf")
        self._taken_at: dict[Lane, float] = {}

    async def run(self) -> None:
        """Beat and look three times a lease, for ever."""
        while True:
            await self._beat()
            self._seen = await self._members.alive()
            await self._move()
            await self._clock.sleep(self._lease_seconds / RENEWALS_PER_LEASE)

    async def leave(self) -> Mapping[str, str]:
        """Say that this instance ends; the heir of each of its lanes that has one."""
        await self._members.leave()
        return heirs(self._instance, self._seen)

    async def _beat(self) -> None:
        lanes, now = self._hands.lanes(), self._clock.monotonic_seconds()
        owned = [lane for lane, goes_on in lanes if goes_on and lane.is_owned]
        # Who has just taken a lane goes on with it before it may move again.
        self._taken_at = {lane: self._taken_at.get(lane, now) for lane in owned}
        await self._members.beat(
            self._ready(),
            [lane.subject for lane in owned],
            [lane.subject for lane, goes_on in lanes if not goes_on],
            [lane.subject for lane, goes_on in lanes if goes_on and not lane.is_owned],
            [(lane.subject, lane.engine) for lane in owned if self._is_of_another(lane)],
        )

    def _is_of_another(self, lane: Lane) -> bool:
        """Whether the chapter of a lane names another engine than this instance has."""
        return bool(self._engine and lane.engine) and lane.engine != self._engine

    async def _move(self) -> None:
        """Give one lane away, if that is due, and if its work may be left where it is."""
        own = next((one for one in self._seen if one.instance == self._instance), None)
        now = self._clock.monotonic_seconds()
        if own is None or not own.is_counted or now - self._moved_at < self._lease_seconds:
            return
        move = own_move(self._instance, self._seen)
        lanes = {lane.subject: lane for lane, goes_on in self._hands.lanes() if goes_on}
        lane = None if move is None else lanes.get(move.lane)
        if move is None or lane is None or lane.is_held:
            return
        if not lane.has_published and now - self._taken_at.get(lane, now) < self._settled_seconds:
            return
        self._moved_at = now
        await self._hands.move(lane, move.heir)
