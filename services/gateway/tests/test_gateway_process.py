"""The gateway as a process on a real nats-server: it reads the log, survives kills, and drains."""

import asyncio
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as websocket

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.trading.flow import FLOW
from stratvector.trading.ledger import rounded_money
from stratvector.trading.timestamps import utc_text
from tests.bus.lanes import lanes
from tests.e2e.browser import Tone, browser_path, opened
from tests.processes.service_process import ServiceProcess
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import Flow, run_flow

MODULE = "stratvector.services.gateway"
MAIN_LINES_MAX = 30
MAIN = Path(__file__).parents[1] / "src/stratvector/services/gateway/__main__.py"


class Stage:
    """A finished session's log on a server without accounts."""

    def __init__(self, folder: Path, flow: Flow) -> None:
        self.folder, self.flow = folder, flow
        settings = ServerSettings(folder / "store", free_port())
        self.server = NatsServer(settings, folder, folder / "nats.log")

    def process(self, name: str, **other: Any) -> ServiceProcess:
        """A gateway on ports of its own."""
        told: dict[str, Any] = {
            "nats_url": self.server.url,
            "console_port": 0,
        }
        return ServiceProcess(MODULE, self.folder, name, **(told | other))

    async def publish(self) -> None:
        """Every lane, whole."""
        client = await connect(self.server.url, None, "feeder", 30.0)
        await provision(client)
        bus, world = JetStreamBus(client), self.flow.world.bus
        portfolio = self.flow.session.portfolio
        for lane in (lane for one in FLOW for lane in lanes(one, portfolio)):
            sequence = 0
            for stored in world.contents(lane):
                published = await bus.publish(replace(stored.message, epoch=1), sequence)
                sequence = published.sequence
        await client.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, recorded_flow: Flow) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("gateway"), recorded_flow)
    stage.server.start()
    asyncio.run(stage.publish())
    yield stage
    stage.server.stop()


def console_port(process: ServiceProcess) -> int:
    process.until_state("owner")
    return process.port("console_port")


def states_until_the_end(process: ServiceProcess, flow: Flow) -> dict[str, Any]:
    """The states that /ws tells, once the newest decision is among them."""
    found: dict[str, Any] = {}
    last = f"{rounded_money(Decimal(repr(flow.decisions[-1].equity))):f}"
    with websocket(f"ws://127.0.0.1:{console_port(process)}/ws", proxy=None) as client:
        while found.get("equity", {}).get("equity") != last or "positions" not in found:
            message = json.loads(client.recv(timeout=60))
            found[message["type"]] = message
    return found


def page(process: ServiceProcess, path: str, **headers: str) -> str:
    address = f"http://127.0.0.1:{console_port(process)}{path}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(address, headers=headers), timeout=20) as answer:
        return str(answer.read().decode())


