"""The ledger's database: SQLite in one file by default, PostgreSQL by URL.

BadDatabase(CannotStart)
├── Unusable          it can't be opened, or is no database of a ledger
├── UnknownRevision   its schema is of a version that this one does not know
├── WithoutHashes     it was written before payloads were kept: nothing can be verified
└── Damaged           it is not as the ledger recorded it
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from stratvector.contracts.bad_message import BadMessage
from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.services.ledger.adapters.adopting import adopt, may_adopt
from stratvector.services.ledger.adapters.deriving import BATCH_CLOSES, derive, is_behind
from stratvector.services.ledger.adapters.migrating import (
    BEFORE_PAYLOADS,
    NEWEST_REVISION,
    VERSION_TABLE,
    known_revisions,
    upgrade,
)
from stratvector.services.ledger.adapters.payloads import BadPayload
from stratvector.services.ledger.adapters.schema import Key
from stratvector.services.ledger.adapters.seal import FileSeal
from stratvector.services.ledger.adapters.verification import verify, verify_later
from stratvector.trading.ledger_verification import FILE, Finding, Verification

BUSY_SECONDS = 10
LAST_QUERY_SECONDS = 2.0  # another process that has the file open is not waited for any longer
REST_SECONDS = 0.05
PRIMARY_CODE = 0xFF  # of SQLite's extended result codes
FILE_MODE = 0o640
# A query counts rows once and leaves; a cache of its own would only make the process grow with the
# record, on each thread that answers. The system's cache holds the file.
READER_CACHE_KIBIBYTES = 256


class BadDatabase(CannotStart):
    """A database that the ledger can't use; the message is one sentence."""


class Unusable(BadDatabase):
    """The database can't be opened, or is no ledger's. shown : its URL without a password."""

    def __init__(self, shown: str, reason: str) -> None:
        super().__init__(f"ledger database {shown}: {reason}")
        self.shown, self.reason = shown, reason


class UnknownRevision(BadDatabase):
    """The schema's revision is none that this version knows."""

    def __init__(self, shown: str, revision: str) -> None:
        super().__init__(
            f"ledger database {shown} has schema revision {revision!r}, which this version does "
            f"not know (its newest is {NEWEST_REVISION!r}): run a newer version of StratVector"
        )
        self.shown, self.revision = shown, revision


class WithoutHashes(BadDatabase):
    """A database of before payloads were kept."""

    def __init__(self, shown: str) -> None:
        super().__init__(
            f"ledger database {shown} holds no hashes: an earlier version wrote it, so it can "
            "neither be verified nor continued; the log fills a new one"
        )
        self.shown = shown


class Damaged(BadDatabase):
    """A database that was changed outside of the ledger."""

    def __init__(self, shown: str, verification: Verification) -> None:
        super().__init__(
            f"ledger database {shown} is {verification.sentence()}; nothing is added to it, the "
            "log fills a new one"
        )
        self.shown, self.verification = shown, verification


