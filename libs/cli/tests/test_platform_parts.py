"""What the local platform is made of: run folders, settings files, readiness, interrupts."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING

import pytest
import yaml

from stratvector.cli.failures import CommandFailed
from stratvector.cli.platform.interrupts import first_and_second
from stratvector.cli.platform.ports import PortPlan, SeatPorts, plan_ports
from stratvector.cli.platform.readiness import Readiness, readiness
from stratvector.cli.platform.run_folder import RunFolder, earlier_run, new_run
from stratvector.cli.platform.session_run import remark
from stratvector.cli.platform.session_watch import Pace, StoreWatch, until_ready, until_started
from stratvector.cli.platform.settings_files import (
    given_keys,
    refuse_given_variables,
    write_settings,
)
from stratvector.config import load_session, read_configuration
from stratvector.trading.flow import HOUSE

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place


@pytest.fixture
def run(place: Place) -> RunFolder:
    """A run that has just been reserved."""
    configuration = read_configuration(place.config / "system.yaml")
    return new_run(configuration, load_session(configuration.path), Path("results"))


def test_a_run_has_its_name_and_its_session_from_the_start(place: Place, run: RunFolder) -> None:
    (folder,) = place.results()
    assert folder.name == run.folder.name
    assert folder.name.startswith("small-")
    assert folder.name.endswith("-1")
    assert [path.name for path in folder.iterdir()] == ["session"]
    assert earlier_run(run.session_folder).session.portfolio == run.session.portfolio


def test_a_run_that_was_reserved_takes_the_next_name_from_a_backtest(
    place: Place, run: RunFolder
) -> None:
    assert place.backtest().exit_code == 0
    reserved, backtested = place.results()
    assert reserved.name.removesuffix("-1") == backtested.name.removesuffix("-2")


def test_a_start_tells_which_services_are_ready_until_all_are() -> None:
    states = [
        {"market_data": "silent", "risk": "silent"},
        {"market_data": "owner", "risk": "starting"},
        {"market_data": "owner", "risk": "halted"},
    ]

    class Starting:
        async def readiness(self) -> dict[str, Readiness]:
            return {name: Readiness(state) for name, state in states.pop(0).items()}

    told: list[str] = []
    asyncio.run(until_started(Starting(), told.append))
    assert told == [
        "starting 2 services… ready: none",
        "starting 2 services… ready: market_data",
        "",
    ]


def test_services_that_are_not_ready_in_time_are_named_with_their_reasons() -> None:
    class Platform:
        reason = "the folder is held by another"

        async def readiness(self) -> dict[str, Readiness]:
            return {"risk": Readiness("owner"), "research": Readiness("owner", self.reason)}

    platform = Platform()
    late = asyncio.run(until_ready(platform, 0.0))
    assert late == "not ready after 0 s: research: the folder is held by another"
    platform.reason = ""
    assert asyncio.run(until_ready(platform, 0.0)) == ""


def test_facts_survive_the_disk(place: Place, run: RunFolder) -> None:
    assert place.backtest().exit_code == 0
    document = json.loads((place.results()[1] / "result.json").read_text())
    facts = run.facts()
    assert facts == {key: document[key] for key in facts}


def test_a_session_has_one_supervisor(run: RunFolder) -> None:
    with run.held(), pytest.raises(CommandFailed) as refused, run.held():
        pass
    assert str(refused.value) == (f"{run.session_folder} is run by process {os.getpid()} already")
    with run.held():
        pass


def test_a_folder_without_a_session_is_named(place: Place, run: RunFolder) -> None:
    with pytest.raises(CommandFailed, match=r"^nowhere/document.json: no such file"):
        earlier_run(Path("nowhere"))
    (run.session_folder / "provenance.json").unlink()
    with pytest.raises(CommandFailed, match=r"provenance.json: it can't be read"):
        earlier_run(run.session_folder)


PLAN = PortPlan(
    4222,
    {
        "risk-2": SeatPorts(50_056, 9_106),
        "monte_carlo": SeatPorts(50_057, 9_107),
        "research": SeatPorts(50_058, 9_108),
        "gateway": SeatPorts(50_059, 9_109, 8_000),
    },
)


def told(tmp_path: Path, name: str, service: str, seed: Path | None) -> dict[str, object]:
    file = write_settings(tmp_path, name, service, PLAN, "nats://127.0.0.1:4222", seed, False)
    assert file == tmp_path / "settings" / f"{name}.yaml"
    settings: dict[str, object] = yaml.safe_load(file.read_text())
    assert {*given_keys(service), "verbose_logging"} >= settings.keys()
    return settings


def test_a_process_is_told_its_place_in_a_file(tmp_path: Path) -> None:
    seed = tmp_path / "keys" / "risk.seed"
    assert told(tmp_path, "risk-2", "risk", seed) == {
        "nats_url": "nats://127.0.0.1:4222",
        "nats_seed_file": str(seed),
        "host": "127.0.0.1",
        "grpc_port": 50_056,
        "http_port": 9_106,
        "monte_carlo_grpc": "127.0.0.1:50057",
        "verbose_logging": False,
    }


def test_a_service_beside_the_flow_is_told_only_what_it_knows(tmp_path: Path) -> None:
    assert told(tmp_path, "research", "research", None) == {
        "host": "127.0.0.1",
        "grpc_port": 50_058,
        "http_port": 9_108,
        "verbose_logging": False,
    }
    assert "store" not in told(tmp_path, "monte_carlo", "monte_carlo", tmp_path / "seed")


def test_only_market_data_is_told_a_folder_and_only_the_ledger_a_database(tmp_path: Path) -> None:
    plan = plan_ports([(one, one) for one in HOUSE], base_port=0)
    settings = {
        one: yaml.safe_load(
            write_settings(
                tmp_path, one, one, plan, "nats://localhost:4222", None, False
            ).read_text()
        )
        for one in HOUSE
    }
    places = {
        one: {key for key, value in told.items() if str(tmp_path) in str(value)}
        for one, told in settings.items()
    }
    assert {one: keys for one, keys in places.items() if keys} == {
        "market_data": {"store"},
        "ledger": {"database_url"},
    }


def _settings(folder: Path, service: str, plan: PortPlan) -> Path:
    return write_settings(folder, service, service, plan, "nats://localhost:4222", None, False)


def test_the_gateway_is_told_where_the_others_are(tmp_path: Path) -> None:
    settings = told(tmp_path, "gateway", "gateway", tmp_path / "seed")
    assert settings["console_port"] == 8_000
    assert settings["research_grpc"] == "127.0.0.1:50058"
    assert settings["probes"] == {
        "risk-2": "http://127.0.0.1:9106",
        "monte_carlo": "http://127.0.0.1:9107",
        "research": "http://127.0.0.1:9108",
        "gateway": "http://127.0.0.1:9109",
    }
    assert "ledger_grpc" not in settings


def test_a_variable_that_would_move_a_port_is_refused() -> None:
    refuse_given_variables(["risk"], {"STRATVECTOR_RISK_LEASE_SECONDS": "1"})
    with pytest.raises(CommandFailed) as refused:
        refuse_given_variables(["risk"], {"STRATVECTOR_RISK_GRPC_PORT": "1"})
    assert str(refused.value) == (
        "STRATVECTOR_RISK_GRPC_PORT is '1', but up gives each process its own grpc_port; "
        "unset STRATVECTOR_RISK_GRPC_PORT"
    )


def test_a_variable_in_lower_case_is_refused_too_as_the_service_would_take_it() -> None:
    with pytest.raises(CommandFailed, match=r"^Stratvector_risk_nats_url is 'nats://else"):
        refuse_given_variables(["risk"], {"Stratvector_risk_nats_url": "nats://elsewhere"})


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"state": "owner", "reason": ""}', Readiness("owner")),
        (b'{"state": "halted", "reason": "bars"}', Readiness("halted", "bars")),
        (b"nonsense", Readiness("silent", "it answers with status 503 and no state")),
        (b"[]", Readiness("silent", "it answers with status 503 and no state")),
    ],
)
def test_readiness_is_what_the_process_says(body: bytes, found: Readiness) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class's name
            assert self.path == "/readyz"
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not here."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        assert asyncio.run(readiness([server.server_address[1]])) == [found]
        thread.join()


def test_a_process_that_does_not_answer_is_silent() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_address[1]
    assert asyncio.run(readiness([port])) == [Readiness("silent", "it does not answer")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interrupt_asks_and_every_further_one_acts(number: signal.Signals) -> None:
    acted: list[bool] = []

    async def scenario() -> None:
        with first_and_second(lambda: acted.append(True)) as asked:
            signal.raise_signal(number)
            await asyncio.wait_for(asked.wait(), 60.0)
            assert acted == []
            signal.raise_signal(number)
            while not acted:
                await asyncio.sleep(0.001)

    before = signal.getsignal(number)
    asyncio.run(scenario())
    assert acted == [True]
    assert signal.getsignal(number) == before


@pytest.fixture
def hang_up() -> Iterator[None]:
    """SIGHUP as a terminal's shell leaves it, whatever the tests were started from."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hang_up")
