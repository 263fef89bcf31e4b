"""holds: of which portfolios nobody may send orders until a person says so, in the key-value bucket
`holds`.

    restore ─▶ hold of everything ─▶ hold of each portfolio ─▶ streams ─▶ the first one ends
    a person ─▶ released, by whom and when ─▶ execution takes the lanes

What was sent after a backup was made is in no backup: whoever went on by themselves would send it
again. A hold stands before the first stream is there that a service could act on, and outlives
every restart; it is never removed, only released, so that the bucket tells who did.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import structlog

from stratvector.runtime.lane import Lane
from stratvector.runtime.lease import MayTake
from stratvector.runtime.ports import KeyValue, Ports
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.runs import REPLAY
from stratvector.trading.timestamps import utc_text

HOLDS = "holds"
EVERYTHING = "everything"  # the key of what holds every portfolio: a restore that is under way
LOOK_SECONDS = 0.5
NS_PER_SECOND = 1_000_000_000


class UnreadableHold(RuntimeError):
    """An entry that is no hold; what can't be read holds."""


@dataclass(frozen=True)
class Hold:
    """Why nobody may send orders. key : `<run>.<portfolio>`, or EVERYTHING. backup : hash of the
    backup's list that was restored, made_at its time and at that of the restore, ns UTC.
    released_by : who said that it may go on, empty while it stands, and when.
    """

    key: str
    backup: str
    made_at: int
    at: int
    released_by: str = ""
    released_at: int = 0

    @property
    def stands(self) -> bool:
        """Whether nobody may send yet."""
        return not self.released_by

    def sentence(self) -> str:
        """Why, and what to do."""
        backup = f"a backup of {utc_text(self.made_at // NS_PER_SECOND * NS_PER_SECOND)}"
        if self.key == EVERYTHING:
            return f"held: a restore from {backup} is not finished; run it again"
        return (
            f"held: restored from {backup}; compare the broker's orders and positions with the "
            f"ledger, then `stratvector portfolios release {self.key}`"
        )


class Holds:
    """The bucket. key_value : of `HOLDS`."""

    def __init__(self, key_value: KeyValue) -> None:
        self._key_value = key_value

    async def of(self, key: str) -> Hold | None:
        """What holds one portfolio, everything or it alone; None where it may go on. Raises
        UnreadableHold.

        After a restore a portfolio that the backup did not know may be one that was first applied
        after it, and hold what nobody here knows of: it is held too, unless it is a replay.
        """
        everything, own = await self._entry(EVERYTHING), await self._entry(key)
        if everything is not None and everything.stands:
            return everything
        if own is None and everything is not None and not key.startswith(f"{REPLAY}."):
            return replace(everything, key=key, released_by="", released_at=0)
        return own if own is not None and own.stands else None

    async def released_at(self, key: str) -> int:
        """When a person let a restored portfolio go on, by the machine's clock, ns UTC; 0 if it
        never was held. Raises UnreadableHold.
        """
        own = await self._entry(key)
        return 0 if own is None else max(own.at, own.released_at)

    async def _entry(self, key: str) -> Hold | None:
        entry = await self._key_value.get(key)
        return None if entry is None else _decoded(key, entry.value)

    async def all(self) -> Mapping[str, Hold]:
        """Every hold there has been, by key. Raises UnreadableHold."""
        entries = await self._key_value.all()
        return {key: _decoded(key, entry.value) for key, entry in sorted(entries.items())}

    async def put(self, hold: Hold) -> None:
        """Hold. Raises WrongRevision where somebody else changes it meanwhile."""
        entry = await self._key_value.get(hold.key)
        value = json.dumps(asdict(hold)).encode()
        if entry is None or entry.value != value:
            await self._key_value.put(hold.key, value, 0 if entry is None else entry.revision)

    async def release(self, key: str, by: str, at: int) -> Hold | None:
        """Let it go on; the hold that stood, None where none did. at : ns UTC. Raises
        UnreadableHold, WrongRevision.
        """
        entry = await self._key_value.get(key)
        hold = await self.of(key) if entry is None else _decoded(key, entry.value)
        if hold is None or hold.key != key or not hold.stands:
            return None
        released = replace(hold, released_by=by, released_at=at)
        revision = 0 if entry is None else entry.revision
        await self._key_value.put(key, json.dumps(asdict(released)).encode(), revision)
        return hold


def _decoded(key: str, value: bytes) -> Hold:
    try:
        hold = Hold(**json.loads(value))
        times = (hold.made_at, hold.at, hold.released_at)
        if hold.key != key or not all(isinstance(one, int) for one in times):
            raise ValueError("it is of another portfolio, or has no times")
    except (ValueError, TypeError) as error:
        raise UnreadableHold(f"the hold of {key} can't be read: {error}") from None
    return hold


class HeldLane:
    """A lane that nobody takes while its portfolio is held. may_take : asked when it is not.

    released_at : see `Holds`, known once the lane may be taken.
    """

    def __init__(self, ports: Ports, portfolio: Portfolio, lane: Lane, may_take: MayTake) -> None:
        self._holds = None if ports.holds is None else Holds(ports.holds)
        self._key, self._lane = PortfolioRun.of(portfolio).key, lane
        self._clock, self._else_may_take = ports.clock, may_take
        self._look_at, self.released_at = 0.0, 0
        self._log = structlog.get_logger("stratvector.holds")

    async def may_take(self) -> bool:
        """Whether the lane may be taken now; it is looked at now and then while it is held."""
        if self._holds is None:
            return await self._else_may_take()
        now = self._clock.monotonic_seconds()
        if self._lane.held_back and now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        self._tell(await self._why(self._holds))
        return not self._lane.held_back and await self._else_may_take()

    async def _why(self, holds: Holds) -> str:
        try:
            hold = await holds.of(self._key)
            self.released_at = await holds.released_at(self._key)
        except UnreadableHold as error:
            return f"held: {error}"
        return "" if hold is None else hold.sentence()

    def _tell(self, why: str) -> None:
        before, self._lane.held_back = self._lane.held_back, why
        if why and why != before:
            self._log.warning("held", lane=self._lane.subject, reason=why)
        elif before and not why:
            self._log.info("released", lane=self._lane.subject)
