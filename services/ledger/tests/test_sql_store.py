"""The store on a real file and a real server: each close once, whole, in order, and never another."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from stratvector.runtime.ports import LedgerConflict
from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.database import Damaged, LedgerDatabase, Unusable
from stratvector.services.ledger.adapters.sql_store import SqlLedgerStore
from stratvector.trading.ledger import LedgerEntry, same_entry
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import record, stored
from tests.sessions.side_by_side import named
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(1, Shape(2, 2, 3, closes=25))).entries
NAME, RUN = ENTRIES[0].portfolio, ENTRIES[0].run


def rows(database: LedgerDatabase) -> dict[str, int]:
    with database.reader.begin() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in schema.metadata.sorted_tables
        }


def last_close(database: LedgerDatabase) -> int | None:
    return asyncio.run(SqlLedgerStore(database).last_close(RUN, NAME))


def verify(database: LedgerDatabase) -> None:
    asyncio.run(SqlLedgerStore(database).verify(RUN, NAME, None))


@pytest.mark.parametrize("seed", [1, 5, 9])
@pytest.mark.parametrize("group_closes_max", [1, 7, 256])
def test_every_entry_of_a_session_comes_back_to_the_last_digit(
    database: LedgerDatabase, seed: int, group_closes_max: int
) -> None:
    entries = run_flow(generated_session(seed, Shape(3, 2, 3, closes=20))).entries
    record(database, entries, group_closes_max=group_closes_max)
    for entry in entries:
        kept = stored(database, schema.Key.of(entry), entry.close_time)
        assert kept is not None
        assert same_entry(kept, entry)


def test_a_close_that_is_committed_again_changes_nothing(database: LedgerDatabase) -> None:
    record(database, ENTRIES)
    before = rows(database)
    record(database, ENTRIES)
    assert rows(database) == before
    assert before["payloads"] == before["closes"] == len(ENTRIES)
    assert last_close(database) == ENTRIES[-1].close_time


@pytest.mark.parametrize("place", [0, 7, len(ENTRIES) - 1])
def test_another_entry_of_a_committed_close_is_refused(
    database: LedgerDatabase, place: int
) -> None:
    record(database, ENTRIES)
    before = rows(database)
    other = replace(ENTRIES[place], cash=ENTRIES[place].cash + Decimal("1e-20"))
    with pytest.raises(LedgerConflict, match="is not what the log says"):
        record(database, [other])
    assert rows(database) == before


def test_a_close_that_is_missing_before_the_newest_is_refused(database: LedgerDatabase) -> None:
    record(database, ENTRIES[5:])
    with pytest.raises(LedgerConflict):
        record(database, ENTRIES[:1])


def test_a_conflict_in_a_group_leaves_nothing_of_the_group(database: LedgerDatabase) -> None:
    record(database, ENTRIES[:3])
    other = replace(ENTRIES[2], equity=Decimal(1))
    with pytest.raises(LedgerConflict):
        record(database, [other, *ENTRIES[3:]])
    assert last_close(database) == ENTRIES[2].close_time


def test_the_last_close_is_one_that_is_in_the_database(database: LedgerDatabase) -> None:
    async def run() -> list[int | None]:
        store = SqlLedgerStore(database)
        seen = [await store.last_close(RUN, NAME)]
        await store.commit(ENTRIES[0])
        seen.append(await store.last_close(RUN, NAME))
        await store.close()
        await store.write()
        return [*seen, await store.last_close(RUN, NAME), await store.last_close(RUN, "another")]

    first = ENTRIES[0].close_time
    assert asyncio.run(run()) == [None, None, first, None]


def test_a_commit_waits_while_too_many_closes_are_on_their_way(database: LedgerDatabase) -> None:
    async def run() -> tuple[bool, bool]:
        store = SqlLedgerStore(database, group_closes_max=2)
        for entry in ENTRIES[:2]:
            await store.commit(entry)
        third = asyncio.create_task(store.commit(ENTRIES[2]))
        await asyncio.sleep(0.01)
        waited = not third.done()
        writing = asyncio.create_task(store.write())
        await third
        await store.close()
        await writing
        return waited, third.done()

    assert asyncio.run(run()) == (True, True)
    assert last_close(database) == ENTRIES[2].close_time


def test_closes_are_written_without_a_word_when_nothing_follows(database: LedgerDatabase) -> None:
    async def run() -> None:
        store = SqlLedgerStore(database, linger_seconds=0.001)
        writing = asyncio.create_task(store.write())
        await store.commit(ENTRIES[0])
        while await store.last_close(RUN, NAME) is None:
            await asyncio.sleep(0.005)
        await store.close()
        await writing

    asyncio.run(run())


def test_who_commits_hears_why_nothing_is_written_any_more(database: LedgerDatabase) -> None:
    with database.writer.begin() as connection:
        connection.execute(text("DROP TABLE signal_rows"))

    async def run() -> None:
        store = SqlLedgerStore(database, linger_seconds=0.0)
        writing = asyncio.create_task(store.write())
        await store.commit(ENTRIES[0])
        with pytest.raises(
            Unusable, match=r'(no such table: |")signal_rows'
        ):
            await writing
        with pytest.raises(Unusable, match=r"no such table|does not exist"):
            await store.commit(ENTRIES[1])

    asyncio.run(run())
    with pytest.raises(Damaged, match="signal_rows: the table is missing"):
        verify(database)


def test_a_writer_that_is_cancelled_writes_what_was_committed(database: LedgerDatabase) -> None:
    async def run() -> None:
        store = SqlLedgerStore(database, linger_seconds=60.0)
        writing = asyncio.create_task(store.write())
        for entry in ENTRIES[:3]:
            await store.commit(entry)
        await asyncio.sleep(0.01)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    asyncio.run(run())
    assert last_close(database) == ENTRIES[2].close_time


def test_a_database_that_is_closed_is_one_file_and_its_seal(
    file_database: LedgerDatabase, tmp_path: Path
) -> None:
    record(file_database, ENTRIES)
    assert (
        last_close(file_database) == ENTRIES[-1].close_time
    )  # a reader, the last one
    file_database.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["ledger.db", "ledger.db.seal"]


def test_a_writer_that_is_cancelled_leaves_whole_closes(database: LedgerDatabase) -> None:
    async def run() -> None:
        store = SqlLedgerStore(database, linger_seconds=0.0)
        writing = asyncio.create_task(store.write())
        for entry in ENTRIES:
            await store.commit(entry)
        await asyncio.sleep(0.001)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    asyncio.run(run())
    written = rows(database)["payloads"]
    record(database, ENTRIES[max(written - 1, 0) :])
    assert rows(database)["payloads"] == len(ENTRIES)


def test_an_owner_and_the_one_that_it_replaced_write_the_same_record(
    database: LedgerDatabase,
) -> None:
    async def run(pace: float, entries: list[LedgerEntry]) -> None:
        store = SqlLedgerStore(database, linger_seconds=pace, group_closes_max=3)
        writing = asyncio.create_task(store.write())
        for entry in entries:
            await store.commit(entry)
        await store.close()
        await writing

    async def both() -> None:
        await asyncio.gather(run(0.0, ENTRIES), run(0.002, ENTRIES))

    asyncio.run(both())
    for entry in ENTRIES:
        kept = stored(database, schema.Key.of(entry), entry.close_time)
        assert kept is not None
        assert same_entry(kept, entry)


def test_portfolios_share_a_database(database: LedgerDatabase) -> None:
    others = run_flow(generated_session(2, Shape(2, 2, 3, closes=15))).entries
    renamed = [replace(e, portfolio="other", decision=_named(e), signals=()) for e in others]
    record(database, [entry for pair in zip(ENTRIES, renamed, strict=False) for entry in pair])
    kept = stored(database, schema.Key.of(renamed[9]), renamed[9].close_time)
    assert kept is not None
    assert same_entry(kept, renamed[9])


def test_two_runs_and_two_portfolios_share_a_database_each_verified_by_itself(
    database: LedgerDatabase,
) -> None:
    records = [
        run_flow(named(generated_session(seed, Shape(2, 2, 3, closes=15)), portfolio, run)).entries
        for seed, portfolio, run in (
            (1, "main", "replay.a"),
            (1, "main", "replay.b"),
            (2, "other", "replay.a"),
        )
    ]
    together = zip_longest(*records)
    record(database, [entry for three in together for entry in three if entry is not None])
    for entries in records:
        for entry in entries:
            kept = stored(database, schema.Key.of(entry), entry.close_time)
            assert kept is not None
            assert same_entry(kept, entry)
    found = database.verify()
    assert found.passed
    assert {(one.portfolio, one.run): one.closes for one in found.records} == {
        (one[0].portfolio, one[0].run): len(one) for one in records
    }
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE fills SET price = '9' WHERE run = 'replay.b'"))
    (first, *_) = database.verify().findings
    assert (first.portfolio, first.run) == ("main", "replay.b")


def test_a_record_of_another_log_is_refused_alone(database: LedgerDatabase) -> None:
    others = run_flow(named(generated_session(2, Shape(2, 2, 3, closes=15)), "other", "replay.b"))
    record(database, ENTRIES[:3])
    wrong = replace(ENTRIES[2], equity=Decimal(1))

    async def run() -> None:
        store = SqlLedgerStore(database, linger_seconds=0.0)
        writing = asyncio.create_task(store.write())
        for entry in (others.entries[0], wrong, others.entries[1]):
            await store.commit(entry)
        with pytest.raises(LedgerConflict, match=f"record of {NAME} in {RUN} at"):
            await store.written(RUN, NAME)
        with pytest.raises(LedgerConflict):
            await store.commit(ENTRIES[3])
        await store.commit(others.entries[2])
        await store.written("replay.b", "other")
        await store.close()
        await writing

    asyncio.run(run())
    kept = {(one.portfolio, one.run): one.closes for one in database.verify().records}
    assert kept == {(NAME, RUN): 3, ("other", "replay.b"): 3}


def _named(entry: LedgerEntry):  # type: ignore[no-untyped-def]
    return replace(entry.decision, portfolio="other")


def test_an_order_id_or_an_execution_id_comes_once_in_a_portfolio(database: LedgerDatabase) -> None:
    ordering = next(entry for entry in ENTRIES if entry.decision.orders)
    later = replace(ordering, close_time=ENTRIES[-1].close_time + 1, events=(), attributed=())
    record(database, ENTRIES)
    with pytest.raises(Unusable, match=r'UNIQUE constraint failed: orders|"orders_order_id"'):
        record(database, [later])


def test_the_write_ahead_log_is_synced_at_every_commit(file_database: LedgerDatabase) -> None:
    with file_database.writer.connect() as connection:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        told = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    assert told == ["wal", 2, 1, 10_000]


def test_queries_keep_few_pages_of_a_long_record_in_memory(file_database: LedgerDatabase) -> None:
    with file_database.reader.connect() as connection:
        told = connection.exec_driver_sql("PRAGMA cache_size").scalar()
    assert told == -256  # KiB
