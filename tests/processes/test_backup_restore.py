"""A platform that is backed up while it trades, killed, and restored on an empty machine: held, its
ledger proven, no order sent again, and its end equal to the backtest.
"""

import asyncio
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from stratvector.runtime.jetstream.accounts import APPLY
from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.trading.fills import FillKind
from tests.sessions.backed_up import (
    Machine,
    backing_up,
    begin,
    command,
    events_in,
    held_keys,
    ran,
    ran_meanwhile,
    restoring,
    services_told,
    until_held,
)
from tests.sessions.backed_up import finished as finished_on
from tests.sessions.backtest_equality import assert_equal_to_backtest
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.postgresql_server import postgresql
from tests.sessions.process_flow import Running

SESSION = generated_session(5, Shape(2, 2, 3, closes=400))
PACED = {"STRATVECTOR_MARKET_DATA_CLOSES_PER_S_MAX": "10"}
HELD_SECONDS = 3.0
KEY = f"{SESSION.portfolio.run}.{SESSION.portfolio.name}"


def backed_up(machine: Machine, to: Path, say: Callable[[str], None]) -> tuple[Path, Counter[str]]:
    """A backup made in the middle of a session, which then goes on and is killed; and what the
    killed platform had claimed by then, by order.
    """
    sent = Counter[str]()

    async def script(running: Running) -> None:
        at = await running.reach(0.2)
        made = await ran_meanwhile(backing_up(machine, running.platform.bus, to))
        assert made.returncode == 0, made.stderr
        say(f"backup from {at:.0%} on: {made.stdout.splitlines()[-1].partition(': ')[2]}")
        await running.reach(min(1.0, await running.fraction() + 0.1))
        events = await events_in(running.bus, machine.session.portfolio)
        sent.update(one.order_id for one in events if one.kind is FillKind.SENDING)

    with services_told(PACED):
        asyncio.run(machine.trade(script))
    (backup,) = to.glob("stratvector-*")
    return backup, sent


def assert_restored_flow(
    machine: Machine, sent_before: Counter[str], say: Callable[[str], None]
) -> None:
    """Held until it is released, then equal to the backtest, and each order sent once."""

    async def script(running: Running) -> None:
        portfolio = machine.session.portfolio
        before = await events_in(running.bus, portfolio)
        why = await until_held(machine)
        assert why.startswith("held: restored from a backup of 20"), why
        await asyncio.sleep(HELD_SECONDS)
        assert await events_in(running.bus, portfolio) == before
        claimed = {one.order_id for one in before if one.kind is FillKind.SENDING}
        say(f"held: {len(claimed)} orders claimed, {len(set(sent_before) - claimed)} sent since")
        assert set(sent_before) > claimed, "the old platform sent nothing after the backup"
        at = running.platform.bus
        listed = await ran_meanwhile(command(at, "portfolios", "list", user=APPLY))
        assert "held" in listed.stdout, listed
        words = ("portfolios", "release", KEY)
        released = await ran_meanwhile(command(at, *words, user=APPLY))
        assert released.returncode == 0, released.stderr

    with services_told({}):
        flow = asyncio.run(finished_on(machine, script))
    assert_equal_to_backtest(machine.session, flow)
    claims = Counter(one.order_id for one in flow.events if one.kind is FillKind.SENDING)
    assert claims
    assert set(claims.values()) == {1}
    executions = [one.execution_id for one in flow.events if one.kind is FillKind.FILLED]
    assert len(set(executions)) == len(executions)


def test_a_backup_during_flow_becomes_a_platform_that_is_held_and_sends_nothing_twice(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    old = begin(tmp_path / "old", SESSION)
    backup, sent = backed_up(old, tmp_path / "backups", say)
    shutil.rmtree(old.folder)
    new = Machine(tmp_path / "new", SESSION)
    with new.bus_alone() as bus:
        words = restoring(new, bus, backup)
        restored = ran(words)
        assert restored.returncode == 0, restored.stderr
        say(restored.stdout.splitlines()[0].partition(": ")[2])
        assert asyncio.run(held_keys(bus)) == [KEY]
        again = ran(words)
        assert again.returncode == 1
        assert "the bus is not empty: stream CHAPTERS holds" in again.stderr
    database = LedgerDatabase(new.database[1])
    assert database.verify().passed
    database.dispose()
    assert_restored_flow(new, sent, say)
    assert (backup / "keys" / "provisioner.seed").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("part", ["ORDERS", "BARS", "ledger", "CHAPTERS", "KV_documents"])
def test_a_restore_that_is_killed_is_run_again_and_ends_as_if_it_had_not_been(
    part: str, tmp_path: Path, made: Path
) -> None:
    new = Machine(tmp_path / "new", SESSION)
    with new.bus_alone() as bus:
        words = restoring(new, bus, made)
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.strip() == part:
                    process.send_signal(signal.SIGKILL)
                    break
        if asyncio.run(held_keys(bus)) == [KEY]:
            assert part == "KV_documents"  # the last one: it may be quicker than a signal
            return
        assert process.returncode == -signal.SIGKILL
        assert "everything" in asyncio.run(held_keys(bus))
        words_of_release = ("portfolios", "release", KEY)
        refused = ran(command(bus, *words_of_release, user=APPLY))
        assert "nothing is released: held: a restore from a backup of" in refused.stderr
        again = ran(words)
        assert again.returncode == 0, again.stderr
        assert asyncio.run(held_keys(bus)) == [KEY]


def test_a_backup_that_is_killed_leaves_nothing_that_restore_takes(
    tmp_path: Path, made: Path
) -> None:
    new, to = Machine(tmp_path / "new", SESSION), tmp_path / "backups"
    with new.bus_alone() as bus:
        assert ran(restoring(new, bus, made)).returncode == 0
        words = backing_up(new, bus, to)
        with subprocess.Popen(words) as process:
            while not list(to.glob(".stratvector-*/streams/ORDERS*")):
                assert process.poll() is None
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        (draft,) = to.glob(".stratvector-*.part")
        assert list(to.glob("stratvector-*")) == []
        refused = ran(restoring(new, bus, draft))
        assert "is no whole backup: there is no backup.json in it" in refused.stderr
        whole = ran(words)
        assert whole.returncode == 0, whole.stderr
        assert not draft.exists()
        assert len(list(to.glob("stratvector-*"))) == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup that was made during flow."""
    place = tmp_path_factory.mktemp("made")
    backup, _ = backed_up(begin(place / "old", SESSION), place / "backups", print)
    return backup


@pytest.mark.long
def test_the_same_with_the_ledger_on_a_server(tmp_path: Path, say: Callable[[str], None]) -> None:
    server = postgresql()
    old = begin(tmp_path / "old", SESSION, server.new_database(), server.password_file)
    backup, sent = backed_up(old, tmp_path / "backups", say)
    new = Machine(tmp_path / "new", SESSION, server.new_database(), server.password_file)
    with new.bus_alone() as bus:
        restored = ran(restoring(new, bus, backup))
        assert restored.returncode == 0, restored.stderr
        say(restored.stdout.splitlines()[0].partition(": ")[2])
    database = LedgerDatabase(new.ledger, password_file=server.password_file)
    assert database.verify().passed
    database.dispose()
    assert_restored_flow(new, sent, say)
