"""`stratvector up`: real processes on a real bus, killed, interrupted, and the backtest's bytes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import psutil
import pytest
import yaml

from stratvector.cli.platform.bus import client_logs
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.ports import plan_ports
from stratvector.cli.platform.run_folder import RunFolder, new_run
from stratvector.config import load_session, read_configuration
from stratvector.runtime.chapters import chapter_message
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.ports import Message
from stratvector.trading.flow import HOUSE, SERVICES
from stratvector.trading.lanes import orders_lane
from tests.processes.told import wait_for

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

NAMES = ["equity.parquet", "fills.parquet", "orders.parquet", "result.json"]
COMMAND = str(Path(sys.executable).with_name("stratvector"))
PATIENCE_SECONDS = 120.0
ONE_ACCOUNT = ", account: simulated, backtest_initial_nav: 50000.00}"
TWO_ACCOUNTS = """}
accounts:
  broker: {initial_cash: 10000.00, universes: [stocks]}
  exchange: {initial_cash: 40000.00, universes: [coins]}"""
QUICK_TAKEOVER = {f"STRATVECTOR_{service.upper()}_LEASE_SECONDS": "1" for service in SERVICES}


@pytest.mark.slow
def test_up_leaves_the_backtests_bytes_answers_until_ctrl_c_and_leaves_no_process(
    place: Place,
) -> None:
    options = ("--replicas", "risk=2", "--json", "up.json", "--verbose")
    with up(*options, services=1 + len(HOUSE)) as (process, children):
        said = wait_for(process, "until Ctrl-C (--once leaves by itself)")
        told = settings_of(place)
        assert sorted(told) == sorted([*HOUSE, "risk-2"])
        states = {name: state_of(one) for name, one in told.items()}
        assert {states.pop("risk"), states.pop("risk-2")} == {"finished", "standby"}
        flow = {name: state for name, state in states.items() if name in SERVICES}
        assert set(flow.values()) == {"finished"}
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
        assert psutil.wait_procs(children, timeout=0)[1] == []
    for one in told.values():
        assert_closed(one["http_port"])
        assert_closed(one["grpc_port"])
    assert_closed(told["gateway"]["console_port"])
    assert place.backtest().exit_code == 0
    assert_same_bytes(place)
    document = json.loads(Path("up.json").read_text())
    assert document["results"] in printed
    assert "Ledger verified: " in said
    assert said.count(" orders to ") == document["orders"] > 0
    logs = {path.stem for path in Path("logs").iterdir()}
    assert {*HOUSE, "risk-2", "nats-server", "orders", "trades", "performance"} <= logs
    assert kept_of_the_ledger() == ["ledger.db", "ledger.db.seal"]


def settings_of(place: Place) -> dict[str, dict[str, Any]]:
    """What each process of a run was told, by its name."""
    settings = Path(session_folder(place)) / "settings"
    return {path.stem: yaml.safe_load(path.read_text()) for path in settings.iterdir()}


def state_of(told: dict[str, Any]) -> str:
    """What a process says of itself, which is ready."""
    address = f"http://127.0.0.1:{told['http_port']}/readyz"
    with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as answer:
        document = json.load(answer)
    assert document["ready"]
    state: str = document["state"]
    return state


@pytest.mark.slow
def test_a_session_of_two_accounts_survives_its_supervisor_the_bus_and_services(
    place: Place,
) -> None:
    """Each universe at an account of its own, of which one has little cash. The long form, below,
    interrupts a session of one account besides, and kills every child.
    """
    place.change("system.yaml", ONE_ACCOUNT, TWO_ACCOUNTS)
    place.change("system.yaml", "risk: {", "risk: {cash: strict, ")
    with up("--once") as (first, children):
        until_committed(place, 10)
        first.kill()
        first.wait(PATIENCE_SECONDS)
        assert psutil.wait_procs(children, timeout=PATIENCE_SECONDS)[1] == []
    with up("--once", "--session", session_folder(place)) as (second, _):
        for number, name in enumerate(("nats-server", "services.risk", "services.execution")):
            until_committed(place, 40 + 40 * number)
            kill_child(second, name)
        _, said = second.communicate(timeout=PATIENCE_SECONDS)
        assert second.returncode == 0, said
        for name in ("nats-server", "risk", "execution"):
            assert f"{name} was ended by SIGKILL; it starts again in" in said
    assert kept_of_the_ledger() == ["ledger.db", "ledger.db.seal"]
    parity = place.run("parity", str(place.results()[0]))
    assert parity.exit_code == 0, parity.stderr
    assert "equal: " in parity.stdout
    assert place.backtest().exit_code == 0
    assert_same_bytes(place)
    result = json.loads((place.results()[0] / "result.json").read_text())
    assert result["rejections"]["no_cash"] > 0, "both accounts have cash for all that is wanted"
    fills = pl.read_parquet(place.results()[0] / "fills.parquet")
    assert {"AAA", "BBB", "CCC-USD"} == set(fills["symbol"])


@pytest.mark.long
def test_a_session_survives_its_supervisor_and_every_child(place: Place) -> None:
    with up("--once") as (first, children):
        until_committed(place, 10)
        first.kill()
        first.wait(PATIENCE_SECONDS)
        assert psutil.wait_procs(children, timeout=PATIENCE_SECONDS)[1] == []
    folder = session_folder(place)
    with up("--once", "--session", folder) as (second, children):
        until_committed(place, 40)
        second.send_signal(signal.SIGINT)
        _, said = second.communicate(timeout=PATIENCE_SECONDS)
        assert second.returncode == 130
        assert "Stopping every service" in said
        assert f"interrupted before the end; `stratvector up --session {folder}` continues" in said
        assert "Traceback" not in said
        assert psutil.wait_procs(children, timeout=0)[1] == []
    with up("--once", "--session", folder) as (third, children):
        for number, child in enumerate(children):
            until_committed(place, 60 + 10 * number)
            child.kill()
        _, said = third.communicate(timeout=PATIENCE_SECONDS)
        assert third.returncode == 0, said
        assert said.count("was ended by SIGKILL; it starts again in") == len(children) == 10
    assert kept_of_the_ledger() == ["ledger.db", "ledger.db.seal"]
    assert place.backtest().exit_code == 0
    assert_same_bytes(place)


@pytest.mark.slow
def test_a_second_ctrl_c_does_not_wait(place: Place) -> None:
    with up() as (process, children):
        until_committed(place, 10)
        children[-1].suspend()
        process.send_signal(signal.SIGINT)
        wait_for(process, "Stopping every service")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130
        assert psutil.wait_procs(children, timeout=PATIENCE_SECONDS)[1] == []


@pytest.mark.slow
def test_a_message_that_no_service_can_process_ends_the_run_with_its_sentence(
    place: Place,
) -> None:
    configuration = read_configuration(place.config / "system.yaml")
    run = new_run(configuration, load_session(configuration.path), Path("results"))
    lane = orders_lane(run.session.portfolio)
    poison(run, lane)
    done = place.up_as_processes("--session", str(run.session_folder))
    assert done.exit_code == 1
    assert f"has halted: message 1 of {lane} can't be processed" in done.stderr
    assert psutil.Process().children(recursive=True) == []
    assert not (run.folder / "result.json").exists()


def assert_same_bytes(place: Place) -> None:
    """The first run, by processes, and the second, a backtest."""
    replayed, backtested = place.results()
    assert sorted(path.name for path in replayed.iterdir()) == sorted([*NAMES, "session"])
    for name in NAMES:
        assert (backtested / name).read_bytes() == (replayed / name).read_bytes()


def assert_closed(port: int) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def up(
    *arguments: str, services: int = len(HOUSE)
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """The command as a process, and its children once all are there, so many services and the bus;
    bars run few closes ahead.
    """
    process = subprocess.Popen(
        [COMMAND, "up", "--base-port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | QUICK_TAKEOVER | {"STRATVECTOR_MARKET_DATA_BARS_AHEAD_MAX": "2"},
    )
    try:
        children: list[psutil.Process] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(children) < 1 + services:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
            children = psutil.Process(process.pid).children()
        yield process, children
    finally:
        process.kill()
        process.communicate()


def kill_child(process: subprocess.Popen[str], name: str) -> None:
    """kill -9 the child that has this in its command, as soon as there is one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < deadline
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if any(name in word for word in child.cmdline()[:4]):
                    child.kill()
                    return
        time.sleep(0.01)


