"""taking: which instances of a service may take a lane of a portfolio: those with the engine that
its chapter names; others only after none of these has lived for a lease.

So a deployment that replaces one process after another goes on with the old engine for as long as a
process has it, and then with the new one, whichever service comes first. It gives no right: who
owns a lane is the lease's matter and the fence's, and a wrong view costs a wait.
"""

from stratvector.runtime.chapter_changes import refuse_engine
from stratvector.runtime.chapters import Standing, newest_chapter
from stratvector.runtime.members import Members
from stratvector.runtime.ports import Ports
from stratvector.trading.lanes import chapters_lane
from stratvector.trading.portfolio import Portfolio


class Taking:
    """One instance's judgement of one lane. service : whose the lane is."""

    def __init__(self, ports: Ports, service: str, portfolio: Portfolio, lane: str) -> None:
        self._bus, self._engine, self._lane = ports.bus, ports.engine, lane
        self._portfolio = portfolio
        self._newest: Standing | None = None
        self._members = None
        if ports.members is not None and ports.engine:
            self._members = Members(ports, service, ports.members)

    async def may_take(self) -> bool:
        """Whether this instance has the engine of the newest chapter that has opened, or nobody who
        could take the lane has it; to be asked again and again, as a member is gone once it was
        not heard of for a lease. Raises OtherChapter for a replay, which is of one engine.
        """
        if self._members is None or (standing := await self._standing()) is None:
            return True
        if (wanted := standing.chapter.engine_hash) == self._engine:
            return True
        alive = await self._members.alive()
        if any(one.engine == wanted and self._lane in one.takes for one in alive):
            return False
        refuse_engine(standing.chapter, self._engine)
        return True

    async def _standing(self) -> Standing | None:
        """The newest chapter; it is read once, as long as nothing newer is proposed."""
        last = await self._bus.last(chapters_lane(self._portfolio))
        if self._newest is None or last is None or last.sequence != self._newest.sequence:
            of = self._portfolio
            self._newest = await newest_chapter(self._bus, of.run, of.name)
        return self._newest