class LedgerDatabase:
    """Connections to one database. writer : for the one that writes. reader : for queries, which
    can't write and hold nothing between them.

    at_rest : only to be read, see `resting`; nothing is made or changed, not even beside the file.
    """

    def __init__(self, url: str, at_rest: bool = False) -> None:
        self._url = _checked(url)
        self.shown = self._url.render_as_string(hide_password=True)
        file = _file(self._url)
        self._seal = None if file is None else FileSeal(file)
        self._at_rest, self._wrote, self._matches_seal = at_rest, False, False
        self.writer = self._engine(self._url)
        self.reader = self._engine(self._url, read_only=True)

    def prepare(self) -> None:
        """Bring the schema to the newest revision. Raises BadDatabase.

        Instances that start at the same time wait for each other; so it is done once.
        """
        _make_private(_file(self._url))
        with self.errors_told(), self.writer.begin() as connection:
            tables = set(inspect(connection).get_table_names())
            if VERSION_TABLE not in tables and tables:
                found = ", ".join(sorted(tables)[:3])
                raise Unusable(self.shown, f"it is no ledger's, it holds tables {found}")
            revision = revision_of(connection) if tables else None
            if revision == NEWEST_REVISION:
                return
            if revision is not None and revision not in known_revisions():
                raise UnknownRevision(self.shown, revision)
            if revision in BEFORE_PAYLOADS and _has_closes(connection):
                raise WithoutHashes(self.shown)
            if self._seal is not None and (broken := self._seal.broken()):
                raise Unusable(self.shown, broken)
            self.unseal()
            upgrade(connection)

    def verify(self) -> Verification:
        """Whether everything is as it was recorded. Raises BadDatabase."""
        broken = "" if self._seal is None else self._seal.broken()
        sealed = self._seal is not None and self._seal.exists()
        try:
            with self.errors_told(), self.snapshot() as connection:
                tables = set(inspect(connection).get_table_names())
                if VERSION_TABLE not in tables and not sealed:
                    raise Unusable(self.shown, "it is no ledger's")
                if VERSION_TABLE in tables and revision_of(connection) in BEFORE_PAYLOADS:
                    raise WithoutHashes(self.shown)
                return self._verified(connection, broken, sealed and not broken)
        except Unusable as error:
            if not sealed:
                raise
            # It was a ledger's when it was sealed: that it can't be read now is a finding.
            finding = Finding(FILE, "", None, broken or error.reason)
            return Verification((), 0, False, (finding,), 1)

    def derive(self, key: Key) -> None:
        """Bring the tables that are asked up to a record's newest close. Raises BadDatabase."""
        with self.errors_told(), self.writer.connect() as connection:
            self.unseal()
            while derive(connection, key) == BATCH_CLOSES:
                pass

    def adopt(self, key: Key) -> None:
        """Give a record of before runs were kept this run, if it is its own and the whole database
        is as it was recorded. Raises BadDatabase.
        """
        with self.errors_told():
            with self.reader.begin() as connection:
                waits = may_adopt(connection, key)
            if waits:
                self._refuse(self.verify())
                self.unseal()
                with self.writer.begin() as connection:
                    adopt(connection, key)

    @contextmanager
    def asked(self, key: Key) -> Iterator[Connection]:
        """One state of the database, whose tables tell every close that was committed before.

        Raises BadDatabase.
        """
        with self.errors_told():
            with self.reader.begin() as connection:
                behind = is_behind(connection, key)
                if not behind:
                    yield connection
            if behind:
                self.derive(key)
                with self.reader.begin() as connection:
                    yield connection

    def refuse_unreadable(self) -> None:
        """Somebody else's file, or none, is told before anything is asked. Raises BadDatabase."""
        if self._seal is not None and self._seal.exists():
            return
        with self.errors_told(), self.reader.begin() as connection:
            if VERSION_TABLE not in inspect(connection).get_table_names():
                raise Unusable(self.shown, "it is no ledger's")

    def refuse_damage(self, key: Key, after: int | None) -> None:
        """Nothing is added to a record that is not as it was recorded: its closes later than one,
        None for all, and the file where it is sealed. A start must not take longer the longer the
        record is, so what is before is left to `verify`. Raises BadDatabase.
        """
        broken = ""
        if self._seal is not None and not (self._wrote or self._matches_seal):
            broken = self._seal.broken()
        with self.errors_told(), self.snapshot() as connection:
            self._refuse(verify_later(connection, key, after, broken))
        self._matches_seal = True  # until this process writes, which is asked first

    def _refuse(self, found: Verification) -> None:
        if not found.passed:
            raise Damaged(self.shown, found)

    def unseal(self) -> None:
        """Somebody writes from now on."""
        self._wrote = True
        if self._seal is not None:
            self._seal.remove()

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        """Turn a driver's error into Unusable."""
        try:
            yield
        except DBAPIError as error:
            raise Unusable(self.shown, str(error.orig).splitlines()[0]) from error
        except (BadPayload, BadMessage) as error:
            raise Unusable(self.shown, f"a payload can't be read: {error}") from error
        except UnicodeDecodeError as error:
            # SQLite's own message quotes what it could not read.
            raise Unusable(self.shown, "it holds text that is none") from error

    def close(self) -> None:
        """Nothing is asked any more: one file and its seal are left, unless another process has it
        open.
        """
        if self._at_rest:
            self.reader.dispose()
            return
        self._leave_one_file()
        self.writer.dispose()
        self.reader.dispose()
        if self._wrote and self._seal is not None:
            self._seal.apply()

    def _leave_one_file(self) -> None:
        """SQLite takes its log into the file when the last one that may write leaves, and queries
        may not: so one more comes and goes, until a last query has left, too.
        """
        patience_ends_at = time.monotonic() + LAST_QUERY_SECONDS
        while True:
            with self.errors_told(), self.writer.connect():
                pass
            log = _log_of(self._url)
            if log is None or not log.exists() or time.monotonic() > patience_ends_at:
                return
            time.sleep(REST_SECONDS)

    def _verified(self, connection: Connection, broken: str, sealed: bool) -> Verification:
        return verify(connection, broken, sealed)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One state of the database, whatever is committed meanwhile."""
        reader = self.reader
        if self._url.get_backend_name() != "sqlite":
            reader = reader.execution_options(isolation_level="REPEATABLE READ")
        with reader.begin() as connection:
            yield connection

    def _engine(self, url: URL, read_only: bool = False) -> Engine:
        try:
            if url.get_backend_name() == "sqlite":
                return _sqlite(url, read_only, self._at_rest)
            options = {"postgresql_readonly": True} if read_only else {}
            return create_engine(url, poolclass=NullPool, execution_options=options)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise Unusable(self.shown, f"its driver is not installed ({error})") from error


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Unusable(
            "database_url", "it is no URL such as sqlite:////var/lib/stratvector/ledger.db"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise Unusable(url, "a ledger in memory is no record; name a file")
        folder = Path(str(parsed.database)).absolute().parent
        if not folder.is_dir():
            raise Unusable(url, f"there is no folder {folder}")
    return parsed


def _file(url: URL) -> Path | None:
    """SQLite's file."""
    return Path(str(url.database)).absolute() if url.get_backend_name() == "sqlite" else None


def _log_of(url: URL) -> Path | None:
    """SQLite's write-ahead log, beside its file."""
    file = _file(url)
    return None if file is None else file.with_name(f"{file.name}-wal")


def _make_private(file: Path | None) -> None:
    """A record of somebody's money is not for everybody; SQLite's own files follow this one."""
    if file is not None and not file.exists():
        file.touch(FILE_MODE)


def _sqlite(url: URL, read_only: bool, at_rest: bool) -> Engine:
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


def revision_of(connection: Connection) -> str | None:
    """The revision of a database's schema."""
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return revision


def _has_closes(connection: Connection) -> bool:
    return connection.scalar(text("SELECT 1 FROM closes LIMIT 1")) is not None
