"""ledger_file: a ledger's database in one file, copied while the ledger writes it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from stratvector.cli.backup.manifest import LEDGER, BadBackup, LedgerCopy
from stratvector.cli.failures import CommandFailed

FILE = f"{LEDGER}/ledger.db"
KIND = "sqlite"
BUSY_SECONDS = 30.0
FILE_MODE = 0o640


def copy_file(source: Path, backup: Path) -> LedgerCopy:
    """One state of the database, whatever is committed meanwhile. Raises CommandFailed."""
    if not source.is_file():
        raise CommandFailed(f"--database: there is no ledger's file {source}")
    target = backup / FILE
    target.parent.mkdir(parents=True)
    target.touch(FILE_MODE)
    try:
        with _opened(source) as found, closing(sqlite3.connect(target)) as copy:
            found.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            told = _facts(copy)
    except sqlite3.Error as error:
        raise CommandFailed(f"--database {source}: it can't be copied: {error}") from None
    return told


def _facts(database: sqlite3.Connection) -> LedgerCopy:
    revision = database.execute("SELECT version_num FROM ledger_revision").fetchone()[0]
    newest = database.execute("SELECT portfolio, run, MAX(close_time) FROM payloads GROUP BY 1, 2")
    records = {f"{run}.{portfolio}": close_time for portfolio, run, close_time in newest}
    return LedgerCopy(KIND, revision, records)


def is_there_already(backup: Path, target: Path) -> bool:
    """Whether an interrupted restore has put the file back. Raises CommandFailed where another
    ledger's rows are in its place.
    """
    if not target.parent.is_dir():
        raise CommandFailed(f"--database: there is no folder {target.parent}")
    if not target.exists():
        return False
    if target.read_bytes() == (backup / FILE).read_bytes():
        return True
    if _has_rows(target):
        raise CommandFailed(
            f"--database: the ledger's file {target} holds rows; name one that is not there yet"
        )
    return False


def put_file_back(backup: Path, target: Path) -> None:
    """Whole or not at all; without the files that SQLite and the ledger keep beside it. Raises
    OSError.
    """
    draft = target.with_name(f".{target.name}.part")
    draft.touch(FILE_MODE)
    with (backup / FILE).open("rb") as saved, draft.open("wb") as written:
        while piece := saved.read(1 << 20):
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())
    for ending in ("-wal", "-shm", ".seal"):
        target.with_name(f"{target.name}{ending}").unlink(missing_ok=True)
    draft.replace(target)


def payloads(file: Path) -> Iterator[tuple[str, str, int, bytes, str, str]]:
    """Every close of a ledger's file, each record in its order: portfolio, run, close, payload and
    its hash, the chain's. Raises BadBackup.
    """
    try:
        with _opened(file) as database:
            yield from database.execute(
                "SELECT portfolio, run, close_time, payload, payload_hash, chain_hash "
                "FROM payloads ORDER BY portfolio, run, close_time"
            )
    except sqlite3.Error as error:
        raise BadBackup(f"the ledger's file {file} can't be read: {error}") from None


def _has_rows(file: Path) -> bool:
    try:
        with _opened(file) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = [name for (name,) in tables if name != "ledger_revision"]
            rows = (database.execute(f'SELECT 1 FROM "{one}" LIMIT 1').fetchone() for one in names)
            return any(row is not None for row in rows)
    except sqlite3.Error:
        return True  # whatever it is, it is somebody's


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    place = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(place, uri=True, timeout=BUSY_SECONDS)) as database:
        yield database
