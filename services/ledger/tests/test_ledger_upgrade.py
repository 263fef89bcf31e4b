"""Databases of revision 0003, which kept payloads under numbers and wrote query tables itself, and
of 0004, which kept one run of each portfolio and did not say which.
"""

import asyncio
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from stratvector.contracts.codecs import encode_ledger_entry
from stratvector.services.ledger.adapters.database import Damaged, LedgerDatabase, Unusable
from stratvector.services.ledger.adapters.migrating import configuration
from stratvector.services.ledger.adapters.queries import Closes, Ledger, Page
from stratvector.services.ledger.adapters.resting import RestingDatabase
from stratvector.services.ledger.adapters.schema import Key, metadata
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.trading.identity import chained_hash, payload_hash
from stratvector.trading.ledger import LedgerEntry, same_entry
from stratvector.trading.ledger_answers import EquityRecord, FillRecord
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import new_database, record, stored
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(1, Shape(2, 2, 3, closes=25))).entries
KEY = Key.of(ENTRIES[0])
EARLIER = 20
CLOSE = (
    "INSERT INTO closes VALUES (1, :close_time, 'paper', '1', '1', '1', '0', '1', 0, 0, 0, 0, '')"
)
PAYLOAD_WITHOUT_RUN = (
    "INSERT INTO payloads VALUES (:portfolio, :close_time, :payload, :payload_hash, :chain_hash)"
)
PAYLOAD = "INSERT INTO payloads VALUES (1, :close_time, :payload, :payload_hash, :chain_hash)"


def rows_without_run(entries: Sequence[LedgerEntry]) -> Iterator[dict[str, Any]]:
    """What earlier versions kept of entries: their texts name no run."""
    chain = ""
    for entry in entries:
        document = json.loads(encode_ledger_entry(entry))
        del document["run"]
        words = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        payload = zlib.compress(words, 1)
        chain = chained_hash(chain, entry.portfolio, entry.close_time, words)
        yield {
            "close_time": entry.close_time,
            "payload": payload,
            "payload_hash": payload_hash(payload),
            "chain_hash": chain,
        }


def at_revision(folder: Path, revision: str) -> LedgerDatabase:
    database = LedgerDatabase(f"sqlite:///{folder / 'ledger.db'}")
    with database.writer.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return database


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[LedgerDatabase]:
    """The first closes as revision 0003 kept them."""
    database = at_revision(tmp_path, "0003")
    with database.writer.begin() as connection:
        connection.execute(text(f"INSERT INTO portfolios VALUES (1, '{KEY.portfolio}')"))
        connection.execute(text("INSERT INTO models VALUES (1, 'trend')"))
        for row in rows_without_run(ENTRIES[:EARLIER]):
            connection.execute(text(CLOSE), row)
            connection.execute(text(PAYLOAD), row)
    yield database
    database.close()


@pytest.fixture
def without_runs(tmp_path: Path) -> Iterator[LedgerDatabase]:
    """The same as revision 0004 kept them."""
    folder = tmp_path / "0004"
    folder.mkdir()
    database = at_revision(folder, "0004")
    with database.writer.begin() as connection:
        for row in rows_without_run(ENTRIES[:EARLIER]):
            told = {"portfolio": KEY.portfolio, **row}
            connection.execute(text(PAYLOAD_WITHOUT_RUN), told)
    yield database
    database.close()


def answers(database: LedgerDatabase) -> tuple[list[EquityRecord], list[FillRecord], int]:
    with database.asked(KEY) as connection:
        ledger = Ledger(connection, KEY)
        equity = ledger.equity(Closes(), Page(1_000)).records
        fills = ledger.fills(Closes(), Page(1_000)).records
        return list(equity), list(fills), ledger.status().closes


def expected(folder: Path) -> tuple[list[EquityRecord], list[FillRecord], int]:
    """What a ledger of this version answers about the same closes."""
    folder.mkdir()
    database = new_database(folder)
    record(database, ENTRIES[:EARLIER])
    told = answers(database)
    database.close()
    return told


def test_every_close_is_kept_and_the_tables_are_derived_from_it(
    earlier: LedgerDatabase, tmp_path: Path
) -> None:
    earlier.prepare()
    assert last_close(earlier, KEY.run) == ENTRIES[EARLIER - 1].close_time
    for entry in ENTRIES[:EARLIER]:
        kept = stored(earlier, KEY, entry.close_time)
        assert kept is not None
        assert same_entry(kept, replace(entry, run=""))
    assert answers(earlier) == expected(tmp_path / "new")
    assert earlier.verify().passed
    with earlier.reader.begin() as connection:
        names = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))
    assert names == {*metadata.tables, "ledger_revision"}


