"""The ledger proves itself: whatever byte or row is changed behind its back, `verify` finds it."""

import asyncio
import random
import re
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from stratvector.contracts.codecs import encode_ledger_entry
from stratvector.services.ledger.adapters import schema, tables
from stratvector.services.ledger.adapters.database import (
    Damaged,
    LedgerDatabase,
    Unusable,
    WithoutHashes,
)
from stratvector.services.ledger.adapters.migrating import configuration
from stratvector.services.ledger.adapters.resting import RestingDatabase
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.trading.identity import chained_hash
from stratvector.trading.ledger_verification import Verification
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import finished_record, new_database, record
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(1, Shape(2, 2, 2, closes=8))).entries
NAME = ENTRIES[0].portfolio
BYTES, ROWS = 100, 100


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a finished run; tests change copies of it."""
    return finished_record(tmp_path_factory.mktemp("finished"), ENTRIES)


def copied(finished: Path, folder: Path, sealed: bool) -> Path:
    file = folder / "ledger.db"
    shutil.copy(finished, file)
    seal = file.with_name("ledger.db.seal")
    seal.unlink(missing_ok=True)
    if sealed:
        shutil.copy(finished.with_name(seal.name), seal)
    return file


@cache
def at_rest(file: Path) -> RestingDatabase:
    """It holds nothing open between two questions."""
    return RestingDatabase(f"sqlite:///{file}")


def verified(file: Path) -> Verification:
    return at_rest(file).verify()


def content(file: Path) -> dict[str, Any]:
    """All that a reader of the file can see, or why it can't be read."""
    connection = sqlite3.connect(f"file:{file}?immutable=1", uri=True)
    try:
        connection.execute("PRAGMA cell_size_check=ON")
        names = sorted(table.name for table in schema.metadata.sorted_tables)
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return {"error": str(error)}
    finally:
        connection.close()


def test_a_record_that_nobody_touched_is_verified_and_nothing_is_left_beside_it(
    finished: Path,
) -> None:
    found = verified(finished)
    assert found.passed
    assert found.sealed
    assert found.closes == len(ENTRIES)
    assert found.rows == sum(
        len(rows) for name, rows in content(finished).items() if schema_of(name) in tables.DERIVED
    )
    names = sorted(path.name for path in finished.parent.iterdir())
    assert names == ["ledger.db", "ledger.db.seal"]


def schema_of(name: str) -> Any:
    return schema.metadata.tables[name]


def test_the_chains_hash_is_a_fold_of_the_log(finished: Path) -> None:
    chain = ""
    for entry in ENTRIES:
        chain = chained_hash(chain, NAME, entry.close_time, encode_ledger_entry(entry))
    (record_of,) = verified(finished).records
    assert record_of.chain_hash == chain
    assert record_of.last_close == ENTRIES[-1].close_time


def test_every_single_byte_that_is_changed_in_a_finished_runs_file_is_found(
    finished: Path, tmp_path: Path
) -> None:
    file, chance = copied(finished, tmp_path, sealed=True), random.Random(11)
    original = file.read_bytes()
    for _ in range(BYTES):
        place, other = chance.randrange(len(original)), chance.randrange(1, 256)
        edited = bytearray(original)
        edited[place] ^= other
        file.write_bytes(edited)
        try:
            found = verified(file)
        except Unusable:
            continue
        assert not found.passed, f"byte {place} ^ {other}"


