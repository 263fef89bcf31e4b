"""A paper run through processes that changes under flow: a symbol and a universe come, and go."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.chapter_windows import chapter_windows
from stratvector.runtime.epochs import contents
from stratvector.runtime.logged_session import LoggedSession
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import check
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.exchange.shapes import MINUTE
from tests.sessions.live_claims import misused, stretches
from tests.sessions.paper_claims import assert_no_order_without_a_bar
from tests.sessions.paper_flow import PaperRun, run_paper_processes
from tests.sessions.process_flow import kill

COMMAND = Path(sys.executable).with_name("stratvector")
ORIGIN = 1_699_157_100 * NANOSECONDS_PER_SECOND  # of a day on which prices rise and models trade
GOING_MINUTES = 30
SECOND, WHOLE = "CryptoMomentumModel_v1", "whole"
SYMBOLS = "[BTC-USDT, ETH-USDT]", "[BTC-USDT]"
ASSETS = "{BTC-USDT: BTC, ETH-USDT: ETH}", "{BTC-USDT: BTC}"


def begins_small(config: Path) -> None:
    """Without the second symbol and the second universe, which closes every five minutes here."""
    _edit(config, "universes.yaml", lambda text: text.replace("timeframe: 4H", "timeframe: 5M"))
    shutil.copytree(config, config / WHOLE)
    _shrinks(config)


def _grows(config: Path) -> None:
    shutil.copytree(config / WHOLE, config, dirs_exist_ok=True)


def _shrinks(config: Path) -> None:
    """A universe stays as long as it is named: it goes from every file, its model with it."""
    _edit(config, "universes.yaml", lambda text: text.partition("  hours:")[0].replace(*SYMBOLS))
    _edit(config, "universes.yaml", lambda text: text.replace(*ASSETS))
    _edit(config, "models.yaml", lambda text: text.partition(f"  {SECOND}:")[0])
    _edit(config, "system.yaml", lambda text: re.sub(f".*{SECOND}.*\n", "", text))


def _edit(config: Path, name: str, change: Callable[[str], str]) -> None:
    before = (config / name).read_text()
    assert change(before) != before
    (config / name).write_text(change(before))


def run_changes(
    folder: Path, rate: float, say: Callable[[str], None], minutes: int, kills: bool = False
) -> None:
    """Grow, trade for so many minutes, shrink, and trade on. kills : market_data dies after each
    change.
    """

    async def play(run: PaperRun) -> None:
        await run.until(ORIGIN + 5 * MINUTE)
        for edit, trading in ((_grows, minutes), (_shrinks, 1)):
            edit(run.folder / "config")
            await _applied(run)
            if kills:
                pid = run.platform.children["market_data"].pid
                assert pid is not None
                kill(pid)
            await _more(run, trading)
        await _until_gone(run)
        assert sum("SIGKILL" in line for line in run.told) == 2 * kills
        session, log = await run.log()
        _assert_changes(log)
        assert_no_order_without_a_bar(log)
        assert list(misused(session, log)) == []
        await _assert_whole_lanes(run, session, log)
        closes = await _closes_of_equal_chapters(run, session, log)
        say(f"paper changes: {closes} closes by chapter, parity equal in each")

    run_paper_processes(folder, ORIGIN, rate, play, edit=begins_small)


async def _applied(run: PaperRun) -> None:
    """`stratvector apply`, as a user changes a run that goes on."""
    bus, config = run.platform.bus, run.folder / "config" / "system.yaml"
    access = ["--nats-url", bus.url, "--seed-file", str(bus.seed_file("apply")), "--wait", "120"]
    command = [str(COMMAND), "apply", "-f", str(config), *access]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "it holds as chapter" in done.stdout


async def _more(run: PaperRun, minutes: int) -> int:
    """Wait until so many minutes more are decided; the newest close then."""
    newest = await run.until(ORIGIN)  # none is the newest just after a chapter has opened
    return await run.until(newest + minutes * MINUTE)


async def _until_gone(run: PaperRun) -> None:
    """What is held of the second universe is sold at its next bars, and then it goes."""
    end = await _more(run, 1) + GOING_MINUTES * MINUTE
    while "hours" in {u.name for u in (await run.log())[1].chapters[-1].portfolio.universes}:
        assert await _more(run, 1) < end
    await _more(run, 2)


def _assert_changes(log: SessionLog) -> None:
    """Everything came, was traded, and went."""
    names = [[u.name for u in one.portfolio.universes] for one in log.chapters]
    assert ["minutes", "hours"] in names
    assert names[-1] == ["minutes"]
    lists = [one.portfolio.universe("minutes").symbols for one in log.chapters]
    assert ("BTC-USDT", "ETH-USDT") in lists
    assert lists[-1] == ("BTC-USDT",)
    ordered = {order.symbol for close in log.closes for order in close.decision.noun.orders}
    assert ordered == {"BTC-USDT", "ETH-USDT", "SOL-USDT"}


async def _assert_whole_lanes(run: PaperRun, session: LoggedSession, log: SessionLog) -> None:
    """Every lane of every version has each close once, in order."""
    lanes = {one.lane: one.step for one in stretches(session, log)}
    assert len(lanes) == 4
    async with run.platform.bus.reading() as bus:
        for lane, step in lanes.items():
            stored = await contents(bus, lane)
            closes = [decode_closed_bars(one.message.payload).close_time for one in stored]
            assert closes == [closes[0] + n * step for n in range(len(closes))], lane


async def _closes_of_equal_chapters(
    run: PaperRun, session: LoggedSession, log: SessionLog
) -> list[int]:
    """Of each chapter alone, after the log as a whole."""
    found = check(log, session, chapter=session.chapter)
    assert found.first is None, found.first
    of = session.portfolio.run, session.portfolio.name
    async with run.platform.bus.reading() as bus:
        logs = [(await window.read())[1] async for window in chapter_windows(bus, *of)]
    alone = [check(one, session) for one in logs]
    assert [one.first for one in alone] == [None] * (len(log.chapters) + 1)
    return [one.closes for one in alone]
