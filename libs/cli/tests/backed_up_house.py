"""A platform that is backed up, its backup, and an empty one to restore it to."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from libs.cli.tests.test_archive_command import House, house
from stratvector.cli.backup.manifest import LIST
from stratvector.cli.main import app
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.holds import HOLDS, Holds
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.ports import Stored
from tests.sessions.simulated_flow import Flow

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

KEY = "replay.1.generated"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, flow: Flow) -> Path:
    """A backup of a finished flow, of which each test takes a copy."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "config").mkdir()
    (folder / "config" / "system.yaml").write_text("portfolio: main\n")
    with house(folder, flow) as there:
        run = backed_up(there, folder, "--config", str(folder / "config"))
        assert run.exit_code == 0, run.output
    (backup,) = (folder / "backups").glob("stratvector-*")
    return backup


@pytest.fixture
def backup(made: Path, place: Place) -> Path:
    return Path(shutil.copytree(made, place.folder / "saved"))


def run_command(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def backed_up(there: House, folder: Path, *more: str, ledger: bool = True) -> Result:
    seed = there.session / "keys" / "provisioner.seed"
    where = ["--nats-url", there.server.url, "--seed-file", str(seed)]
    database = ["--database", f"sqlite:///{folder / 'ledger.db'}"] if ledger else []
    return run_command("backup", "--to", str(folder / "backups"), *where, *database, *more)


class Empty:
    """A nats-server with an empty store, and no accounts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = ServerSettings(folder / "store", free_port())
        self.server = NatsServer(settings, folder, folder / "log")
        self.database = folder / "restored.db"

    def restore(self, backup: Path, *more: str) -> Result:
        words = ["--nats-url", self.server.url]
        if "--database" not in more:
            words += ["--database", f"sqlite:///{self.database}"]
        return run_command("restore", str(backup), *words, *more)

    def asked(self, script: Any) -> Any:
        async def ask() -> Any:
            client = await connect(self.server.url, None, "test", 30.0)
            try:
                return await script(client)
            finally:
                await client.close()

        return asyncio.run(ask())

    def lane(self, subject: str) -> list[Stored]:
        async def read(client: Any) -> list[Stored]:
            return list(await JetStreamBus(client).read(subject, 0, 4_096))

        found: list[Stored] = self.asked(read)
        return found

    def names(self) -> list[str]:
        async def read(client: Any) -> list[str]:
            told = json.loads((await client.request("$JS.API.STREAM.NAMES", b"")).data)
            return told["streams"] or []

        found: list[str] = self.asked(read)
        return sorted(found)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Empty]:
    folder = tmp_path / "empty"
    folder.mkdir()
    made = Empty(folder)
    made.server.start()
    yield made
    made.server.kill()


@contextmanager
def changed(backup: Path) -> Iterator[dict[str, Any]]:
    """The list of a backup, to be edited."""
    values = json.loads((backup / LIST).read_text())
    yield values
    (backup / LIST).write_text(json.dumps(values))


def standing(empty: Empty) -> list[str]:
    async def read(client: Any) -> list[str]:
        holds = await Holds(JetStreamKeyValue(client, HOLDS)).all()
        return [key for key, one in holds.items() if one.stands]

    found: list[str] = empty.asked(read)
    return found