def test_without_a_seal_a_changed_byte_is_found_unless_no_reader_can_see_it(
    finished: Path, tmp_path: Path
) -> None:
    file, chance = copied(finished, tmp_path, sealed=False), random.Random(12)
    original, readable = file.read_bytes(), content(finished)
    hidden = 0
    for _ in range(BYTES // 2):
        place, other = chance.randrange(len(original)), chance.randrange(1, 256)
        edited = bytearray(original)
        edited[place] ^= other
        file.write_bytes(edited)
        try:
            found = verified(file)
        except Unusable:
            continue
        if found.passed:
            hidden += 1
            assert content(file) == readable, f"byte {place} ^ {other}"
    assert hidden < BYTES // 2


def test_every_row_that_is_edited_added_or_deleted_is_found_and_its_table_named(
    finished: Path, tmp_path: Path
) -> None:
    chance = random.Random(13)
    file = copied(finished, tmp_path, sealed=False)
    original = file.read_bytes()
    named: set[str] = set()
    for number in range(ROWS):
        file.write_bytes(original)
        kind = ("update", "delete", "insert")[number % 3]
        table = _edit(file, kind, chance)
        found = verified(file)
        assert not found.passed, table
        told = {one.table for one in found.findings}
        # Without its newest payload a record is whole, and what was derived of it is too much.
        is_newest = (table, kind) == ("payloads", "delete") and "watermarks" in told
        assert table in told or is_newest, table
        named.add(table)
    assert len(named) > 10


def _edit(file: Path, kind: str, chance: random.Random) -> str:
    """Change one random row of one random table that has any; the table's name."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA foreign_keys=OFF")
    filled = [
        table.name
        for table in schema.metadata.sorted_tables
        if connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
    ]
    while True:
        name = chance.choice(filled)
        table = schema_of(name)
        keys = [column.name for column in table.primary_key.columns]
        where = " AND ".join(f"{key} = ?" for key in keys)
        rows = connection.execute(f"SELECT {', '.join(keys)} FROM {name}").fetchall()
        key = chance.choice(rows)
        try:
            if kind == "delete":
                connection.execute(f"DELETE FROM {name} WHERE {where}", key)
            elif kind == "update":
                column = chance.choice(table.c.keys())
                (value,) = connection.execute(
                    f"SELECT {column} FROM {name} WHERE {where}", key
                ).fetchone()
                connection.execute(
                    f"UPDATE {name} SET {column} = ? WHERE {where}", (_other(value, chance), *key)
                )
            else:
                whole = connection.execute(f"SELECT * FROM {name} WHERE {where}", key).fetchone()
                row = dict(zip(table.c.keys(), whole, strict=True))
                row[keys[-1]] = row[keys[-1]] + 1_000 if isinstance(row[keys[-1]], int) else "zz"
                for column in ("order_id", "execution_id"):
                    if column in row:
                        row[column] += "x"
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {name} VALUES ({marks})", (*row.values(),))
        except sqlite3.IntegrityError:
            continue
        connection.commit()
        connection.close()
        return name


def _other(value: Any, chance: random.Random) -> Any:
    """Another value of the same type: a bit, a digit or a letter away."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(3))
    if isinstance(value, bytes):
        place = chance.randrange(len(value))
        return value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
    if not value:
        return "x"
    place = chance.randrange(len(value))
    return value[:place] + ("1" if value[place] != "1" else "2") + value[place + 1 :]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE fills SET price = '1.5' WHERE close_time = {filled}",
            r"fills of generated in replay\.1 at 20.*: price of the row \(place \d+\) is '1.5'",
        ),
        ("DELETE FROM closes WHERE close_time = {last}", "the row of the close is missing"),
        ("DELETE FROM payloads WHERE close_time = {last}", "belongs to no payload"),
        (
            "UPDATE signal_rows SET symbol = 'EQUITYX' WHERE symbol = 'EQUITY0'",
            r"signal_rows of .*: symbol of the row .* is 'EQUITYX', the payload says 'EQUITY0'",
        ),
        (
            "INSERT INTO model_accounts "
            "VALUES ('generated', 'replay.1', {last}, 99, 'ghost', '0', '0', '0')",
            r"model_accounts of .*: the row \(model_place 99\) belongs to no payload",
        ),
        (
            "INSERT INTO cancels "
            "VALUES ('generated', 'replay.1', 'late', 0, 'an order', 'EQUITY0')",
            "cancels: a row of portfolio 'generated', run 'replay.1', close_time 'late', of which",
        ),
        (
            "UPDATE watermarks SET close_time = close_time + 1",
            r"watermarks of generated in replay\.1 at .*: the row is of a close that has no ",
        ),
        ("DELETE FROM watermarks", r"watermarks of generated in replay\.1: the row is missing"),
        ("UPDATE watermarks SET close_time = {filled}", "belongs to no payload"),
        (
            "INSERT INTO watermarks VALUES ('ghost', 'replay.1', {last})",
            "watermarks: a row of portfolio 'ghost', run 'replay.1', close_time .*, of which there",
        ),
        ("UPDATE payloads SET portfolio = 'ghost' WHERE close_time = {last}", "another close"),
        (
            "UPDATE payloads SET run = 'replay.2'",
            "payloads of generated in replay.2 .* another close",
        ),
        ("DROP TABLE cancels", "cancels: the table is missing"),
        ("CREATE TABLE songs (title TEXT)", "songs: no such table belongs to the ledger"),
        ("INSERT INTO ledger_revision VALUES ('0001')", "ledger_revision: it has 2 rows"),
        ("UPDATE payloads SET payload = CAST(payload || x'00' AS BLOB)", "something follows it"),
        (
            "UPDATE closes SET portfolio = 'ghost' WHERE close_time = {last}",
            "closes: a row of portfolio 'ghost'",
        ),
        ("UPDATE closes SET halted = 1 - halted WHERE close_time = {last}", "halted of the row"),
    ],
)
def test_what_was_changed_is_named(
    finished: Path, tmp_path: Path, statement: str, said: str
) -> None:
    file = copied(finished, tmp_path, sealed=False)
    filled = next(entry.close_time for entry in ENTRIES if entry.attributed)
    with sqlite3.connect(file) as connection:
        connection.execute(statement.format(filled=filled, last=ENTRIES[-1].close_time))
    connection.close()
    found = verified(file)
    assert not found.passed
    told = "\n".join(map(str, found.findings))
    assert re.search(said, told), told


