"""A platform of processes that is backed up while it trades, killed, and restored on an empty
machine, by the commands that a person types.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from stratvector.cli.platform.bus import LocalBus
from stratvector.cli.platform.local import Platform
from stratvector.cli.platform.ports import plan_ports
from stratvector.cli.platform.replicas import seat_names
from stratvector.cli.platform.session_run import refuse_differences
from stratvector.cli.platform.session_watch import until_committed
from stratvector.contracts.codecs import decode_fills_report
from stratvector.runtime.documents import wish_of
from stratvector.runtime.holds import HOLDS, Holds
from stratvector.runtime.jetstream.accounts import APPLY, OPERATOR, PROVISIONER
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.ports import Bus, Kind
from stratvector.trading.fills import FillEvent
from stratvector.trading.flow import SERVICES
from stratvector.trading.lanes import fills_lanes
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.session import Session
from tests.sessions.begun import fill_store
from tests.sessions.process_flow import LEASE_SECONDS, LOOK_SECONDS, ProcessFlow, Running

COMMAND = Path(sys.executable).with_name("stratvector")
COMMAND_SECONDS = 120.0
DATABASE = "ledger.db"


@contextmanager
def services_told(settings: Mapping[str, str]) -> Iterator[None]:
    """Environment of the services, for the time of a block."""
    told = {f"STRATVECTOR_{s.upper()}_LEASE_SECONDS": str(LEASE_SECONDS) for s in SERVICES}
    told["PYTHONPATH"] = str(Path(__file__).parents[2])
    before = dict(os.environ)
    os.environ.update({**told, **settings})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass
class Machine:
    """One platform's folder, and what starts it. ledger : URL of its database, empty for its own
    file. password_file : of a database on a server.
    """

    folder: Path
    session: Session
    ledger: str = ""
    password_file: Path | None = None

    def __post_init__(self) -> None:
        self.place.mkdir(parents=True)
        self._ports = plan_ports(seat_names(dict.fromkeys(SERVICES, 1)), base_port=0)
        self.told: list[str] = []

    @property
    def place(self) -> Path:
        """The session's folder."""
        return self.folder / "session"

    @property
    def database(self) -> list[str]:
        """The options that name the ledger's database."""
        if not self.ledger:
            return ["--database", f"sqlite:///{self.place / DATABASE}"]
        return ["--database", self.ledger, "--database-password-file", str(self.password_file)]

    def platform(self) -> Platform:
        """To be started in a running event loop."""
        wished = {"ledger": {"database_url": self.ledger}} if self.ledger else {}
        if self.password_file is not None:
            wished["ledger"]["database_password_file"] = str(self.password_file)
        seats = seat_names(dict.fromkeys(SERVICES, 1))
        wish, told, logs = wish_of(self.session, "tests", 0), self.told.append, self.folder / "logs"
        return Platform(self.place, wish, seats, self._ports, told, logs=logs, wished=wished)

    async def trade(self, script: Callable[[Running], Awaitable[None]]) -> None:
        """Start it, do something, and kill all of it."""
        platform = self.platform()
        await platform.start()
        try:
            client = await connect(platform.bus.url, platform.bus.seed_file(OPERATOR), "tests")
            try:
                await script(Running(self.session, platform, client))
            finally:
                await client.close()
        finally:
            platform.kill()
            await platform.drain()

    @contextmanager
    def bus_alone(self) -> Iterator[LocalBus]:
        """Its nats-server and nothing else, killed at the end of the block."""
        bus = LocalBus(self.place, self._ports)
        with (
            (self.folder / "nats.log").open("ab") as log,
            subprocess.Popen(bus.command, stdout=log, stderr=log) as server,
        ):
            try:
                yield bus
            finally:
                server.kill()


def command(bus: LocalBus, *words: str, user: str = PROVISIONER) -> list[str]:
    """A `stratvector` command at a platform's bus."""
    seed = bus.seed_file(user)
    return [str(COMMAND), *words, "--nats-url", bus.url, "--seed-file", str(seed)]


def ran(words: list[str]) -> subprocess.CompletedProcess[str]:
    """A command that ended, whatever it said."""
    return subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )


async def ran_meanwhile(words: list[str]) -> subprocess.CompletedProcess[str]:
    """The same, while this process's event loop turns."""
    return await asyncio.to_thread(ran, words)


def backing_up(machine: Machine, bus: LocalBus, to: Path) -> list[str]:
    """The command that backs a machine up."""
    place = machine.place
    folders = ["--store", str(place / "store"), "--keys", str(place / "keys")]
    return command(bus, "backup", "--to", str(to), *machine.database, *folders)


def restoring(machine: Machine, bus: LocalBus, backup: Path) -> list[str]:
    """The command that makes a machine what a backup holds."""
    store = ["--store", str(machine.place / "store")]
    return command(bus, "restore", str(backup), *machine.database, *store)


async def events_in(bus: Bus, portfolio: Portfolio) -> list[FillEvent]:
    """Everything that the fills lanes tell."""
    found = list[FillEvent]()
    for lane in fills_lanes(portfolio).values():
        after = 0
        while page := await bus.read(lane, after):
            after = page[-1].sequence
            for stored in page:
                if stored.message.kind is Kind.CONTENT:
                    found += decode_fills_report(stored.message.payload).events
    return found


async def until_held(machine: Machine) -> str:
    """Wait until execution says that it is held; why."""
    port = machine._ports.seats["execution"].http
    key = f"{machine.session.portfolio.run}.{machine.session.portfolio.name}"

    def asked() -> str:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5.0) as answer:
                return str(json.load(answer)["held"].get(key, ""))
        except (URLError, OSError):
            return ""

    while not (why := await asyncio.to_thread(asked)):
        await asyncio.sleep(LOOK_SECONDS)
    return why


async def finished(machine: Machine, script: Callable[[Running], Awaitable[None]]) -> ProcessFlow:
    """Start it, do something, and let it come to its end."""
    platform = machine.platform()
    try:
        await platform.start()
        client = await connect(platform.bus.url, platform.bus.seed_file(OPERATOR), "tests")
        try:
            await script(Running(machine.session, platform, client))
        finally:
            await client.close()
        status = await until_committed(platform, machine.session, lambda *_: None)
        log = (await platform.bus.read())[1]
    finally:
        killed = await platform.drain()
    assert killed == []
    refuse_differences(log, status)
    return ProcessFlow(machine.session, log, machine.told)


def begin(
    folder: Path, session: Session, ledger: str = "", password_file: Path | None = None
) -> Machine:
    """A machine with the bars of its session. ledger, password_file : see `Machine`."""
    machine = Machine(folder, session, ledger, password_file)
    fill_store(machine.place / "store", session)
    return machine


async def held_keys(bus: LocalBus) -> list[str]:
    """What is held on a platform's bus."""
    client = await connect(bus.url, bus.seed_file(APPLY), "tests")
    try:
        holds = await Holds(JetStreamKeyValue(client, HOLDS)).all()
    finally:
        await client.close()
    return [key for key, hold in holds.items() if hold.stands]
