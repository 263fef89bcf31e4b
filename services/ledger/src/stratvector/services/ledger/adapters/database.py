"""The ledger's database: SQLite in one file by default, PostgreSQL by URL.

BadDatabase(CannotStart)
├── Unusable          it can't be opened, or is no database of a ledger
│   └── Away          its server does not answer now, or is busy: the same may succeed later
├── UnknownRevision   its schema is of a version that this one does not know
├── WithoutHashes     it was written before payloads were kept: nothing can be verified
└── Damaged           it is not as the ledger recorded it
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

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
    works_on,
)
from stratvector.services.ledger.adapters.payloads import BadPayload
from stratvector.services.ledger.adapters.postgresql import (
    MIGRATION,
    WRITING,
    NoPassword,
    is_server,
    lock,
    may_pass,
    needs_person,
    server_engine,
    with_driver,
    without_limits,
)
from stratvector.services.ledger.adapters.schema import UNKNOWN_RUN, Key
from stratvector.services.ledger.adapters.seal import FileSeal
from stratvector.services.ledger.adapters.sqlite_file import (
    REST_SECONDS,
    file_of,
    log_of,
    make_private,
    sqlite_engine,
)
from stratvector.services.ledger.adapters.verification import verify, verify_later
from stratvector.trading.ledger_verification import FILE, Finding, Verification

LAST_QUERY_SECONDS = 2.0  # another process that has the file open is not waited for any longer


class BadDatabase(CannotStart):
    """A database that the ledger can't use; the message is one sentence."""


class Unusable(BadDatabase):
    """The database can't be opened, or is no ledger's. shown : its URL without a password."""

    def __init__(self, shown: str, reason: str) -> None:
        super().__init__(f"ledger database {shown}: {reason}")
        self.shown, self.reason = shown, reason


