"""A ledger's database in one file: SQLite, opened so that a commit is on the disk."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import NullPool

BUSY_SECONDS = 10
REST_SECONDS = 0.05
PRIMARY_CODE = 0xFF  # of SQLite's extended result codes
FILE_MODE = 0o640
# A query counts rows once and leaves; a cache of its own would only make the process grow with the
# record, on each thread that answers. The system's cache holds the file.
READER_CACHE_KIBIBYTES = 256


def file_of(url: URL) -> Path | None:
    """SQLite's file."""
    return Path(str(url.database)).absolute() if url.get_backend_name() == "sqlite" else None


def log_of(url: URL) -> Path | None:
    """SQLite's write-ahead log, beside its file."""
    file = file_of(url)
    return None if file is None else file.with_name(f"{file.name}-wal")


def make_private(file: Path | None) -> None:
    """A record of somebody's money is not for everybody; SQLite's own files follow this one."""
    if file is not None and not file.exists():
        file.touch(FILE_MODE)


def sqlite_engine(url: URL, read_only: bool, at_rest: bool) -> Engine:
    """Connections to a file; each is closed when it is given back. at_rest : nobody writes."""
    path = Path(str(url.database)).absolute()
    if read_only or at_rest:
        query = {"mode": "ro", "uri": "true"}
        if at_rest and not path.with_name(f"{path.name}-wal").exists():
            # Nobody writes: SQLite needs no file of its own beside it, in a folder of any rights.
            query["immutable"] = "1"
        url = url.set(database=path.as_uri(), query=query)
    engine = create_engine(url, poolclass=NullPool, connect_args={"check_same_thread": False})

    def connected(connection: Any, record: Any) -> None:
        # The driver's own idea of when a transaction begins leaves DDL and reads outside.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1_000}")
        cursor.execute("PRAGMA foreign_keys=ON")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
            cursor.execute(f"PRAGMA cache_size=-{READER_CACHE_KIBIBYTES}")
        else:
            _into_wal_mode(cursor)
            cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    def began(connection: Any) -> None:
        # A writer takes the lock at once: a read that wants to write later can't wait for it.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine


def _into_wal_mode(cursor: sqlite3.Cursor) -> None:
    """SQLite does not wait where two change the mode of a new file at once, so this does."""
    patience_ends_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > patience_ends_at:
                raise
            time.sleep(REST_SECONDS)
