"""A database of revision 0003, which kept payloads under numbers and wrote query tables itself."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from stratvector.services.ledger.adapters.database import Damaged, LedgerDatabase, Unusable
from stratvector.services.ledger.adapters.migrating import configuration
from stratvector.services.ledger.adapters.payloads import payload_row
from stratvector.services.ledger.adapters.queries import Closes, Ledger, Page
from stratvector.services.ledger.adapters.resting import RestingDatabase
from stratvector.services.ledger.adapters.schema import Key, metadata, payloads
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.trading.ledger import same_entry
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
PAYLOAD = "INSERT INTO payloads VALUES (1, :close_time, :payload, :payload_hash, :chain_hash)"


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[LedgerDatabase]:
    """The first closes as revision 0003 kept them."""
    database = LedgerDatabase(f"sqlite:///{tmp_path / 'ledger.db'}")
    with database.writer.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(text(f"INSERT INTO portfolios VALUES (1, '{KEY.portfolio}')"))
        connection.execute(text("INSERT INTO models VALUES (1, 'trend')"))
        chain = ""
        for entry in ENTRIES[:EARLIER]:
            names = payloads.c.keys()
            row = dict(zip(names, payload_row(entry, chain), strict=True))
            connection.execute(text(CLOSE), row)
            connection.execute(text(PAYLOAD), row)
            chain = str(row["chain_hash"])
    yield database
    database.close()


def answers(database: LedgerDatabase) -> tuple[list[EquityRecord], list[FillRecord], str]:
    with database.asked(KEY) as connection:
        ledger = Ledger(connection, KEY)
        equity = ledger.equity(Closes(), Page(1_000)).records
        fills = ledger.fills(Closes(), Page(1_000)).records
        return list(equity), list(fills), ledger.status().chain_hash


def expected(folder: Path) -> tuple[list[EquityRecord], list[FillRecord], str]:
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
    for entry in ENTRIES[:EARLIER]:
        kept = stored(earlier, KEY, entry.close_time)
        assert kept is not None
        assert same_entry(kept, entry)
    assert answers(earlier) == expected(tmp_path / "new")
    assert earlier.verify().passed
    with earlier.reader.begin() as connection:
        names = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))
    assert names == {*metadata.tables, "ledger_revision"}


def test_a_ledger_continues_it_and_its_chain(earlier: LedgerDatabase) -> None:
    earlier.prepare()
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
        asyncio.run(SqlLedgerStore(earlier).last_close(KEY.run, KEY.portfolio))


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