def test_a_closed_terminal_asks_for_a_drain_however_often_it_says_so() -> None:
    acted: list[bool] = []

    async def scenario() -> None:
        with first_and_second(lambda: acted.append(True)) as asked:
            signal.raise_signal(signal.SIGHUP)
            await asyncio.wait_for(asked.wait(), 60.0)
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            while not acted:
                await asyncio.sleep(0.001)

    asyncio.run(scenario())
    assert acted == [True], "of the SIGTERM alone"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.usefixtures("hang_up")
def test_a_hang_up_that_nohup_has_ignored_asks_for_nothing() -> None:
    async def scenario() -> None:
        with first_and_second(lambda: None) as asked:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            await asyncio.wait_for(asked.wait(), 60.0)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asyncio.run(scenario())
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def _ended(number: int, _: FrameType | None) -> None:
    raise AssertionError(f"ended by {number}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_the_drain_a_signal_does_what_it_did_before(number: signal.Signals) -> None:
    async def handler_after_the_drain() -> object:
        with first_and_second(lambda: None):
            assert signal.getsignal(number) is not _ended
        return signal.getsignal(number)

    before = signal.signal(number, _ended)
    try:
        assert asyncio.run(handler_after_the_drain()) is _ended
    finally:
        signal.signal(number, before)


def test_a_session_is_looked_at_less_often_the_longer_it_still_takes() -> None:
    pace = Pace(1_000, now=0.0)
    assert pace.rest_seconds(0, now=5.0) == 0.1, "nothing has come yet"
    assert pace.rest_seconds(100, now=6.0) == 1.0, "nine seconds are left"
    assert pace.rest_seconds(900, now=14.0) == pytest.approx(0.5), "one second is left"
    assert pace.rest_seconds(999, now=15.0) == 0.1


@pytest.mark.parametrize("error", [OSError(errno.EIO, "gone"), BrokenPipeError()])
def test_aremark_that_nobody_can_read_any_more_is_no_error(
    error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    class ClosedTerminal(io.StringIO):
        def write(self, text: str) -> int:
            tried.append(text)
            raise error

    monkeypatch.setattr(sys, "stderr", ClosedTerminal())
    remark("Stopping every service.")
    assert any("Stopping every service." in text for text in tried)


def test_a_bus_that_stores_nothing_is_told_once_and_so_is_its_recovery(tmp_path: Path) -> None:
    said: list[str] = []
    watch = StoreWatch(tmp_path, said.append)
    well = {"risk": Readiness("owner"), "execution": Readiness("owner")}
    full = well | {"risk": Readiness("owner", "NATS does not store: orders.main.paper: no room")}
    for found in (well, full, well, full, full, full, full, well, well):
        watch.look(found)
    assert len(said) == 2
    assert said[0].startswith("risk: NATS does not store: orders.main.paper: no room; the disk of ")
    assert said[0].endswith(" MiB free; the session waits until it can be written again.")
    assert said[1] == "NATS stores again; the session goes on."
