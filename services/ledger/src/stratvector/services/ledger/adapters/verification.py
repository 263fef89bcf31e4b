"""Is everything in the database as it was recorded?

    payload ── its hash, the chain's ──▶ entry ── rows of every table ──▶ equal, row by row

Read in one transaction and in blocks of closes, so memory does not grow with the record. A finding
names table, close and row; what can't be read is a finding too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, Connection, Row, Table, inspect, select, text, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from stratvector.contracts.bad_message import BadMessage
from stratvector.contracts.codecs import decode_ledger_entry
from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.migrating import VERSION_TABLE
from stratvector.services.ledger.adapters.names import Names
from stratvector.services.ledger.adapters.payloads import BadPayload, inflated
from stratvector.services.ledger.adapters.rows import Held, RowsOfCloses
from stratvector.services.ledger.adapters.stored_form import Stored, stored_rows
from stratvector.trading.identity import chained_hash, payload_hash
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.ledger_verification import (
    FILE,
    Finding,
    Verification,
    VerifiedRecord,
)

BLOCK_CLOSES = 64
FINDINGS_KEPT = 20
INTEGRITY_FINDINGS_MAX = 5
REASON_MAX = 160
# SQLite's messages quote damaged text, which Python can't read then.
UNREADABLE = (DBAPIError, UnicodeDecodeError)
FIRST, LAST = -(2**63), 2**63 - 1
POSITIONS = frozenset({schema.position_changes, schema.model_position_changes})


def verify(connection: Connection, broken_seal: str = "", sealed: bool = False) -> Verification:
    """Verify everything that there is, over one transaction.

    broken_seal : what is wrong with the file's seal, empty for nothing.
    """
    found = _Findings()
    if broken_seal:
        found.add(FILE, broken_seal)
    if connection.dialect.name == "sqlite":
        _check_pages(connection, found)
    records: tuple[VerifiedRecord, ...] = ()
    rows = 0
    if _has_tables(connection, found):
        names = _KnownNames(connection, found)
        records = tuple(
            _RecordCheck(connection, number, name, names, found).run()
            for number, name in names.portfolios()
        )
        _find_strays(connection, names, found)
        names.find_unused()
        rows = found.rows
    return Verification(records, rows, sealed, tuple(found.kept), found.count)


@dataclass
class _Findings:
    """The first findings, and each table's first one."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0
    rows: int = 0
    unreadable: set[str] = field(default_factory=set)

    def add(self, table: str, what: str, portfolio: str = "", close: int | None = None) -> None:
        self.count += 1
        if len(self.kept) < FINDINGS_KEPT or table not in {one.table for one in self.kept}:
            self.kept.append(Finding(table, portfolio, close, what))


def _check_pages(connection: Connection, found: _Findings) -> None:
    """SQLite's own look at its pages, cells and indexes."""
    try:
        connection.exec_driver_sql("PRAGMA cell_size_check=ON")
        told = connection.exec_driver_sql(f"PRAGMA integrity_check({INTEGRITY_FINDINGS_MAX})")
        lines = [str(row[0]) for row in told]
    except UNREADABLE as error:
        lines = [_reason(error)]
    for line in lines:
        if line != "ok":
            found.add(FILE, f"SQLite says: {' '.join(line.split())}")


def _has_tables(connection: Connection, found: _Findings) -> bool:
    try:
        there = set(inspect(connection).get_table_names())
        revisions = connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")).all()
    except UNREADABLE as error:
        found.add(FILE, f"it can't be read: {_reason(error)}")
        return False
    if len(revisions) != 1:
        found.add(VERSION_TABLE, f"it has {len(revisions)} rows instead of one")
    expected = {VERSION_TABLE, *schema.metadata.tables}
    # A server's database may hold somebody else's tables too.
    strangers = there - expected if connection.dialect.name == "sqlite" else ()
    for name in sorted(strangers):
        found.add(name, "no such table belongs to the ledger")
    for name in sorted(expected - there):
        found.add(name, "the table is missing")
        found.unreadable.add(name)
    return schema.payloads.name not in found.unreadable


