"""ledger_server: a ledger's database on a PostgreSQL server, each table a file.

It is read in one transaction of one state, with what makes its tables, so that a backup needs
neither `pg_dump` nor a database that somebody has prepared. A newer version of the ledger brings
what was put back to its own schema when it starts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratvector.cli.backup.manifest import LEDGER, LedgerCopy
from stratvector.cli.failures import CommandFailed

if TYPE_CHECKING:
    from psycopg import Connection

KIND = "postgresql"
REVISION = "ledger_revision"
CONNECT_SECONDS = 10
HERE = "c.relnamespace = current_schema()::regnamespace"
TABLES = f"SELECT c.oid, c.relname FROM pg_class c WHERE c.relkind = 'r' AND {HERE} ORDER BY 2"
COLUMNS = """
    SELECT quote_ident(attname), format_type(atttypid, atttypmod) || coalesce(
        ' COLLATE ' || quote_ident(collname), ''), attnotnull
    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
    LEFT JOIN pg_collation c ON c.oid = attcollation AND attcollation <> t.typcollation
    WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
CONSTRAINTS = """
    SELECT quote_ident(conname), pg_get_constraintdef(oid), contype
    FROM pg_constraint WHERE conrelid = %s AND contype IN ('p', 'u', 'c', 'f') ORDER BY conname
"""
INDEXES = """
    SELECT pg_get_indexdef(indexrelid) FROM pg_index i WHERE indrelid = %s
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid) ORDER BY 1
"""


def copy_database(url: str, password_file: Path | None, backup: Path) -> LedgerCopy:
    """One state of the database, whatever is committed meanwhile. Raises CommandFailed."""
    (backup / LEDGER).mkdir(parents=True)
    with _connected(url, password_file) as database:
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        tables = [_described(database, *row) for row in database.execute(TABLES).fetchall()]
        if REVISION not in {one["name"] for one in tables}:
            raise CommandFailed(f"--database {url}: it is no ledger's")
        for table in tables:
            with (backup / _file(table)).open("wb") as file:
                _write_rows(database, table, file)
        (revision,) = _one(database, f"SELECT version_num FROM {REVISION}")
        return LedgerCopy(KIND, revision, _records(database), tuple(tables))


def _described(database: "Connection[Any]", oid: int, name: str) -> dict[str, Any]:
    """What makes a table, as JSON can hold it. keys : primary and others; references : to other
    tables, which must be there first. order : of its rows, so that a copy of equal rows is equal.
    """
    columns = database.execute(COLUMNS, (oid,)).fetchall()
    constraints = database.execute(CONSTRAINTS, (oid,)).fetchall()
    keys = [f"{n} {text}" for n, text, kind in constraints if kind != "f"]
    primary = [text for _, text, kind in constraints if kind == "p"]
    return {
        "name": name,
        "columns": [f"{n} {kind}{' NOT NULL' if bound else ''}" for n, kind, bound in columns],
        "names": [n for n, _, _ in columns],
        "keys": keys,
        "references": [f"{n} {text}" for n, text, kind in constraints if kind == "f"],
        "indexes": [text for (text,) in database.execute(INDEXES, (oid,)).fetchall()],
        "order": primary[0].removeprefix("PRIMARY KEY ") if primary else "",
    }


def _file(table: Any) -> str:
    return f"{LEDGER}/{table['name']}.copy"


def _write_rows(database: "Connection[Any]", table: Any, file: Any) -> None:
    names, order = ", ".join(table["names"]), table["order"].strip("()")
    rows = f'SELECT {names} FROM "{table["name"]}"{f" ORDER BY {order}" if order else ""}'
    with database.cursor().copy(f"COPY ({rows}) TO STDOUT (FORMAT binary)") as copy:
        for piece in copy:
            file.write(piece)


