"""The ledger's database: SQLite in one file by default, PostgreSQL by URL.

BadDatabase(CannotStart)
├── Unusable          it can't be opened, or is no database of a ledger
└── UnknownRevision   its schema is of a version that this one does not know
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.services.ledger.adapters.migrating import (
    NEWEST_REVISION,
    VERSION_TABLE,
    known_revisions,
    upgrade,
)

BUSY_SECONDS = 10
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


class LedgerDatabase:
    """Connections to one database. writer : for the one that writes. reader : for queries, which
    can't write and hold nothing between them.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self.shown = self._url.render_as_string(hide_password=True)
        self.writer = self._engine(self._url)
        self.reader = self._engine(self._url, read_only=True)

    def prepare(self) -> None:
        """Bring the schema to the newest revision. Raises BadDatabase.

        Instances that start at the same time wait for each other; so it is done once.
        """
        with self.errors_told(), self.writer.begin() as connection:
            tables = set(inspect(connection).get_table_names())
            if VERSION_TABLE not in tables and tables:
                found = ", ".join(sorted(tables)[:3])
                raise Unusable(self.shown, f"it is no ledger's, it holds tables {found}")
            revision = _revision(connection) if tables else None
            if revision == NEWEST_REVISION:
                return
            if revision is not None and revision not in known_revisions():
                raise UnknownRevision(self.shown, revision)
            upgrade(connection)

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        """Turn a driver's error into Unusable."""
        try:
            yield
        except DBAPIError as error:
            raise Unusable(self.shown, str(error.orig).splitlines()[0]) from error

    def close(self) -> None:
        """Nothing is asked any more: one file is left, unless another process has it open."""
        # SQLite takes its log into the file when the last one that may write leaves, and queries
        # may not: so one more comes and goes.
        with self.errors_told(), self.writer.connect():
            pass
        self.writer.dispose()
        self.reader.dispose()

    def _engine(self, url: URL, read_only: bool = False) -> Engine:
        try:
            if url.get_backend_name() == "sqlite":
                return _sqlite(url, read_only)
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


def _sqlite(url: URL, read_only: bool) -> Engine:
    path = Path(str(url.database)).absolute()
    if read_only:
        url = url.set(database=path.as_uri(), query={"mode": "ro", "uri": "true"})
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
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    def began(connection: Any) -> None:
        # A writer takes the lock at once: a read that wants to write later can't wait for it.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine


def _revision(connection: Any) -> str | None:
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return revision