def until_committed(place: Place, closes: int) -> None:
    """Wait until the ledger's database holds so many closes."""
    database = Path(session_folder(place)) / "ledger.db"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while committed(database) < closes:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def committed(database: Path) -> int:
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM payloads").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def session_folder(place: Place) -> str:
    (folder,) = place.results()
    return str(folder / "session")


def kept_of_the_ledger() -> list[str]:
    """Files of the ledger's databases in the folders of sessions."""
    folders = [run / "session" for run in Path("results").iterdir() if (run / "session").is_dir()]
    return sorted(path.name for folder in folders for path in folder.glob("ledger.db*"))


def poison(run: RunFolder, lane: str) -> None:
    """Begin the session's log, with a message on a lane that is none of its noun."""

    async def scenario() -> None:
        ports = plan_ports([], base_port=0)
        platform = Platform(run.session_folder, run.wish, [], ports, print)
        try:
            await platform.start()
            seed = platform.bus.seed_file("provisioner")
            client = await connect(platform.bus.url, seed, "poisoner", PATIENCE_SECONDS)
            try:
                bus = JetStreamBus(client)
                await bus.publish(chapter_message(run.session.chapter, 1), 0)
                await bus.publish(Message(lane, "poison", b"\xff", 1), 0)
            finally:
                await client.close()
        finally:
            await platform.drain()

    with client_logs():
        asyncio.run(scenario())
