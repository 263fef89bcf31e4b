"""A server with accounts, and every service of the flow as a process, for many portfolios."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc

from stratvector.contracts.codecs.ledger_service import status_of
from stratvector.contracts.v1 import ledger_service_pb2
from stratvector.contracts.v1.ledger_service_pb2_grpc import LedgerServiceStub
from stratvector.runtime.applying import apply
from stratvector.runtime.certificates import COMMAND_LINE, Certificates, identity_of
from stratvector.runtime.deployment import SessionParts
from stratvector.runtime.documents import DOCUMENTS, Documents, Wish, wish_of
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
from stratvector.runtime.lease import holder
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.session_in_log import read_logged_session
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import check
from stratvector.trading.session import Session
from tests.processes.service_process import ServiceProcess
from tests.security.authorities import channel_credentials, files_of, tls_settings
from tests.sessions.begun import fill_store

SERVICES = ("market_data", "strategy", "risk", "execution", "ledger", "drift", "gateway")
PATIENCE_SECONDS = 120.0
LEASE_SECONDS = 60.0


class House:
    """A server with accounts, and every service of the flow on it.

    certificates : what each has of it; None leaves all plain.
    """

    def __init__(self, folder: Path, certificates: Path | None = None) -> None:
        self.folder, self._keys = folder, KeyFolder(folder / "keys")
        self._certificates = certificates
        self._monitor = free_port()
        accounts = accounts_config({user: self._keys.ensure(user) for user in USERS})
        tls = None if certificates is None else files_of(certificates, "nats")
        settings = ServerSettings(folder / "nats", free_port(), monitor_port=self._monitor, tls=tls)
        self.server = NatsServer(settings, folder, folder / "nats.log", accounts)
        self.services: dict[str, ServiceProcess] = {}

    def start(
        self,
        stack: ExitStack,
        lease_seconds: float = LEASE_SECONDS,
        closes_per_s_max: float | None = None,
        signals_deadline_seconds: float | None = None,
        services: Sequence[str] = SERVICES,
    ) -> None:
        """The default lease is longer than any compilation, as nobody restarts a process here."""
        self._lease_seconds = lease_seconds
        self.server.start()
        stack.callback(self.server.kill)
        asyncio.run(self._provision())
        for service in services:
            told = self.own_of(service)
            if service == "market_data":
                told["closes_per_s_max"] = closes_per_s_max
            if service == "risk" and signals_deadline_seconds is not None:
                told["signals_deadline_seconds"] = signals_deadline_seconds
            if service == "gateway":
                told["console_port"] = self.console_port = free_port()
            self.services[service] = stack.enter_context(self.process(service, service, **told))

    def own_of(self, service: str) -> dict[str, Any]:
        """The settings that each replica of a service has in common."""
        if service == "market_data":
            return {"store": self.folder / "store"}
        if service == "ledger":
            return {"database_url": f"sqlite:///{self.folder / 'ledger.db'}"}
        return {}

    def process(
        self, service: str, name: str, environment: Mapping[str, str] | None = None, **told: Any
    ) -> ServiceProcess:
        """One of a service, which has not been started. environment : added to this process's own.
        told : further settings.
        """
        own: dict[str, Any] = {
            "nats_url": self.server.url,
            "nats_seed_file": self._keys.seed_file(service),
            "lease_seconds": self._lease_seconds,
            "http_port": 0,
            "grpc_port": 0,
        }
        if self._certificates is not None:
            own |= tls_settings(self._certificates, identity_of(service))
        module = f"stratvector.services.{service}"
        return ServiceProcess(module, self.folder, name, environment, **own, **told)

    def connections(self) -> dict[str, int]:
        """The server's connections of services: the id of each by its client's name."""
        with urlopen(f"http://127.0.0.1:{self._monitor}/connz", timeout=10) as answer:
            found = json.load(answer)["connections"]
        names = {one["name"]: one["cid"] for one in found}
        return {name: cid for name, cid in names.items() if name.startswith(SERVICES)}

    def config(self) -> bytes:
        return (self.folder / "server.conf").read_bytes()

    def command(self, *words: str) -> str:
        """What `stratvector` says, asked as who applies."""
        command = Path(sys.executable).with_name("stratvector")
        access = ("--nats-url", self.server.url, "--seed-file", str(self._keys.seed_file(APPLY)))
        done = subprocess.run([command, *words, *access], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, session: Session) -> None:
        fill_store(self.folder / "store", session)
        asyncio.run(self.want(wish_of(session, "tests", 0)))

    def until_recorded(self, session: Session, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the ledger has the session's last close."""
        deadline, last = time.monotonic() + patience_seconds, session.schedule.close_times[-1]
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
        options = (("grpc.enable_http_proxy", 0),)
        if self._certificates is None:
            return grpc.insecure_channel(address, options=options)
        own = files_of(self._certificates, COMMAND_LINE)
        named = ("grpc.ssl_target_name_override", identity_of(service))
        return grpc.secure_channel(address, channel_credentials(own), options=(*options, named))

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

    async def owners(self, lanes: Sequence[str]) -> Counter[str]:
        """How many of some lanes each instance owns; "-" while none does."""
        client = await self._client(OPERATOR)
        try:
            entries = await JetStreamKeyValue(client, "owners").all()
        finally:
            await client.close()
        found = [entries.get(f"owner.{lane}") for lane in lanes]
        return Counter("-" if entry is None else holder(entry).instance for entry in found)

    async def _client(self, user: str) -> BusClient:
        own = None
        if self._certificates is not None:
            own = Certificates(files_of(self._certificates, COMMAND_LINE), COMMAND_LINE)
        seed = self._keys.seed_file(user)
        return await connect(self.server.url, seed, user, 30.0, certificates=own)

    async def _provision(self) -> None:
        client = await self._client(PROVISIONER)
        await provision(client)
        await client.close()

    async def want(self, wish: Wish) -> None:
        client = await self._client(APPLY)
        documents = Documents(JetStreamKeyValue(client, DOCUMENTS))
        await apply(JetStreamBus(client), documents, wish)
        await client.close()

    def log(self, session: SessionParts) -> tuple[LoggedSession, SessionLog]:
        return asyncio.run(self._log(session))

    async def _log(self, session: SessionParts) -> tuple[LoggedSession, SessionLog]:
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