def _read(connection: Connection, table: Table, found: _Findings, *where: Any) -> Sequence[Any]:
    """A table's rows as the driver gives them, by key; nothing once it could not be read."""
    if table.name in found.unreadable:
        return ()
    columns = [type_coerce(column, NullType()).label(column.name) for column in table.c]
    statement = select(*columns).where(*where).order_by(*table.primary_key.columns)
    try:
        return connection.execute(statement).all()
    except UNREADABLE as error:
        found.unreadable.add(table.name)
        found.add(table.name, f"it can't be read: {_reason(error)}")
        return ()


class _KnownNames(Names):
    """The numbers as the database has them; a name that it has not is a finding, not a new one."""

    def __init__(self, connection: Connection, found: _Findings) -> None:
        super().__init__(connection)
        self._found = found
        self._used: dict[Table, set[str]] = {table: set() for table in schema.NAMES}
        for table in schema.NAMES:
            rows = _read(connection, table, found)
            self._known[table] = {str(row[1]): row[0] for row in rows}

    def portfolios(self) -> list[tuple[int, str]]:
        """Those that there are, by number."""
        return sorted((number, name) for name, number in self._known[schema.portfolios].items())

    def numbers(self) -> list[int]:
        """Of all portfolios."""
        return [number for number, _ in self.portfolios()]

    def find_unused(self) -> None:
        """A name that no close says was not written by the ledger."""
        for table, used in self._used.items():
            for name in sorted(self._known[table].keys() - used):
                self._found.add(table.name, f"the row {name!r} belongs to no payload")

    def _number(self, table: Table, name: str) -> int:
        self._used[table].add(name)
        if name not in self._known[table]:
            self._found.add(table.name, f"there is no row {name!r}, which payloads name")
            self._known[table][name] = -len(self._known[table]) - 1
        return self._known[table][name]


class _RecordCheck:
    """One portfolio's closes in their order."""

    def __init__(
        self,
        connection: Connection,
        number: int,
        name: str,
        names: _KnownNames,
        found: _Findings,
    ) -> None:
        self._connection, self._number, self._name = connection, number, name
        self._names, self._found = names, found
        self._chain, self._closes, self._last = "", 0, None
        self._held: Held | None = Held()

    def run(self) -> VerifiedRecord:
        after = FIRST
        while True:
            payloads = self._payloads(after)
            until = payloads[-1].close_time if len(payloads) == BLOCK_CLOSES else LAST
            self._block(payloads, after, until)
            if until == LAST:
                break
            after = until
        return VerifiedRecord(self._name, self._closes, self._last, self._chain)

    def _payloads(self, after: int) -> Sequence[Any]:
        table = schema.payloads
        columns = [type_coerce(column, NullType()).label(column.name) for column in table.c]
        statement = (
            select(*columns)
            .where(table.c.portfolio_id == self._number, table.c.close_time > after)
            .order_by(table.c.close_time)
            .limit(BLOCK_CLOSES)
        )
        if table.name in self._found.unreadable:
            return ()
        try:
            return self._connection.execute(statement).all()
        except UNREADABLE as error:
            self._found.unreadable.add(table.name)
            self._add(table, None, f"it can't be read: {_reason(error)}")
            return ()

    def _block(self, payloads: Sequence[Any], after: int, until: int) -> None:
        """Closes later than `after`, up to `until`: rows as they should be, and as they are."""
        expected = RowsOfCloses(self._names)
        unknown: set[int] = set()
        positions_unknown: set[int] = set()
        for row in payloads:
            entry = self._entry(row)
            if entry is None:
                unknown.add(row.close_time)
                self._held = None
                continue
            if self._held is None:
                positions_unknown.add(row.close_time)
            expected.add(entry, self._held or Held())
            self._held = Held.after(entry)
        for table in schema.DERIVED:
            skipped = unknown | positions_unknown if table in POSITIONS else unknown
            self._compare(table, expected.rows.get(table, []), after, until, skipped)

    def _entry(self, row: Row[Any]) -> LedgerEntry | None:
        """What a payload says; its hashes are checked on the way."""
        table, close = schema.payloads, row.close_time
        self._closes, self._last = self._closes + 1, close
        previous, self._chain = self._chain, row.chain_hash
        try:
            if payload_hash(row.payload) != row.payload_hash:
                self._add(table, close, "the payload does not have its payload_hash")
            words = inflated(row.payload)
            chain = chained_hash(previous, self._name, close, words)
            if chain != row.chain_hash:
                self._add(table, close, "chain_hash does not follow from the close before")
            entry = decode_ledger_entry(words)
        except (BadPayload, BadMessage, TypeError, AttributeError) as error:
            self._add(table, close, f"the payload can't be read: {error}")
            return None
        if (entry.portfolio, entry.close_time) != (self._name, close):
            self._add(table, close, "the payload is of another close")
            return None
        return entry

    def _compare(
        self,
        table: Table,
        derived: Sequence[Mapping[str, Any]],
        after: int,
        until: int,
        skipped: set[int],
    ) -> None:
        where = (
            table.c.portfolio_id == self._number,
            table.c.close_time > after,
            table.c.close_time <= until,
        )
        rows = _read(self._connection, table, self._found, *where)
        if table.name in self._found.unreadable:
            return
        self._found.rows += len(rows)
        expected = _plain(table, stored_rows(table, derived))
        actual = _plain(table, [tuple(row) for row in rows])
        if not skipped and _same(sorted(expected), actual):
            return
        for close, what in _differences(table, expected, actual):
            if close not in skipped:
                self._add(table, close, what)

    def _add(self, table: Table, close: int | None, what: str) -> None:
        self._found.add(table.name, what, self._name, close)