class Away(Unusable):
    """The database's server can't be reached, restarts, or is too busy: it is asked again."""


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
    password_file : a server's password, read at each new connection. Raises Unusable.
    """

    def __init__(self, url: str, at_rest: bool = False, password_file: Path | None = None) -> None:
        self._url, self._password_file = _checked(url), password_file
        self.is_on_server = is_server(self._url)
        self.shown = self._url.render_as_string(hide_password=True)
        file = file_of(self._url)
        self._seal = None if file is None else FileSeal(file)
        self._at_rest, self._wrote, self._matches_seal = at_rest, False, False
        self._was_there = self._is_prepared = False
        self.writer = self._engine(self._url)
        self.reader = self._engine(self._url, read_only=True)

    def be_ready(self) -> None:
        """Prepare what is on a server, which may not have been there before. Raises BadDatabase."""
        if self.is_on_server and not self._at_rest and not self._is_prepared:
            self.prepare()

    def prepare(self) -> str:
        """Bring the schema to the newest revision, unless it is of a later one that kept what this
        version uses; the revision that it has then. Raises BadDatabase.

        Instances that start at the same time wait for each other; so it is done once.
        """
        make_private(file_of(self._url))
        revision = self._prepare()
        self._is_prepared = True
        return revision

    def _prepare(self) -> str:
        with self.errors_told(), self.writer.begin() as connection:
            without_limits(connection)
            lock(connection, MIGRATION)
            tables = set(inspect(connection).get_table_names())
            if VERSION_TABLE not in tables and tables:
                found = ", ".join(sorted(tables)[:3])
                raise Unusable(self.shown, f"it is no ledger's, it holds tables {found}")
            revision = revision_of(connection) if tables else None
            if revision is not None:
                self.refuse_unknown(revision)
                if works_on(revision):
                    return revision
            if revision in BEFORE_PAYLOADS and _has_closes(connection):
                raise WithoutHashes(self.shown)
            if self._seal is not None and (broken := self._seal.broken()):
                raise Unusable(self.shown, broken)
            self.unseal()
            upgrade(connection)
            return NEWEST_REVISION

    def refuse_unknown(self, revision: str) -> None:
        """A schema that this version neither works on nor can bring there. Raises
        UnknownRevision.
        """
        if not works_on(revision) and revision not in known_revisions():
            raise UnknownRevision(self.shown, revision)

    def verify(self) -> Verification:
        """Whether everything is as it was recorded. Raises BadDatabase."""
        broken = "" if self._seal is None else self._seal.broken()
        sealed = self._seal is not None and self._seal.exists()
        try:
            self.be_ready()
            with self.errors_told(), self.snapshot() as connection:
                without_limits(connection)
                tables = set(inspect(connection).get_table_names())
                if VERSION_TABLE not in tables and not sealed:
                    raise Unusable(self.shown, "it is no ledger's")
                revision = revision_of(connection) if VERSION_TABLE in tables else None
                if revision is not None and not broken:
                    self.refuse_unknown(revision)
                if revision in BEFORE_PAYLOADS:
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
                    lock(connection, WRITING, key._replace(run=UNKNOWN_RUN))
                    adopt(connection, key)

    @contextmanager
    def asked(self, key: Key) -> Iterator[Connection]:
        """One state of the database, whose tables tell every close that was committed before.

        Raises BadDatabase.
        """
        self.be_ready()
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
        """Turn a driver's error into Unusable, or Away."""
        try:
            yield
            self._was_there = True
        except DBAPIError as error:
            raise self._told(error)(self.shown, str(error.orig).splitlines()[0]) from error
        except PoolTimeout as error:
            raise Away(self.shown, "all connections to it are busy") from error
        except NoPassword as error:
            raise (Away if self._was_there else Unusable)(self.shown, str(error)) from error
        except (BadPayload, BadMessage) as error:
            raise Unusable(self.shown, f"a payload can't be read: {error}") from error
        except UnicodeDecodeError as error:
            # SQLite's own message quotes what it could not read.
            raise Unusable(self.shown, "it holds text that is none") from error

    def _told(self, error: DBAPIError) -> type[Unusable]:
        """At the start a wrong password is for a person; later it may be one that changes."""
        if not self.is_on_server:
            return Unusable
        if needs_person(error):
            return Away if self._was_there else Unusable
        return Away if may_pass(error) else Unusable

    def close(self) -> None:
        """Nothing is asked any more: one file and its seal are left, unless another process has it
        open.
        """
        if not (self._at_rest or self.is_on_server):
            self._leave_one_file()
        self.dispose()
        if self._wrote and self._seal is not None:
            self._seal.apply()

    def dispose(self) -> None:
        """Give all connections back; whoever asks again gets new ones."""
        self.writer.dispose()
        self.reader.dispose()

    def _leave_one_file(self) -> None:
        """SQLite takes its log into the file when the last one that may write leaves, and queries
        may not: so one more comes and goes, until a last query has left, too.
        """
        patience_ends_at = time.monotonic() + LAST_QUERY_SECONDS
        while True:
            with self.errors_told(), self.writer.connect():
                pass
            log = log_of(self._url)
            if log is None or not log.exists() or time.monotonic() > patience_ends_at:
                return
            time.sleep(REST_SECONDS)

    def _verified(self, connection: Connection, broken: str, sealed: bool) -> Verification:
        return verify(connection, broken, sealed)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One state of the database, whatever is committed meanwhile."""
        with self.reader.begin() as connection:
            yield connection

    def _engine(self, url: URL, read_only: bool = False) -> Engine:
        try:
            if not self.is_on_server:
                return sqlite_engine(url, read_only, self._at_rest)
            return server_engine(url, read_only, self._password_file)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise Unusable(self.shown, f"its driver is not installed ({error})") from error


def _checked(url: str) -> URL:
    try:
        parsed = with_driver(make_url(url))
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
    elif not is_server(parsed):
        shown = parsed.render_as_string(hide_password=True)
        raise Unusable(shown, "it is neither SQLite nor PostgreSQL")
    return parsed


def revision_of(connection: Connection) -> str | None:
    """The revision of a database's schema."""
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return revision


def _has_closes(connection: Connection) -> bool:
    return connection.scalar(text("SELECT 1 FROM closes LIMIT 1")) is not None