def refusal(process: ServiceProcess, path: str, **headers: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        page(process, path, **headers)
    refused.value.close()
    return refused.value.code


def test_a_killed_gateway_comes_back_to_the_same_account(stage: Stage, recorded_flow: Flow) -> None:
    with stage.process("killed") as process:
        before = states_until_the_end(process, recorded_flow)
        process.signal(signal.SIGKILL)
        process.ended()
        process.start()
        after = states_until_the_end(process, recorded_flow)
        assert after["positions"] == before["positions"]
        for key in ("equity", "drawdown", "max_drawdown", "close_time"):
            assert after["equity"][key] == before["equity"][key]
        last = recorded_flow.entries[-1]
        held = after["positions"]["positions"]
        assert {symbol for symbol, quantity in held.items() if float(quantity)} == set(
            last.positions
        )
        assert process.stop() == 0


def test_a_killed_gateway_tells_the_same_chapters_as_the_log(tmp_path: Path) -> None:
    session = generated_session(4, Shape(2, 2, 3, closes=120))
    chaptered = Stage(tmp_path, run_flow(session, closes_per_chapter=50))
    flow, told = chaptered.flow, []
    chaptered.server.start()
    try:
        asyncio.run(chaptered.publish())
        with chaptered.process("chapters") as process:
            for _ in range(2):
                states_until_the_end(process, flow)
                told.append(json.loads(page(process, "/api/chapters"))["chapters"])
                process.signal(signal.SIGKILL)
                process.ended()
                process.start()
            assert "chapters-card" in page(process, "/")
    finally:
        chaptered.server.stop()
    assert told[0] == told[1]
    numbers = [decision.chapter for decision in flow.decisions]
    assert [one["closes"] for one in told[0]] == [numbers.count(n) for n in sorted(set(numbers))]
    assert [one["after"] for one in told[0][1:]] == [utc_text(o.close_time) for o in flow.openings]
    assert len(told[0]) > 2


def test_the_console_page_names_no_other_place_and_its_drain_leaves_nothing(
    stage: Stage,
) -> None:
    with stage.process("drained") as process:
        text = page(process, "/")
        assert "/console/theme.css" in text
        foreign = {url for url in re.findall(r"https?://[\w.:-]+", text) if "127.0.0.1" not in url}
        assert foreign <= {"http://www.w3.org"}
        own = f"http://127.0.0.1:{console_port(process)}"
        # An Engine.IO session, which would read the whole console, over plain GETs.
        session = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
        assert '"sid"' in page(process, session, Origin=own)
        for origin in ("http://evil.com", "null", "http://localhost:1"):
            assert refusal(process, session, Origin=origin) == 403
            with pytest.raises(InvalidStatus):
                websocket(
                    f"{own.replace('http', 'ws')}/_nicegui_ws/socket.io/?EIO=4&transport=websocket",
                    additional_headers={"Origin": origin},
                    proxy=None,
                )
        metrics = process.get("/metrics")[1]
        assert (
            'stratvector_gateway_requests_total{method="GET",route="other",status="200"} 2.0'
            in metrics
        )
        with websocket(f"ws://127.0.0.1:{console_port(process)}/ws", proxy=None) as client:
            client.recv(timeout=60)
            assert "stratvector_gateway_websocket_clients 1.0" in process.get("/metrics")[1]
            assert process.stop() == 0
            with pytest.raises(ConnectionClosed):
                read_on(client)
        assert process.log()[-1]["event"] == "stopped"


def read_on(client: Any) -> None:
    while True:
        client.recv(timeout=60)


def test_a_taken_console_port_is_one_sentence(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with stage.process("taken", console_port=port) as process:
            assert process.ended() == 1
            assert process.err.read_text() == (
                f"gateway: console_port: can't listen on 127.0.0.1:{port}: Address already in use\n"
            )


def test_a_gateway_on_another_address_does_not_start(stage: Stage) -> None:
    with stage.process("open", host="0.0.0.0") as process:
        assert process.ended() == 2
        assert process.err.read_text() == (
            "gateway: auth can't be 'local': it needs a loopback address, such as 127.0.0.1, and "
            "host is '0.0.0.0'; `token` serves other addresses; set auth in the settings file or "
            "STRATVECTOR_GATEWAY_AUTH\n"
        )


def entered(process: ServiceProcess, token: str) -> str:
    """The cookie that /login gives for a token; empty for none."""
    body = urllib.parse.urlencode({"token": token, "next": "/"}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", console_port(process), timeout=20)
    with closing(connection):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", body, kind)
        return str(connection.getresponse().headers.get("Set-Cookie", "")).partition(";")[0]


def test_a_gateway_on_every_address_serves_whoever_has_the_token(
    stage: Stage, tmp_path: Path
) -> None:
    token = KeyFolder(tmp_path / "keys").ensure_token()
    told = {"host": "0.0.0.0", "auth": "token", "token_file": str(token)}
    with stage.process("entered", allowed_hosts=["desk.example.org"], **told) as process:
        secret = token.read_text().strip()
        bearer = {"Authorization": f"Bearer {secret}"}
        assert refusal(process, "/api/portfolio") == 401
        assert '"generated"' in page(process, "/api/portfolios", **bearer)
        assert "generated" in page(process, "/api/portfolios", Host="desk.example.org", **bearer)
        assert refusal(process, "/api/portfolios", Host="evil.example.org", **bearer) == 403
        assert (entered(process, "wrong"), entered(process, secret)[:20]) == (
            "",
            "stratvector_session=",
        )
        console = page(process, "/", Cookie=entered(process, secret), Accept="text/html")
        assert "/console/theme.css" in console
        assert process.get("/readyz")[0] == 200  # a probe needs no token
        logs = process.out.read_text() + process.err.read_text()
        assert secret not in logs
        assert process.stop() == 0


@pytest.mark.skipif(browser_path() is None, reason="there is no Chromium")
def test_a_person_logs_in_and_sees_the_console(
    stage: Stage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    token = KeyFolder(tmp_path / "keys").ensure_token()
    with stage.process("shown", auth="token", token_file=str(token)) as process:
        address = f"http://127.0.0.1:{console_port(process)}/?portfolio=generated"
        with opened(address, until="login") as browser:
            field = browser.page.get_by_label("Token")
            field.fill("wrong")
            field.press("Enter")
            alert = browser.page.get_by_role("alert")
            assert alert.inner_text() == "That is not this gateway's token."
            browser.page.get_by_label("Token").fill(token.read_text().strip())
            browser.page.get_by_role("button", name="Log in").click()
            browser.page.get_by_test_id("equity").wait_for()
            assert browser.page.url == address
            # The browser tells of the status of the wrong token, some time after it.
            assert [one for one in browser.complaints.errors if "status of 403" not in one] == []
            assert browser.complaints.foreign == []
        if folder := request.config.getoption("--screenshots"):
            shapes: tuple[tuple[int, Tone], ...] = ((1400, "light"), (390, "dark"))
            for width, tone in shapes:
                with opened(address, width, 900, tone, until="login") as browser:
                    browser.page.screenshot(path=folder / f"login-{width}-{tone}.png")
        assert process.stop() == 0


def test_a_wrong_token_file_is_one_sentence(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("short")
    with stage.process("short", auth="token", token_file=str(file)) as process:
        assert process.ended() == 78
        assert process.err.read_text() == (
            f"gateway: token_file: {file} must hold one word of at least 32 ASCII characters\n"
        )


def test_without_a_bus_it_waits_and_says_for_what(stage: Stage) -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    with stage.process("alone", nats_url=url) as process:
        assert process.get("/readyz")[0] == 503
        process.said("state")
        assert f"waiting for NATS at {url}" in process.until_state("starting")["reason"]
        assert process.stop() == 0


def test_what_processes_say_is_told_with_its_colour(stage: Stage) -> None:
    with stage.process("watched") as watched:
        own = f"http://127.0.0.1:{watched.port('http_port')}"
        silent = f"http://127.0.0.1:{free_port()}"
        with stage.process("watching", probes={"good": own, "gone": silent}) as watching:
            console_port(watched)
            answer: dict[str, Any] = {}
            while {one["level"] for one in answer.get("services", [])} != {"green", "red"}:
                answer = json.loads(page(watching, "/api/monitoring"))
            by_name = {one["name"]: one for one in answer["services"]}
            good, gone = by_name["good"], by_name["gone"]
            assert (good["state"], good["reason"], good["level"]) == ("owner", "", "green")
            assert (gone["state"], gone["level"]) == ("silent", "red")
            assert (gone["reason"], answer["ready"]) == ("it does not answer", False)
            figures = json.loads(page(watching, "/api/monitoring/metrics"))["services"]
            assert figures["good"]["metrics"]["process_resident_memory_bytes"] > 0
            assert figures["gone"]["trouble"] == "it does not answer"


def test_help_tells_every_setting() -> None:
    command = [sys.executable, "-m", MODULE, "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for key in (
        "console_port",
        "auth",
        "ledger_grpc",
        "probes",
        "STRATVECTOR_GATEWAY_CONSOLE_PORT",
    ):
        assert key in told
    assert len(MAIN.read_text().splitlines()) <= MAIN_LINES_MAX