def test_a_payload_that_was_swapped_with_its_hash_breaks_the_chain(
    finished: Path, tmp_path: Path
) -> None:
    file = copied(finished, tmp_path, sealed=False)
    with sqlite3.connect(file) as connection:
        first, last = ENTRIES[3].close_time, ENTRIES[4].close_time
        connection.execute(
            "UPDATE payloads SET (payload, payload_hash) = (SELECT payload, payload_hash FROM "
            f"payloads WHERE close_time = {first}) WHERE close_time = {last}"
        )
    connection.close()
    told = "\n".join(map(str, verified(file).findings))
    assert "chain_hash does not follow from the close before" in told
    assert "the payload is of another close" in told


def test_a_ledger_does_not_go_on_with_a_record_that_was_changed(
    finished: Path, tmp_path: Path
) -> None:
    file = copied(finished, tmp_path, sealed=False)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE closes SET cash = '1' WHERE close_time > 0")
    connection.close()
    before = file.read_bytes()
    database = LedgerDatabase(f"sqlite:///{file}")
    database.prepare()
    with pytest.raises(Damaged) as refusal:
        record_after_looking(database)
    sentence = str(refusal.value)
    assert "not as it was recorded: closes of generated in replay.1 at" in sentence
    assert "\n" not in sentence
    database.close()
    assert content(file)["payloads"]
    assert file.read_bytes()[100:] == before[100:]
    assert not file.with_name("ledger.db.seal").exists()


def record_after_looking(database: LedgerDatabase) -> None:
    """As a new owner does: look first, then commit."""
    asyncio.run(SqlLedgerStore(database).verify(ENTRIES[0].run, NAME, None))


def test_a_finished_file_that_is_continued_loses_its_seal_and_gets_a_new_one(
    tmp_path: Path,
) -> None:
    database = new_database(tmp_path)
    record(database, ENTRIES[:5])
    seal = tmp_path / "ledger.db.seal"
    assert not seal.exists()
    database.close()
    sealed = seal.read_text()
    again = new_database(tmp_path)
    record(again, ENTRIES)
    assert not seal.exists()
    again.close()
    assert seal.read_text() != sealed
    assert verified(tmp_path / "ledger.db").sealed


def test_a_database_without_payloads_holds_no_hashes(tmp_path: Path) -> None:
    database = LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
    with database.writer.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(text("INSERT INTO portfolios VALUES (1, 'main')"))
        connection.execute(
            text("INSERT INTO closes VALUES (1, 1, 'a', '1', '1', '1', '1', '1', 0, 0, 1, 1, '')")
        )
    with pytest.raises(WithoutHashes, match="holds no hashes: an earlier version wrote it"):
        database.verify()
    with pytest.raises(WithoutHashes, match="the log fills a new one"):
        database.prepare()
    database.close()


def test_who_verifies_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="unable to open database file"):
        verified(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "ledger.db").write_text("closes,equity\n" * 100)
    with pytest.raises(Unusable, match="file is not a database"):
        verified(tmp_path / "ledger.db")