def _differences(
    table: Table, expected: Sequence[Stored], actual: Sequence[Stored]
) -> Iterator[tuple[int, str]]:
    """Closes and what is wrong there, by the rows' keys."""
    names = table.c.keys()
    places = [names.index(column.name) for column in table.primary_key.columns]
    at = names.index("close_time")

    def by_key(rows: Sequence[Stored]) -> dict[Stored, Stored]:
        return {tuple([row[place] for place in places]): row for row in rows}

    ours, theirs = by_key(expected), by_key(actual)
    for key, row in ours.items():
        if key not in theirs:
            yield row[at], f"the row {_key(table, key)} is missing"
        elif not _same([row], [theirs[key]]):
            for name, said, is_now in zip(names, row, theirs[key], strict=True):
                if said != is_now or type(said) is not type(is_now):
                    yield (
                        row[at],
                        f"{name} of the row {_key(table, key)} is {is_now!r}, "
                        f"the payload says {said!r}",
                    )
    for key, row in theirs.items():
        if key not in ours:
            yield row[at], f"the row {_key(table, key)} belongs to no payload"


def _find_strays(connection: Connection, names: _KnownNames, found: _Findings) -> None:
    """Rows of a portfolio that has no name."""
    for table in (schema.payloads, *schema.DERIVED):
        for row in _read(connection, table, found, table.c.portfolio_id.not_in(names.numbers())):
            what = f"the row of portfolio number {row.portfolio_id}, which has no name"
            found.add(table.name, what, close=row.close_time)


def _key(table: Table, key: Stored) -> str:
    """The part of a key that tells a close's rows from each other."""
    named = zip([column.name for column in table.primary_key.columns], key, strict=True)
    shown = [f"{name} {value}" for name, value in named if name not in schema.CLOSE]
    return f"({', '.join(shown)})" if shown else "of the close"


def _plain(table: Table, rows: Sequence[Stored]) -> Sequence[Stored]:
    """Booleans as the numbers that some databases keep."""
    if not any(isinstance(column.type, Boolean) for column in table.c):
        return rows
    return [tuple([int(v) if type(v) is bool else v for v in row]) for row in rows]


def _same(expected: Sequence[Stored], actual: Sequence[Stored]) -> bool:
    """Equal, and of the same types: 1 is not 1.0."""
    return expected == actual and [[*map(type, row)] for row in expected] == [
        [*map(type, row)] for row in actual
    ]


def _reason(error: DBAPIError | UnicodeDecodeError) -> str:
    """One line of what the driver said, without the damage that it quotes."""
    line = str(getattr(error, "orig", error)).splitlines()[0]
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:REASON_MAX]
