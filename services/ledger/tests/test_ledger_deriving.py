"""The tables that are asked are derived: late, in batches, and anew to the same digits."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from stratvector.contracts.codecs import encode_ledger_entry
from stratvector.services.ledger.adapters.database import LedgerDatabase, Unusable
from stratvector.services.ledger.adapters.deriving import (
    BATCH_CLOSES,
    derive,
    forget,
    is_behind,
    watermark,
)
from stratvector.services.ledger.adapters.exact_types import columns_of
from stratvector.services.ledger.adapters.queries import Closes, Ledger, Page
from stratvector.services.ledger.adapters.resting import RestingDatabase
from stratvector.services.ledger.adapters.schema import KEY, Key, metadata, payloads, watermarks
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.services.ledger.adapters.tables import (
    DERIVED,
    Close,
    closes,
    rows_of,
    value_at_risk,
)
from stratvector.services.ledger.adapters.writer import write
from stratvector.trading.orders import ValueAtRisk
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import new_database, record
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(2, Shape(2, 3, 3, closes=BATCH_CLOSES + 30))).entries
KEY_OF_ALL = Key.of(ENTRIES[0])


def commit(database: LedgerDatabase, part: slice = slice(None)) -> None:
    """Into the record alone, as a ledger that is killed right after leaves it."""
    with database.writer.connect() as connection:
        write(connection, ENTRIES[part])


def content(database: LedgerDatabase) -> dict[str, list[Any]]:
    """Every row of every table, as it is stored."""
    with database.reader.begin() as connection:
        return {
            name: sorted(map(tuple, connection.execute(text(f"SELECT * FROM {name}"))))
            for name in metadata.tables
        }


def behind(database: LedgerDatabase) -> bool:
    with database.reader.begin() as connection:
        return is_behind(connection, KEY_OF_ALL)


def closes_told(database: LedgerDatabase) -> tuple[int, int]:
    """As a question counts and lists them."""
    with database.asked(KEY_OF_ALL) as connection:
        ledger = Ledger(connection, KEY_OF_ALL)
        return ledger.status().closes, len(ledger.equity(Closes(), Page(1_000)).records)


def test_tables_that_are_thrown_away_are_derived_anew_to_the_same_digits(
    database: LedgerDatabase,
) -> None:
    record(database, ENTRIES)
    before = content(database)
    with database.writer.begin() as connection:
        forget(connection)
    assert not any(content(database)[table.name] for table in DERIVED)
    database.derive(KEY_OF_ALL)
    assert content(database) == before
    assert sum(map(len, before.values())) > 20 * len(ENTRIES)
    assert database.verify().passed


def test_closes_that_come_one_by_one_give_the_rows_that_all_at_once_give(
    database: LedgerDatabase, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = new_database(tmp_path / "other")
    commit(database)
    database.derive(KEY_OF_ALL)
    for place in range(len(ENTRIES)):
        commit(other, slice(place, place + 1))
        other.derive(KEY_OF_ALL)
    assert content(other) == content(database)
    other.close()


def test_a_commit_derives_nothing_and_a_question_sees_every_close(database: LedgerDatabase) -> None:
    commit(database, slice(0, 9))
    assert not any(content(database)[table.name] for table in DERIVED)
    assert closes_told(database) == (9, 9)
    commit(database)
    assert behind(database)
    assert closes_told(database) == (len(ENTRIES), len(ENTRIES))
    assert not behind(database)


def test_a_batch_is_whole_or_not_there_and_the_watermark_is_its_last_close(
    database: LedgerDatabase,
) -> None:
    commit(database)
    with database.writer.connect() as connection:
        assert derive(connection, KEY_OF_ALL) == BATCH_CLOSES
        with connection.begin():
            reached = watermark(connection, KEY_OF_ALL)
            assert reached == ENTRIES[BATCH_CLOSES - 1].close_time
            assert connection.scalar(select(func.max(closes.c.close_time))) == reached
        with connection.begin():
            connection.execute(text("DROP TABLE fill_parts"))
    before = content_of_closes(database)
    with pytest.raises(Unusable, match=r'no such table: fill_parts|"fill_parts" does not exist'):
        database.derive(KEY_OF_ALL)
    assert content_of_closes(database) == before


def content_of_closes(database: LedgerDatabase) -> list[Any]:
    with database.reader.begin() as connection:
        both = (select(closes), select(watermarks))
        return [connection.execute(statement).all() for statement in both]


def test_a_ledger_that_has_nothing_to_write_derives(database: LedgerDatabase) -> None:
    commit(database, slice(0, 5))  # by a ledger that was killed

    async def run() -> None:
        store = SqlLedgerStore(database, linger_seconds=0.0)
        await store.last_close(KEY_OF_ALL.run, KEY_OF_ALL.portfolio)
        writing = asyncio.create_task(store.write())
        while behind(database):
            await asyncio.sleep(0.02)
        for entry in ENTRIES[5:8]:
            await store.commit(entry)
        while len(content(database)["closes"]) < 8:
            await asyncio.sleep(0.02)
        await store.close()
        await writing

    asyncio.run(run())
    assert not behind(database)


def test_closes_that_keep_coming_leave_the_tables_only_so_far_behind(
    database: LedgerDatabase,
) -> None:
    late: list[int] = []

    def look(group: Any) -> None:
        with database.reader.begin() as connection:
            counts = [
                connection.scalar(select(func.count()).select_from(table)) or 0
                for table in (payloads, closes)
            ]
        late.append(counts[0] - counts[1])

    options = {"linger_seconds": 0.0, "group_closes_max": 5, "on_written": look}
    record(database, ENTRIES, behind_closes_max=20, **options)
    assert max(late) <= 20 + 5
    assert late.count(0) < len(late)
    assert not behind(database)


def test_two_questions_at_once_derive_each_close_once(database: LedgerDatabase) -> None:
    commit(database)

    async def ask() -> list[tuple[int, int]]:
        asked = [asyncio.to_thread(closes_told, database) for _ in range(6)]
        return await asyncio.gather(*asked)

    assert set(asyncio.run(ask())) == {(len(ENTRIES), len(ENTRIES))}
    assert database.verify().passed


def test_a_database_at_rest_tells_closes_that_were_not_derived_and_is_not_changed(
    file_database: LedgerDatabase, tmp_path: Path
) -> None:
    record(file_database, ENTRIES[:7])
    commit(file_database)
    file_database.close()
    file = tmp_path / "killed" / "ledger.db"
    file.parent.mkdir()
    shutil.copy(tmp_path / "ledger.db", file)
    before = file.read_bytes()
    resting = RestingDatabase(f"sqlite:///{file}")
    assert closes_told(resting) == (len(ENTRIES), len(ENTRIES))
    verification = resting.verify()
    assert verification.passed
    assert verification.closes == len(ENTRIES)
    resting.close()
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["ledger.db"]


def test_a_question_to_a_damaged_payload_is_refused_in_one_sentence(
    database: LedgerDatabase,
) -> None:
    commit(database)
    with database.writer.begin() as connection:
        connection.execute(update(payloads).values(payload=b"\0"))
    with pytest.raises(Unusable, match="a payload can't be read: it does not inflate"):
        closes_told(database)


def test_a_field_that_an_earlier_version_did_not_write_has_its_default(
    database: LedgerDatabase,
) -> None:
    figure = ValueAtRisk(5, 1.0, 0.02, 0.03, 1_000, 7)
    decision = replace(ENTRIES[0].decision, value_at_risk=figure)
    document = json.loads(encode_ledger_entry(replace(ENTRIES[0], decision=decision)))
    rows = dict(rows_of(Close(KEY_OF_ALL, document, None)))
    del document["decision"]["value_at_risk"]["factor"]
    assert dict(rows_of(Close(KEY_OF_ALL, document, None))) == rows
    assert rows[value_at_risk][0][-1] == "1.0"


def test_every_tables_key_begins_with_the_records() -> None:
    for table in (payloads, watermarks, *DERIVED):
        names = [column.name for column in table.primary_key.columns]
        assert names[: len(KEY)] == list(KEY), table.name


def test_what_no_column_holds_is_refused() -> None:
    with pytest.raises(TypeError, match="no column holds <class 'complex'>"):
        columns_of({"state": complex})
