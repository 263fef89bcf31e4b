"""Service processes that were started idle serve each portfolio and each run that is applied: with
no restart, no change of the server's files and no reconnect.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

from stratvector.contracts.codecs.ledger_proofs import verification_of
from stratvector.contracts.codecs.ledger_service import status_of
from stratvector.contracts.v1 import ledger_proofs_pb2, ledger_service_pb2, risk_service_pb2
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.contracts.v1.risk_service_pb2_grpc import RiskServiceStub
from stratvector.runtime.applying import apply
from stratvector.runtime.documents import DOCUMENTS, Documents, wish_of
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.accounts import (
    APPLY,
    OPERATOR,
    PROVISIONER,
    USERS,
    accounts_config,
)
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import BusClient, connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.session_log import read_logged_session
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import check
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.session import Session
from tests.processes.service_process import ServiceProcess
from tests.sessions.begun import fill_store
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.side_by_side import named

SHAPE = Shape(2, 2, 3, closes=60)
FIRST = named(generated_session(3, SHAPE), "main", "replay.a")
OTHER = named(generated_session(8, SHAPE), "other", "replay.c")
AGAIN = named(generated_session(3, SHAPE), "main", "replay.b")
LONG = named(generated_session(5, Shape(2, 2, 2, closes=1500)), "changing", "replay.d")
SERVICES = ("market_data", "strategy", "risk", "execution", "ledger", "drift", "gateway")
PATIENCE_SECONDS = 120.0
LEASE_SECONDS = 60.0


class House:
    """A server with accounts, and every service of the flow on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._keys = folder, KeyFolder(folder / "keys")
        self._monitor = free_port()
        accounts = accounts_config({user: self._keys.ensure(user) for user in USERS})
        settings = ServerSettings(folder / "nats", free_port(), monitor_port=self._monitor)
        self.server = NatsServer(settings, folder, folder / "nats.log", accounts)
        self.services: dict[str, ServiceProcess] = {}

    def start(self, stack: ExitStack) -> None:
        self.server.start()
        stack.callback(self.server.kill)
        asyncio.run(self._provision())
        for service in SERVICES:
            told: dict[str, Any] = {
                "nats_url": self.server.url,
                "nats_seed_file": self._keys.seed_file(service),
                # Nobody restarts a process here that compiles for longer than a lease.
                "lease_seconds": LEASE_SECONDS,
            }
            if service == "market_data":
                told["store"] = self.folder / "store"
            if service == "ledger":
                told["database_url"] = f"sqlite:///{self.folder / 'ledger.db'}"
            if service == "gateway":
                told["console_port"] = free_port()
                self.console_port = told["console_port"]
            module = f"stratvector.services.{service}"
            process = ServiceProcess(module, self.folder, service, http_port=0, grpc_port=0, **told)
            self.services[service] = stack.enter_context(process)

    def connections(self) -> dict[str, int]:
        """The server's connections of services: the id of each by its client's name."""
        with urlopen(f"http://127.0.0.1:{self._monitor}/connz", timeout=10) as answer:
            found = json.load(answer)["connections"]
        names = {one["name"]: one["cid"] for one in found}
        return {name: cid for name, cid in names.items() if name.startswith(SERVICES)}

    def config(self) -> bytes:
        return (self.folder / "server.conf").read_bytes()

    def apply(self, session: Session) -> None:
        fill_store(self.folder / "store", session)
        asyncio.run(self._apply(session))

    def until_recorded(self, session: Session) -> None:
        """Wait until the ledger has the session's last close."""
        deadline, last = time.monotonic() + PATIENCE_SECONDS, session.schedule.close_times[-1]
        while self._last_close(session) != last:
            assert time.monotonic() < deadline, self.services["risk"].out.read_text()[-3000:]
            time.sleep(0.1)

    def until_recording(self, session: Session) -> None:
        """Wait until the ledger has a close of the session."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._last_close(session) is None:
            assert time.monotonic() < deadline, self.services["risk"].out.read_text()[-3000:]
            time.sleep(0.05)

    def parity(self, session: Session) -> tuple[bool, bool, int]:
        return asyncio.run(self._parity(session))

    def ask(self, service: str) -> grpc.Channel:
        address = f"127.0.0.1:{self.services[service].port('grpc_port')}"
        return grpc.insecure_channel(address, options=(("grpc.enable_http_proxy", 0),))

    def _last_close(self, session: Session) -> int | None:
        request = ledger_service_pb2.GetStatusRequest(
            portfolio=session.portfolio.name, run=session.portfolio.run
        )
        with self.ask("ledger") as channel:
            try:
                answer = LedgerServiceStub(channel).GetStatus(request, timeout=10)
            except grpc.RpcError:
                return None
        return status_of(answer.status).last_close

    async def _client(self, user: str) -> BusClient:
        return await connect(self.server.url, self._keys.seed_file(user), user, 30.0)

    async def _provision(self) -> None:
        client = await self._client(PROVISIONER)
        await provision(client)
        await client.close()

    async def _apply(self, session: Session) -> None:
        client = await self._client(APPLY)
        documents = Documents(JetStreamKeyValue(client, DOCUMENTS))
        await apply(JetStreamBus(client), documents, wish_of(session, "tests", 0))
        await client.close()

    def log(self, session: Session) -> tuple[LoggedSession, SessionLog]:
        return asyncio.run(self._log(session))

    async def _log(self, session: Session) -> tuple[LoggedSession, SessionLog]:
        client, portfolio = await self._client(OPERATOR), session.portfolio
        try:
            bus = JetStreamBus(client)
            found = await read_logged_session(bus, portfolio.name, portfolio.run)
        finally:
            await client.close()
        assert found is not None
        return found

    async def _parity(self, session: Session) -> tuple[bool, bool, int]:
        logged, log = await self._log(session)
        parity = check(log, logged, logged.whole(log), chapter=logged.chapter)
        return parity.is_equal, parity.is_complete, parity.orders


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        made = House(tmp_path)
        made.start(stack)
        yield made


def test_two_portfolios_and_a_second_run_are_served_without_restart_or_reconnect(
    house: House,
) -> None:
    for process in house.services.values():
        assert process.until_state("standby")["idle"]
    before, connections = house.config(), house.connections()
    assert len(connections) == len(SERVICES)
    house.apply(FIRST)
    house.apply(OTHER)
    house.until_recorded(FIRST)
    house.until_recorded(OTHER)
    house.apply(AGAIN)
    house.until_recorded(AGAIN)
    _a_model_is_added_and_another_removed_while_it_runs(house)
    sessions = (FIRST, OTHER, AGAIN, LONG)
    for session in sessions:
        equal, complete, orders = house.parity(session)
        assert (equal, complete) == (True, True)
        assert orders
    assert (house.config(), house.connections()) == (before, connections)
    for service in ("market_data", "strategy", "risk", "execution", "ledger"):
        told = house.services[service].until_state("finished")
        assert set(told["portfolios"].values()) == {"finished"}
        assert len(told["portfolios"]) == len(sessions)
    _questions_name_their_portfolio(house)
    _each_record_is_verified_by_itself(house)
    _the_gateway_lists_them(house)
    assert [process.stop() for process in house.services.values()] == [0] * len(SERVICES)


def _a_model_is_added_and_another_removed_while_it_runs(house: House) -> None:
    """Its lanes begin in processes that live already, and its books are kept beside the others'."""
    removed, kept = LONG.portfolio.models
    added = ModelAllocation("added", kept.universe, 0.5)
    strategies = {kept.name: LONG.strategies[kept.name], "added": DriftStrategy(2, 0.0)}
    portfolio = replace(LONG.portfolio, models=(added, kept))
    house.apply(LONG)
    house.until_recording(LONG)
    house.apply(replace(LONG, portfolio=portfolio, strategies=strategies))
    house.until_recorded(LONG)
    _, log = house.log(LONG)
    assert log.chapters, house.services["risk"].out.read_text()[-3000:]
    assert [model.name for model in log.chapters[0].portfolio.active] == ["added", kept.name]
    models = {model.model: model for model in log.entries[-1].models}
    assert set(models) == {"added", kept.name, removed.name}
    assert not models[removed.name].positions
    assert models["added"].commission


