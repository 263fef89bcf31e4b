"""stratvector backup and restore: what is in a backup, what a restore refuses, and a log that was
purged.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import Result

from libs.cli.tests.test_archive_command import House, archived, flow, house, lanes_of
from stratvector.cli.backup.manifest import LIST, digest_of
from stratvector.runtime.free_ports import free_port
from stratvector.runtime.holds import EVERYTHING, HOLDS, Hold, Holds
from stratvector.runtime.jetstream.bus import JetStreamBus
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.provisioner import provision, stream_settings
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.jetstream.topology import buckets, streams
from stratvector.runtime.ports import Stored
from stratvector.services.ledger.adapters.database import LedgerDatabase
from tests.sessions.simulated_flow import Flow

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

__all__ = ["flow"]  # the fixture
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
    from typer.testing import CliRunner

    from stratvector.cli.main import app

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


def test_a_restored_platform_is_as_it_would_be_provisioned_and_nothing_is_lost(
    backup: Path, empty: Empty, flow: Flow
) -> None:
    run = empty.restore(backup, "--config", str(empty.folder / "config"), "--json")
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["ledger_closes"] == len(flow.entries)
    assert told["closes"] == {KEY: flow.entries[-1].close_time}
    assert told["left_out"] == {}
    assert min(told["seconds"].values()) >= 0.0
    journal = flow.world.bus.journal
    for lane in lanes_of(flow):
        assert empty.lane(lane) == [one for one in journal if one.message.subject == lane]

    async def same(client: Any) -> None:
        assert await provision(client) == ()
        for stream in (*streams(), *buckets()):
            info = json.loads((await client.request(f"$JS.API.STREAM.INFO.{stream.name}")).data)
            assert info["config"].items() >= stream_settings(stream).items()
        holds = await Holds(JetStreamKeyValue(client, HOLDS)).all()
        assert [key for key, one in holds.items() if one.stands] == [KEY]
        assert {one.backup for one in holds.values()} == {digest_of(backup)}

    empty.asked(same)
    database = LedgerDatabase(f"sqlite:///{empty.database}")
    assert database.verify().passed
    database.dispose()
    assert (empty.folder / "config" / "system.yaml").read_text() == "portfolio: main\n"
    assert empty.database.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_missing_edited_or_added_is_named_and_nothing_is_touched(
    backup: Path, empty: Empty
) -> None:
    file = backup / "streams" / "ORDERS.tar.s2"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    run = empty.restore(backup)
    assert run.exit_code == 1
    assert "is not as it was written: streams/ORDERS.tar.s2 is another file" in run.output
    file.unlink()
    assert "streams/ORDERS.tar.s2 is missing" in empty.restore(backup).output
    file.write_bytes(whole)
    (backup / "streams" / "more").touch()
    assert "streams/more was added" in empty.restore(backup).output
    assert empty.names() == []
    assert not empty.database.exists()


def test_a_copy_that_the_server_finds_damaged_is_refused_in_a_sentence(
    backup: Path, empty: Empty
) -> None:
    """Whoever edits the list too meets the server's own checksums."""
    import hashlib

    file = backup / "streams" / "FILLS.tar.s2"
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    file.write_bytes(whole)
    with changed(backup) as values:
        digest = hashlib.sha256(whole).hexdigest()
        values["files"]["streams/FILLS.tar.s2"]["sha256"] = digest
    run = empty.restore(backup)
    assert run.exit_code == 1
    assert "stream FILLS was not put back: restore failed: s2: corrupt input" in run.output


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("format", 2, "has format 2, which this version does not know (its newest is 1)"),
        ("at", "yesterday", "is no list of a backup: at:"),
        ("decisions", {KEY: 1}, "the ledger's record of replay.1.generated is at"),
        ("decisions", {KEY: None}, "but in the log nothing is decided"),
    ],
)
def test_a_backup_that_is_newer_or_of_two_platforms_is_refused(
    key: str, value: object, sentence: str, backup: Path, empty: Empty
) -> None:
    with changed(backup) as values:
        values[key] = value
    run = empty.restore(backup)
    assert run.exit_code == 1
    assert sentence in run.output
    assert empty.names() == []