def last_close(database: LedgerDatabase, run: str) -> int | None:
    """As a ledger asks that begins to record a run."""
    return asyncio.run(SqlLedgerStore(database).last_close(run, KEY.portfolio))


def test_a_record_without_a_run_is_continued_by_the_one_that_its_order_ids_prove(
    without_runs: LedgerDatabase, tmp_path: Path
) -> None:
    without_runs.prepare()
    (record_before,) = without_runs.verify().records
    assert (record_before.run, record_before.closes) == ("", EARLIER)
    assert last_close(without_runs, "replay.other") is None
    assert last_close(without_runs, KEY.run) == ENTRIES[EARLIER - 1].close_time
    record(without_runs, ENTRIES[EARLIER - 1 :])
    found = without_runs.verify()
    assert found.passed
    assert [(one.run, one.closes) for one in found.records] == [(KEY.run, len(ENTRIES))]


def test_a_record_without_a_run_or_an_order_is_the_first_ones_that_asks(tmp_path: Path) -> None:
    quiet = [e for e in ENTRIES if not e.decision.orders and not e.events][:1]
    assert quiet
    database = at_revision(tmp_path, "0004")
    with database.writer.begin() as connection:
        for row in rows_without_run(quiet):
            connection.execute(text(PAYLOAD_WITHOUT_RUN), {"portfolio": KEY.portfolio, **row})
    database.prepare()
    assert last_close(database, "replay.any") == quiet[0].close_time
    assert last_close(database, "replay.other") is None
    database.close()


def test_a_database_without_runs_is_asked_and_verified_at_rest_and_stays_as_it_is(
    without_runs: LedgerDatabase, tmp_path: Path
) -> None:
    without_runs.close()
    file = tmp_path / "0004" / "ledger.db"
    before = file.read_bytes()
    resting = RestingDatabase(f"sqlite:///{file}")
    assert answers(resting) == expected(tmp_path / "new")
    assert resting.verify().passed
    resting.close()
    assert file.read_bytes() == before


def test_a_ledger_continues_it_and_its_chain(earlier: LedgerDatabase) -> None:
    earlier.prepare()
    assert last_close(earlier, KEY.run) is not None
    record(earlier, ENTRIES[EARLIER - 1 :])
    found = earlier.verify()
    assert found.passed
    assert found.closes == len(ENTRIES)


def test_it_is_asked_and_verified_at_rest_and_stays_as_it_is(
    earlier: LedgerDatabase, tmp_path: Path
) -> None:
    earlier.close()
    file = tmp_path / "ledger.db"
    before = file.read_bytes()
    resting = RestingDatabase(f"sqlite:///{file}")
    assert answers(resting) == expected(tmp_path / "new")
    assert resting.verify().passed
    resting.close()
    assert file.read_bytes() == before


def test_a_payload_that_was_changed_before_is_found_after(earlier: LedgerDatabase) -> None:
    with earlier.writer.begin() as connection:
        connection.execute(
            text("UPDATE payloads SET chain_hash = '0' WHERE close_time = :close"),
            {"close": ENTRIES[3].close_time},
        )
    earlier.close()
    resting = RestingDatabase(str(earlier.shown))
    assert "chain_hash does not follow" in str(resting.verify().findings[0])
    resting.close()
    earlier.prepare()
    with pytest.raises(Damaged, match="chain_hash does not follow from the close before"):
        last_close(earlier, KEY.run)


def test_a_payload_of_no_portfolio_is_not_left_behind(earlier: LedgerDatabase) -> None:
    with sqlite3.connect(earlier.shown.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE payloads SET portfolio_id = 7")
    connection.close()
    with pytest.raises(Unusable, match=r"NOT NULL constraint failed: payloads\.portfolio"):
        earlier.prepare()


def test_a_sealed_file_that_was_edited_is_not_brought_to_the_newest_version(
    earlier: LedgerDatabase, tmp_path: Path
) -> None:
    earlier.unseal()
    earlier.close()
    seal = tmp_path / "ledger.db.seal"
    seal.write_text(json.dumps({"sha256": "0" * 64, "bytes": 1}))
    with pytest.raises(Unusable, match="it is not the file that was sealed"):
        earlier.prepare()