def _questions_name_their_portfolio(house: House) -> None:
    with house.ask("risk") as channel:
        risk = RiskServiceStub(channel)
        request = risk_service_pb2.GetPortfolioRequest(portfolio="main", run="replay.b")
        assert risk.GetPortfolio(request, timeout=10).portfolio.run == "replay.b"
        for asked, code in (
            ({}, grpc.StatusCode.FAILED_PRECONDITION),
            ({"portfolio": "main"}, grpc.StatusCode.FAILED_PRECONDITION),
            ({"portfolio": "none"}, grpc.StatusCode.NOT_FOUND),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                risk.GetPortfolio(risk_service_pb2.GetPortfolioRequest(**asked), timeout=10)
            assert refused.value.code() is code
            there = "main in replay.a, main in replay.b, other in replay.c, changing in replay.d"
            assert there in str(refused.value.details())
        one = risk_service_pb2.GetPortfolioRequest(portfolio="other")
        assert risk.GetPortfolio(one, timeout=10).portfolio.run == "replay.c"


def _each_record_is_verified_by_itself(house: House) -> None:
    with house.ask("ledger") as channel:
        request = ledger_proofs_pb2.VerifyRequest()
        found = verification_of(LedgerServiceStub(channel).Verify(request, timeout=60))
    assert found.passed
    records = {(one.portfolio, one.run): one for one in found.records}
    assert set(records) == {
        ("changing", "replay.d"),
        ("main", "replay.a"),
        ("main", "replay.b"),
        ("other", "replay.c"),
    }
    closes = {key: one.closes for key, one in records.items()}
    assert closes["main", "replay.a"] == closes["main", "replay.b"] == len(FIRST.schedule)
    assert len({one.chain_hash for one in found.records}) == 4


def _the_gateway_lists_them(house: House) -> None:
    def page(path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{house.console_port}{path}", timeout=10) as answer:
            return json.load(answer)

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = page("/api/portfolios")["portfolios"]
        if len(found) == 4 and all(one["state"] == "finished" for one in found):
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found[-1]["run"] == "replay.d"
