"""stratvector restore: what it refuses, in a sentence and without touching anything."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from libs.cli.tests.backed_up_house import (
    KEY,
    Empty,
    backup,
    changed,
    empty,
    made,
    standing,
)
from libs.cli.tests.test_archive_command import flow
from stratvector.cli.backup.manifest import LIST
from stratvector.runtime.holds import EVERYTHING, HOLDS, Hold, Holds
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.key_value import JetStreamKeyValue
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.services.ledger.adapters.database import LedgerDatabase
from tests.sessions.simulated_flow import Flow

if TYPE_CHECKING:
    pass

__all__ = ["backup", "empty", "flow", "made"]  # fixtures


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


def test_services_that_run_are_found(backup: Path, empty: Empty) -> None:
    over = Event()

    async def beat() -> None:
        client = await connect(empty.server.url, None, "member", 30.0)
        while not over.is_set():
            await client.request("$KV.members.risk.risk-1", b"{}", 30.0)
            await asyncio.sleep(0.1)
        await client.close()

    async def make(client: Any) -> None:
        await provision(client)
        await client.request("$KV.members.risk.risk-1", b"{}", 30.0)

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
    assert "everything" in standing(empty)