def is_there_already(
    url: str, password_file: Path | None, backup: Path, ledger: LedgerCopy
) -> bool:
    """Whether an interrupted restore has put the database back. Raises CommandFailed where another
    ledger's rows, or other tables, are in it.
    """
    with _connected(url, password_file) as database:
        there = [_described(database, *row) for row in database.execute(TABLES).fetchall()]
        if there and REVISION not in {one["name"] for one in there}:
            raise CommandFailed(f"--database {url}: it is no ledger's: it has {there[0]['name']}")
        known = {one["name"] for one in ledger.tables}
        if strangers := [one["name"] for one in there if one["name"] not in known]:
            raise CommandFailed(
                f"--database {url}: table {strangers[0]} is there and is not in the backup; name a "
                "database that is empty"
            )
        full = [one for one in there if one["name"] != REVISION and _has_rows(database, one)]
        if not full:
            return False
        if there == list(ledger.tables) and all(_is_equal(database, backup, one) for one in there):
            return True
        raise CommandFailed(
            f"--database {url}: table {full[0]['name']} holds rows; name a database that is empty"
        )


def _has_rows(database: "Connection[Any]", table: Any) -> bool:
    found = database.execute(f'SELECT 1 FROM "{table["name"]}" LIMIT 1')
    return found.fetchone() is not None


def _is_equal(database: "Connection[Any]", backup: Path, table: Any) -> bool:
    """Whether a table's rows are those of a backup, read side by side."""
    with (backup / _file(table)).open("rb") as saved:
        same = _Same(saved)
        _write_rows(database, table, same)
        return same.so_far and not saved.read(1)


class _Same:
    """Takes what would be written and compares it with what is there."""

    def __init__(self, saved: Any) -> None:
        self._saved, self.so_far = saved, True

    def write(self, piece: bytes) -> None:
        self.so_far = self.so_far and self._saved.read(len(piece)) == bytes(piece)


def put_database_back(
    url: str, password_file: Path | None, backup: Path, ledger: LedgerCopy
) -> None:
    """All tables, in one transaction, in place of empty ones. Raises CommandFailed."""
    with _connected(url, password_file) as database:
        for _, name in database.execute(TABLES).fetchall():
            database.execute(f'DROP TABLE "{name}" CASCADE')
        for table in ledger.tables:
            database.execute(f'CREATE TABLE "{table["name"]}" ({", ".join(table["columns"])})')
            _read_rows(database, table, backup / _file(table))
            for key in table["keys"]:
                database.execute(f'ALTER TABLE "{table["name"]}" ADD CONSTRAINT {key}')
            for index in table["indexes"]:
                database.execute(index)
        for table in ledger.tables:
            for reference in table["references"]:
                database.execute(f'ALTER TABLE "{table["name"]}" ADD CONSTRAINT {reference}')


def _read_rows(database: "Connection[Any]", table: Any, file: Path) -> None:
    names = ", ".join(table["names"])
    place = f'COPY "{table["name"]}" ({names}) FROM STDIN (FORMAT binary)'
    with database.cursor().copy(place) as copy, file.open("rb") as saved:
        while piece := saved.read(1 << 20):
            copy.write(piece)


def payloads(
    url: str, password_file: Path | None
) -> Iterator[tuple[str, str, int, bytes, str, str]]:
    """As `ledger_file.payloads`."""
    with _connected(url, password_file) as database, database.cursor("payloads") as rows:
        rows.execute(
            "SELECT portfolio, run, close_time, payload, payload_hash, chain_hash "
            'FROM payloads ORDER BY portfolio COLLATE "C", run COLLATE "C", close_time'
        )
        yield from rows


def _records(database: "Connection[Any]") -> dict[str, int]:
    newest = database.execute("SELECT portfolio, run, MAX(close_time) FROM payloads GROUP BY 1, 2")
    return {f"{run}.{portfolio}": close_time for portfolio, run, close_time in newest.fetchall()}


def _one(database: "Connection[Any]", statement: str) -> Any:
    return database.execute(statement).fetchone()


@contextmanager
def _connected(url: str, password_file: Path | None) -> "Iterator[Connection[Any]]":
    """One transaction. The connection's own errors are one sentence. Raises CommandFailed."""
    import psycopg

    options: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
    if password_file is not None:
        options["password"] = _password(password_file)
    try:
        with psycopg.connect(url, **options) as database:
            database.execute("SET statement_timeout = 0")
            database.commit()
            yield database
    except psycopg.Error as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CommandFailed(f"--database {url}: {why}") from None


def _password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"--database-password-file {file} can't be read: {error}") from None