def test_a_folder_without_its_list_is_no_backup(backup: Path, empty: Empty) -> None:
    (backup / LIST).unlink()
    assert "is no whole backup: there is no backup.json in it" in empty.restore(backup).output


def test_a_platform_that_is_not_empty_is_refused(backup: Path, empty: Empty, flow: Flow) -> None:
    async def publish(client: Any) -> None:
        await provision(client)
        await client.request("bars.replay.1.other.1D", b"x")

    empty.asked(publish)
    run = empty.restore(backup)
    assert run.exit_code == 1
    assert "the bus is not empty: stream BARS holds 1 messages" in run.output
    assert not empty.database.exists()
    assert "KV_holds" in empty.names()


def test_a_platform_that_is_provisioned_and_empty_is_taken(backup: Path, empty: Empty) -> None:
    async def make(client: Any) -> None:
        await provision(client)

    empty.asked(make)
    assert empty.restore(backup).exit_code == 0


def test_services_that_run_are_found(backup: Path, empty: Empty) -> None:
    over = Event()

    async def beat() -> None:
        client = await connect(empty.server.url, None, "member", 30.0)
        while not over.is_set():
            await client.request("$KV.members.risk.risk-1", b"{}")
            await asyncio.sleep(0.1)
        await client.close()

    async def make(client: Any) -> None:
        await provision(client)
        await client.request("$KV.members.risk.risk-1", b"{}")

    empty.asked(make)
    thread = Thread(target=lambda: asyncio.run(beat()))
    thread.start()
    try:
        run = empty.restore(backup)
    finally:
        over.set()
        thread.join()
    assert run.exit_code == 1
    assert "services run on that bus: stop all of them" in run.output


def test_a_database_with_rows_is_refused_and_so_are_folders_with_other_files(
    backup: Path, empty: Empty
) -> None:
    database = LedgerDatabase(f"sqlite:///{empty.database}")
    database.prepare()
    database.close()
    with sqlite3.connect(empty.database) as rows:
        rows.execute("INSERT INTO watermarks VALUES ('main', 'replay.1', 1)")
    rows.close()
    run = empty.restore(backup)
    assert run.exit_code == 1
    assert f"the ledger's file {empty.database} holds rows" in run.output
    assert empty.names() == []
    (empty.folder / "config").mkdir()
    (empty.folder / "config" / "system.yaml").write_text("portfolio: other\n")
    run = empty.restore(backup, "--config", str(empty.folder / "config"))
    assert "system.yaml is there and is not the backup's" in run.output


def test_a_ledger_that_is_there_without_rows_is_taken(backup: Path, empty: Empty) -> None:
    database = LedgerDatabase(f"sqlite:///{empty.database}")
    database.prepare()
    database.close()
    assert empty.restore(backup).exit_code == 0


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--database", "postgresql://x@127.0.0.1:1/l"], "a ledger's database of sqlite"),
        (["--database", "mysql://x"], "it is neither sqlite:////path/ledger.db nor"),
        (["--database", "postgresql://x:secret@h/l"], "--database must hold no password"),
        (["--store", "bars"], "the backup holds no store: leave --store out"),
        (["--replicas", "2"], "--replicas is 2; a stream has 1, 3 or 5 replicas"),
    ],
)
def test_what_the_backup_and_the_options_contradict_is_a_sentence(
    more: list[str], sentence: str, backup: Path, empty: Empty
) -> None:
    run = empty.restore(backup, *more)
    assert run.exit_code == 1
    assert sentence in run.output
    assert "secret" not in run.output
    assert empty.names() == []


def test_another_backup_does_not_take_the_place_of_one_whose_restore_was_interrupted(
    backup: Path, empty: Empty
) -> None:
    async def interrupt(client: Any) -> None:
        await provision(client)
        hold = Hold(EVERYTHING, "another", 1, 2)
        await Holds(JetStreamKeyValue(client, HOLDS)).put(hold)

    empty.asked(interrupt)
    run = empty.restore(backup)
    assert run.exit_code == 1
    assert "a restore of another backup was interrupted on that bus" in run.output


