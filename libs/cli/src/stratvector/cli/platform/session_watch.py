"""session_watch: how far a session is, until its end or until a service halts."""

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.ledgers import ledgers_of
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.readiness import FINISHED, HALTED, Readiness
from stratvector.runtime.chapters import newest_chapter
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.process.status import UNSTORED
from stratvector.runtime.served import PortfolioRun
from stratvector.trading.ledger_answers import LedgerStatus
from stratvector.trading.portfolio import Portfolio

LOOK_SECONDS = 0.1
LOOK_SECONDS_MAX = 1.0  # the ledger counts its rows for each answer
HALT_LOOK_SECONDS = 1.0
START_LOOK_SECONDS = 0.2
MEBI = 1 << 20


# How many closes are done, of how many, and the newest one's time, ns UTC.
Progress = Callable[[int, int, int], None]


class Finite(Protocol):
    """A session whose end is known, or None of it where it is not."""

    @property
    def portfolio(self) -> Portfolio: ...

    @property
    def closes(self) -> int | None: ...

    @property
    def last_close(self) -> int | None: ...


class TellsReadiness(Protocol):
    """Whoever knows how far each service process is."""

    async def readiness(self) -> Mapping[str, Readiness]: ...


class StoreWatch:
    """Tells once when the bus stores nothing any more, and once when it does again.

    store : the folder of its streams. told : takes a sentence.
    """

    def __init__(self, store: Path, told: Callable[[str], None]) -> None:
        self._store, self._told = store, told
        self._seen = False
        self._said = False

    def look(self, found: Mapping[str, Readiness]) -> None:
        """What the services say now; one look may fall into a server's restart, two don't."""
        unstored = {n: one for n, one in found.items() if one.reason.startswith(UNSTORED)}
        if unstored and self._seen and not self._said:
            name, one = next(iter(unstored.items()))
            free_bytes = shutil.disk_usage(self._store).free
            self._told(
                f"{name}: {one.reason}; the disk of {self._store} has {free_bytes / MEBI:,.1f} MiB "
                "free; the session waits until it can be written again."
            )
        elif not unstored and self._said:
            self._told("NATS stores again; the session goes on.")
        self._said = bool(unstored) and (self._seen or self._said)
        self._seen = bool(unstored)


class SessionHalted(CommandFailed):
    """Services met what they can't process, and wait for a person. halts : reason by process."""

    def __init__(self, halts: Mapping[str, str]) -> None:
        self.halts = dict(halts)
        told = [f"{name} has halted: {reason.rstrip('.')}" for name, reason in halts.items()]
        super().__init__("; ".join(told))


async def until_committed(platform: Platform, session: Finite, progress: Progress) -> LedgerStatus:
    """Wait until the ledger has the last close of a finite session, or of one that was stopped;
    its status then.

    Raises SessionHalted. A bus that stores nothing is told.
    """
    closes, last_close = session.closes, session.last_close
    assert closes is not None, "a session without an end is never committed whole"
    assert last_close is not None
    looked_at = time.monotonic()
    pace, store = Pace(closes, looked_at), StoreWatch(platform.bus.store, platform.told)
    async with ledgers_of(platform.ports, PortfolioRun.of(session.portfolio)) as ledgers:
        while True:
            status = await ledgers.status()
            if status is not None and status.last_close is not None:
                progress(min(status.closes, closes), closes, status.last_close)
                if status.last_close >= last_close:
                    last_close = await _last_close(platform, session, last_close)
                    if status.last_close >= last_close:
                        return status
            if time.monotonic() - looked_at >= HALT_LOOK_SECONDS:
                found = await platform.readiness()
                refuse_halts(found)
                store.look(found)
                if _has_finished(found) and (last := await ledgers.status()) is not None:
                    return last
                looked_at = time.monotonic()
            done = 0 if status is None else status.closes
            await asyncio.sleep(pace.rest_seconds(done, time.monotonic()))


async def _last_close(platform: Platform, session: Finite, known: int) -> int:
    """Of the newest chapter, ns UTC: a universe that was added may have later ones."""
    portfolio = session.portfolio
    async with platform.bus.reading() as bus:
        standing = await newest_chapter(bus, portfolio.run, portfolio.name)
    found = None if standing is None else LoggedSession(standing.chapter).last_close
    return known if found is None else found


def _has_finished(found: Mapping[str, Readiness]) -> bool:
    """Whether a ledger's record has come to its end, which a stopped portfolio has before its last
    close.
    """
    return any(one.state == FINISHED for name, one in found.items() if name.startswith("ledger"))


async def until_halted(platform: Platform) -> None:
    """Watch the services of a session without an end. Raises SessionHalted. A bus that stores
    nothing is told.
    """
    store = StoreWatch(platform.bus.store, platform.told)
    while True:
        found = await platform.readiness()
        refuse_halts(found)
        store.look(found)
        await asyncio.sleep(HALT_LOOK_SECONDS)


class Pace:
    """When to look again: half way to the session's end at its present speed, within limits."""

    def __init__(self, closes: int, now: float) -> None:
        self._closes = closes
        self._done, self._looked_at = 0, now

    def rest_seconds(self, done: int, now: float) -> float:
        """done : closes so far. now : seconds on the clock of the first look."""
        closes, seconds = done - self._done, now - self._looked_at
        self._done, self._looked_at = done, now
        if closes <= 0:
            return LOOK_SECONDS
        left_seconds = (self._closes - done) * seconds / closes
        return min(LOOK_SECONDS_MAX, max(LOOK_SECONDS, left_seconds / 2))


async def until_started(platform: TellsReadiness, tell: Callable[[str], None]) -> None:
    """Tell what a start waits for, until every service is up; then nothing."""
    while True:
        found = await platform.readiness()
        up = [name for name, one in found.items() if one.is_up]
        if len(up) == len(found):
            tell("")
            return
        tell(f"starting {len(found)} services… ready: {', '.join(up) or 'none'}")
        await asyncio.sleep(START_LOOK_SECONDS)


async def until_ready(platform: TellsReadiness, seconds_max: float) -> str:
    """Wait until every service is ready: empty then, else which are not in time, and why."""
    deadline = time.monotonic() + seconds_max
    while True:
        found = await platform.readiness()
        waiting = {name: one for name, one in found.items() if not one.is_ready}
        if not waiting:
            return ""
        if time.monotonic() > deadline:
            told = "; ".join(f"{name}: {one.reason or one.state}" for name, one in waiting.items())
            return f"not ready after {seconds_max:g} s: {told}"
        await asyncio.sleep(START_LOOK_SECONDS)


def refuse_halts(found: Mapping[str, Readiness]) -> None:
    """Look at every service. Raises SessionHalted for all that halted, in the flow's order."""
    if halts := {name: one.reason for name, one in found.items() if one.state == HALTED}:
        raise SessionHalted(halts)
