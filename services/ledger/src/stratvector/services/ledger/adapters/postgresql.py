"""A ledger's database on a PostgreSQL server: connections, locks, and what its errors mean.

A server may not be there yet, restart or change its host at any time. What it was told in a
transaction that was cut off is either all there or not at all, and the ledger compares what is
there before it adds anything; so whatever means "not now" is tried again.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from stratvector.services.ledger.adapters.schema import Key

NAME = "postgresql"
DRIVER = "postgresql+psycopg"
SPELLED = ("postgresql", "postgres")  # without a driver, as libpq and cloud consoles spell it
POOL_SECONDS = 10
# One writes for the whole life of the process; another one derives what a question needs.
WRITERS, READERS = (1, 1), (2, 2)
# Of libpq: a host that vanished without a word is given up after about ten seconds.
CONNECT = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "application_name": "stratvector-ledger",
}
LIMITS_MS = {
    "statement_timeout": 60_000,
    "lock_timeout": 30_000,
    "idle_in_transaction_session_timeout": 60_000,
}
# SQLSTATE classes and codes after which the same statement may succeed: the connection, an operator
# or a crash, resources, a conflict of transactions, a lock or a statement that took too long, a
# standby that is to become the primary.
PASSING_CLASSES = ("08", "53", "57", "58")
PASSING_CODES = frozenset({"25006", "25P03", "40001", "40P01", "55P03"})
# SQLSTATE classes of a refused connection for a person: who may connect, and whether it is there.
CLASSES_FOR_A_PERSON = ("28", "3D")
# The words of libpq for the same, or of a server whose SQLSTATE can't be had.
WORDS_FOR_A_PERSON = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "certificate",
    "does not support SSL",
    "invalid",
)
MIGRATION, WRITING, DERIVING = "migration", "writing", "deriving"


class NoPassword(OSError):
    """The file with the password can't be read, or holds none; the message is one sentence."""


def is_server(url: URL) -> bool:
    """Whether a database is on a server."""
    return url.get_backend_name() == NAME


def with_driver(url: URL) -> URL:
    """The same address, spoken to by the driver that is installed."""
    return url.set(drivername=DRIVER) if url.drivername in SPELLED else url


def server_engine(url: URL, read_only: bool, password_file: Path | None) -> Engine:
    """Few connections, made anew where the server has closed them.

    read_only : each transaction sees one state and can't write. password_file : read at each new
    connection, so that a password can change while the ledger runs.
    """
    isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
    size, more = READERS if read_only else WRITERS
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=more,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        connect_args={key: value for key, value in CONNECT.items() if key not in url.query},
        execution_options={"isolation_level": isolation, "postgresql_readonly": read_only},
    )
    event.listen(engine, "connect", _limited)
    event.listen(engine, "do_connect", _connecting(password_file))
    return engine


def lock(connection: Connection, what: str, key: Key | None = None) -> None:
    """Wait for who does the same, until the end of the transaction; SQLite locks its whole file.

    key : the record that it is done to, None for the whole database.
    """
    if connection.dialect.name != NAME:
        return
    named = "\0".join(("stratvector ledger", what, *(key or ())))
    number = int.from_bytes(hashlib.sha256(named.encode()).digest()[:8], "big", signed=True)
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def without_limits(connection: Connection) -> None:
    """What is done once, or because somebody asked, takes as long as the record is long."""
    if connection.dialect.name == NAME:
        for name in LIMITS_MS:
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")


def may_pass(error: DBAPIError) -> bool:
    """Whether the same may succeed later, without a person: the server is away or busy."""
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return str(code)[:2] in PASSING_CLASSES or str(code) in PASSING_CODES
    return type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")


def needs_person(error: DBAPIError) -> bool:
    """Whether a connection was refused for a wrong password, name or certificate."""
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return str(code)[:2] in CLASSES_FOR_A_PERSON
    return any(words in str(error.orig) for words in WORDS_FOR_A_PERSON)


def _limited(connection: Any, record: Any) -> None:
    """A statement that hangs, and a transaction that nobody ends, must not hold up the others."""
    connection.autocommit = True
    for name, milliseconds in LIMITS_MS.items():
        connection.execute(f"SET {name} = {milliseconds}")
    connection.autocommit = False


def _connecting(password_file: Path | None) -> Callable[[Any, Any, Any, dict[str, Any]], Any]:
    def do_connect(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        if password_file is not None:
            options["password"] = _password(password_file)
        try:
            return dialect.connect(*arguments, **options)
        except dialect.loaded_dbapi.OperationalError as error:
            # With SQLite nobody loads the driver of a server.
            from stratvector.services.ledger.adapters.refused_connection import tell_code

            tell_code(error, options)
            raise

    return do_connect


def _password(file: Path) -> str:
    """Raises NoPassword."""
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise NoPassword(f"the password file {file} can't be read: {why}") from error
    if not password:
        raise NoPassword(f"the password file {file} is empty")
    return password