def test_a_ledger_with_an_edited_payload_is_not_taken_for_a_proven_one(
    backup: Path, empty: Empty
) -> None:
    from stratvector.cli.backup.manifest import file_facts

    file = backup / "ledger" / "ledger.db"
    with sqlite3.connect(file) as rows:
        rows.execute("UPDATE payloads SET chain_hash = 'x' WHERE rowid = 7")
    rows.close()
    with changed(backup) as values:
        values["files"]["ledger/ledger.db"] = vars(file_facts(file))
    run = empty.restore(backup)
    assert run.exit_code == 1
    assert "the chain of hashes is broken there" in run.output
    assert "everything" in _standing(empty)


def _standing(empty: Empty) -> list[str]:
    async def read(client: Any) -> list[str]:
        holds = await Holds(JetStreamKeyValue(client, HOLDS)).all()
        return [key for key, one in holds.items() if one.stands]

    found: list[str] = empty.asked(read)
    return found


def test_older_backups_go_when_the_new_one_is_whole_and_one_is_written_at_a_time(
    place: Place, flow: Flow
) -> None:
    with house(place.folder, flow) as there:
        folder = place.folder / "backups"
        for day in ("20250101T000000Z", "20250102T000000Z"):
            older = folder / f"stratvector-{day}"
            older.mkdir(parents=True)
            (older / LIST).write_text("{}")
        (folder / "stratvector-notes").mkdir()
        (folder / ".stratvector-20250103T000000Z.part").mkdir()
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run = backed_up(there, place.folder, "--keep", "2")
            assert "another backup is being written to" in run.output
            assert len(list(folder.glob("stratvector-2025*"))) == 2
        run = backed_up(there, place.folder, "--keep", "2", "--json")
        assert run.exit_code == 0, run.output
        assert json.loads(run.stdout)["removed"] == ["stratvector-20250101T000000Z"]
        names = sorted(one.name for one in folder.iterdir() if one.name != ".lock")
        assert names[0] == "stratvector-20250102T000000Z"
        assert names[-1] == "stratvector-notes"
        assert len(names) == 3


def test_a_backup_that_fails_leaves_no_draft_and_removes_nothing(place: Place, flow: Flow) -> None:
    with house(place.folder, flow) as there:
        older = place.folder / "backups" / "stratvector-20250101T000000Z"
        older.mkdir(parents=True)
        (older / LIST).write_text("{}")
        run = backed_up(there, place.folder, "--keep", "1", "--store", "nowhere")
        assert run.exit_code == 1
        assert "--store nowhere: there is no such folder" in run.output
        left = [one.name for one in older.parent.iterdir() if one.name != ".lock"]
        assert left == [older.name]


def test_a_purged_log_is_restored_with_its_gaps_and_needs_its_ledger(
    place: Place, flow: Flow, empty: Empty
) -> None:
    with house(place.folder, flow) as there:
        assert archived(place, there).exit_code == 0
        before = {lane: there.lane(lane) for lane in lanes_of(flow)}
        refused = backed_up(there, place.folder, ledger=False)
        assert refused.exit_code == 1
        assert f"the log of {KEY} begins with chapter 4" in refused.output
        assert "name it with --database" in refused.output
        run = backed_up(there, place.folder)
        assert run.exit_code == 0, run.output
    (backup,) = (place.folder / "backups").glob("stratvector-*")
    restored = empty.restore(backup)
    assert restored.exit_code == 0, restored.output
    first = before[lanes_of(flow)[0]][0]
    assert first.previous > 0
    for lane, messages in before.items():
        assert empty.lane(lane) == messages
    assert replace(first, previous=0) != first


def test_what_is_not_held_is_not_released(place: Place, backup: Path, empty: Empty) -> None:
    assert empty.restore(backup).exit_code == 0
    where = ["--nats-url", empty.server.url]
    wrong = run_command("portfolios", "release", "replay.1.genrated", *where)
    assert "'replay.1.genrated' is not held; did you mean replay.1.generated?" in wrong.output
    assert run_command("portfolios", "release", KEY, *where).exit_code == 0
    assert _standing(empty) == []
    again = run_command("portfolios", "release", KEY, *where)
    assert again.exit_code == 1
    assert "is not held; nothing is" in again.output
