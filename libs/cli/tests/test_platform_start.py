"""The local platform before any service runs: bus, accounts, streams, and what is refused."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from stratvector.cli.platform.bus import client_logs
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.ports import PortPlan, plan_ports
from stratvector.cli.platform.run_folder import RunFolder, new_run
from stratvector.config import load_session, read_configuration
from stratvector.runtime.free_ports import is_free
from stratvector.runtime.jetstream import server
from stratvector.runtime.jetstream.accounts import USERS
from stratvector.runtime.session_document import BadSession

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place


@pytest.fixture
def run(place: Place) -> RunFolder:
    configuration = read_configuration(place.config / "system.yaml")
    return new_run(configuration, load_session(configuration.path), Path("results"))


def started_and_drained(run: RunFolder) -> PortPlan:
    """A platform without services, started, read and drained; its ports."""
    ports = plan_ports([], base_port=0)

    async def scenario() -> None:
        platform = Platform(run.session_folder, run.wish, [], ports, print)
        try:
            await platform.start()
            with pytest.raises(BadSession, match="the session has not begun to run"):
                await platform.bus.read()
        finally:
            assert await platform.drain() == []

    with client_logs():
        asyncio.run(scenario())
    return ports


def test_a_bus_is_started_provisioned_read_and_drained(run: RunFolder) -> None:
    before = threading.active_count()
    ports = started_and_drained(run)
    assert psutil.Process().children() == []
    assert threading.active_count() == before
    assert psutil.Process().net_connections() == []
    assert is_free(ports.nats)
    assert ports.monitor is None
    assert "http:" not in (run.session_folder / "nats" / "server.conf").read_text()
    assert "Server is ready" in Path("logs/nats-server.log").read_text()


def test_a_bus_comes_back_on_its_store(run: RunFolder) -> None:
    started_and_drained(run)
    started_and_drained(run)


def test_seeds_are_for_their_owner_alone(run: RunFolder) -> None:
    started_and_drained(run)
    seeds = list((run.session_folder / "keys").glob("*.seed"))
    assert len(seeds) == len(USERS)
    assert {seed.stat().st_mode & 0o777 for seed in seeds} == {0o600}


def test_a_taken_port_is_refused_before_anything_starts(place: Place) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        done = place.up_as_processes("--nats-port", port)
    assert done.exit_code == 1
    assert f"port {port} for NATS is taken; --nats-port N moves it" in done.stderr
    assert not Path("results").exists()


def test_a_missing_server_is_named_before_anything_starts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BINARY", "nats-nowhere")
    done = place.up_as_processes()
    assert done.exit_code == 1
    assert "nats-nowhere is not installed: `make setup` installs it" in done.stderr
    assert not Path("results").exists()


def test_wrong_replicas_are_refused_before_anything_starts(place: Place) -> None:
    done = place.up_as_processes("--replicas", "risk=many")
    assert done.exit_code == 1
    assert "risk is 'many'; it must be a whole number from 1 to 16" in done.stderr


def test_an_unknown_key_is_refused_as_ever(place: Place) -> None:
    place.change("system.yaml", "mode: replay", "moed: replay")
    done = place.up_as_processes()
    assert done.exit_code == 1
    assert "key system.moed is unknown; did you mean mode?" in done.stderr
    assert not Path("results").exists()


def test_a_broken_seed_is_one_sentence(place: Place, run: RunFolder) -> None:
    keys = run.session_folder / "keys"
    keys.mkdir()
    (keys / "risk.seed").write_text("rubbish")
    done = place.up_as_processes("--session", str(run.session_folder))
    assert done.exit_code == 1
    assert "risk.seed holds no nkey seed of a user" in done.stderr
    assert "defect" not in done.stderr


@pytest.mark.slow
def test_bars_that_changed_since_are_refused_by_the_service_that_publishes_them(
    place: Place, run: RunFolder
) -> None:
    head, *rows = (place.folder / "prices.csv").read_text().splitlines()
    others = [",".join([*row.split(",")[:-1], "1"]) for row in rows]
    (place.folder / "prices.csv").write_text("\n".join([head, *others]) + "\n")
    done = place.up_as_processes("--session", str(run.session_folder))
    assert done.exit_code == 78
    assert "market_data can't run (exit code 78): " in done.stderr
    assert "prices.csv are not those that the log began with: their hash is " in done.stderr
    assert not (run.folder / "result.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--in-process", "--replicas", "risk=2"],
            "--in-process and --replicas exclude each other",
        ),
        (["--in-process", "--session", "x"], "--in-process and --session exclude each other"),
        (["--session", "x", "--start", "2020-02-03"], "--session and --start exclude each other"),
        (["--session", "x", "--out", "y"], "--session and --out exclude each other"),
        (["--session", "x", "--config", "y"], "--session and --config exclude each other"),
        (["--session", "nowhere"], "nowhere/document.json: no such file"),
    ],
)
def test_options_that_contradict_are_refused(
    place: Place, arguments: list[str], sentence: str
) -> None:
    done = place.up_as_processes(*arguments)
    assert done.exit_code == 1
    assert sentence in done.stderr


def test_a_companion_that_ran_well_is_missed_and_a_service_of_the_flow_ends_the_run(
    run: RunFolder,
) -> None:
    seats = [("drift", "drift"), ("risk", "risk")]
    said: list[str] = []

    async def ended(name: str, ran_well: bool) -> bool:
        """Whether the platform gives up when this child does."""
        ports = plan_ports(seats, base_port=0)
        platform = Platform(run.session_folder, run.wish, seats, ports, said.append)
        child = platform.children[name]
        child._command = ("false",)
        child._restarts.quick_failures = 100
        child.ran_well = ran_well
        platform._keep(child)
        waiting = asyncio.ensure_future(platform.failed())
        done, _ = await asyncio.wait([waiting, platform._keepers[name]], timeout=30)
        await asyncio.sleep(0)
        gave_up = waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await platform.drain()
        assert done
        return gave_up

    assert asyncio.run(ended("drift", True)) is False
    assert [line.endswith("; the session goes on without it.") for line in said] == [True]
    assert asyncio.run(ended("drift", False)) is True
    assert asyncio.run(ended("risk", True)) is True
