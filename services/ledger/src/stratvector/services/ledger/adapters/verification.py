"""Is everything in the database as it was recorded?

    payload ── its hash, the chain's ──▶ entry ── rows, derived again ──▶ equal, row by row

Read in one transaction and in blocks of closes, so memory does not grow with the record. A finding
names table, close and row; what can't be read is a finding too.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Row,
    Table,
    and_,
    inspect,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from stratvector.contracts.bad_message import BadMessage
from stratvector.contracts.codecs import decode_ledger_entry
from stratvector.services.ledger.adapters.deriving import FIRST
from stratvector.services.ledger.adapters.migrating import (
    NEWEST_REVISION,
    VERSION_TABLE,
    works_on,
)
from stratvector.services.ledger.adapters.payloads import BadPayload, document_of, inflated
from stratvector.services.ledger.adapters.postgresql import NAME as POSTGRESQL
from stratvector.services.ledger.adapters.postgresql import may_pass
from stratvector.services.ledger.adapters.schema import (
    CLOSE,
    KEY,
    Key,
    metadata,
    own,
    payloads,
    watermarks,
)
from stratvector.services.ledger.adapters.tables import (
    DERIVED,
    Close,
    Document,
    model_position_changes,
    position_changes,
    rows_of,
)
from stratvector.services.ledger.adapters.tables import Row as Stored
from stratvector.trading.identity import chained_hash, payload_hash
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
LAST = 2**63 - 1
OF_NONE = Key("", "")
CHANGES = frozenset({position_changes, model_position_changes})


def verify(
    connection: Connection,
    broken_seal: str = "",
    sealed: bool = False,
    file: Connection | None = None,
) -> Verification:
    """Verify everything that there is, over one transaction.

    broken_seal : what is wrong with the file's seal, empty for nothing. file : whose pages are
    looked at, where that is another database than the one whose tables are.
    """
    found = _Findings(connection)
    if broken_seal:
        found.add(FILE, broken_seal)
    file = file or connection
    if file.dialect.name == "sqlite":
        _check_pages(file, found)
    records: tuple[VerifiedRecord, ...] = ()
    if _has_tables(connection, found):
        keys = [
            Key(*tuple(row))
            for row in found.read(select(*_raw(payloads, KEY)).distinct(), payloads)
        ]
        records = tuple(_RecordCheck(key, found).run() for key in sorted(keys, key=str))
        _find_strays(keys, found)
    return Verification(records, found.rows, sealed, tuple(found.kept), found.count)


def verify_later(
    connection: Connection, key: Key, after: int | None, broken_seal: str = ""
) -> Verification:
    """Verify what one record has of closes later than one, None for all of it, over one
    transaction. It takes no longer in a database of years than in one of these closes alone: pages,
    earlier closes and other records are not looked at.
    """
    found, records = _Findings(connection), list[VerifiedRecord]()
    if broken_seal:
        found.add(FILE, broken_seal)
    if _has_tables(connection, found):
        check = _RecordCheck(key, found)
        if after is not None:
            check.begin_after(after)
        records.append(check.run())
    return Verification(tuple(records), found.rows, False, tuple(found.kept), found.count)


@dataclass
class _Findings:
    """The first findings, and each table's first one; and what is read on the way to them."""

    connection: Connection
    kept: list[Finding] = field(default_factory=list)
    count: int = 0
    rows: int = 0
    unreadable: set[str] = field(default_factory=set)

    @property
    def on_server(self) -> bool:
        return self.connection.dialect.name == POSTGRESQL

    def refuse_away(self, error: DBAPIError | UnicodeDecodeError) -> None:
        """A server that restarts says nothing about the record. Raises the error."""
        if self.on_server and isinstance(error, DBAPIError) and may_pass(error):
            raise error

    def add(self, table: str, what: str, key: Key = OF_NONE, close: int | None = None) -> None:
        self.count += 1
        if len(self.kept) < FINDINGS_KEPT or table not in {one.table for one in self.kept}:
            self.kept.append(Finding(table, str(key.portfolio), close, what, str(key.run)))

    def read(self, statement: Any, table: Table) -> Sequence[Row[Any]]:
        """Rows of a table; nothing once it could not be read."""
        if table.name in self.unreadable:
            return ()
        try:
            # A server refuses all that follows an error in a transaction, but not what is around.
            with self.connection.begin_nested() if self.on_server else nullcontext():
                rows: Sequence[Row[Any]] = self.connection.execute(statement).all()
        except UNREADABLE as error:
            self.refuse_away(error)
            self.unreadable.add(table.name)
            self.add(table.name, f"it can't be read: {_reason(error)}")
            return ()
        return rows


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
        found.refuse_away(error)
        found.add(FILE, f"it can't be read: {_reason(error)}")
        return False
    if len(revisions) != 1:
        found.add(VERSION_TABLE, f"it has {len(revisions)} rows instead of one")
    expected = {VERSION_TABLE, *metadata.tables}
    # A server's database may hold somebody else's tables too, and a later schema has more.
    is_later = any(works_on(one) for one in revisions if one != NEWEST_REVISION)
    is_own = connection.dialect.name == "sqlite" and not is_later
    for name in sorted(there - expected if is_own else ()):
        found.add(name, "no such table belongs to the ledger")
    for name in sorted(expected - there):
        found.add(name, "the table is missing")
        found.unreadable.add(name)
    return payloads.name not in found.unreadable


class _RecordCheck:
    """One record's closes in their order."""

    def __init__(self, key: Key, found: _Findings) -> None:
        self._key, self._found = key, found
        self._chain, self._closes, self._rows, self._last = "", 0, 0, None
        self._before: Document | None = None
        self._is_before_known = True
        self._watermark = self._read_watermark()
        self._is_at_watermark = self._watermark is None
        self._after = FIRST

    def begin_after(self, close_time: int) -> None:
        """Leave out the closes up to one, whose own hash and text the next one rests on."""
        self._after = close_time
        block = self._read(payloads, close_time - 1, close_time)
        if not block:
            self._add(payloads, close_time, "the row is missing")
            self._is_before_known = False
            return
        self._before = self._document(block[0], is_first=True)
        self._is_before_known = self._before is not None
        self._closes = 0
        if self._watermark is not None:
            # It is of an earlier close after a kill, as closes are derived after they are written.
            self._is_at_watermark |= self._watermark <= close_time

    def run(self) -> VerifiedRecord:
        after, until = self._after, self._after
        while until < LAST:
            block = self._read(payloads, after, LAST, BLOCK_CLOSES)
            until = block[-1].close_time if len(block) == BLOCK_CLOSES else LAST
            self._check(block, after, until)
            after = until
        if self._watermark is None and self._rows:
            self._add(watermarks, None, "the row is missing")
        if not self._is_at_watermark:
            self._add(watermarks, self._watermark, "the row is of a close that has no payload")
        self._found.rows += self._rows
        portfolio, run = map(str, self._key)
        return VerifiedRecord(portfolio, self._closes, self._last, self._chain, run)

    def _check(self, block: Sequence[Any], after: int, until: int) -> None:
        """Closes later than `after`, up to `until`: rows as they should be, and as they are."""
        expected: defaultdict[Table, list[Stored]] = defaultdict(list)
        unknown, changes_unknown = set[int](), set[int]()
        for row in block:
            entry, close = self._document(row), row.close_time
            self._is_at_watermark |= close == self._watermark
            if entry is None:
                unknown.add(close)
            elif self._watermark is not None and close <= self._watermark:
                if not self._is_before_known:
                    changes_unknown.add(close)
                for table, rows in rows_of(Close(self._key, entry, self._before)):
                    expected[table] += rows
            self._before, self._is_before_known = entry, entry is not None
        for table in DERIVED:
            skipped = unknown | changes_unknown if table in CHANGES else unknown
            self._compare(table, expected[table], self._read(table, after, until), skipped)

    def _document(self, row: Row[Any], is_first: bool = False) -> Document | None:
        """What a payload says; its hashes are checked on the way. is_first : nobody has read the
        one before.
        """
        close = row.close_time
        self._closes, self._last = self._closes + 1, close
        previous, self._chain = self._chain, row.chain_hash
        try:
            if payload_hash(row.payload) != row.payload_hash:
                self._add(payloads, close, "the payload does not have its payload_hash")
            words = inflated(row.payload)
            chain = chained_hash(previous, self._key.portfolio, close, words)
            if not is_first and chain != row.chain_hash:
                self._add(payloads, close, "chain_hash does not follow from the close before")
            entry = decode_ledger_entry(words)
        except (BadPayload, BadMessage, TypeError, AttributeError) as error:
            self._add(payloads, close, f"the payload can't be read: {error}")
            return None
        if not self._key.has(entry) or entry.close_time != close:
            self._add(payloads, close, "the payload is of another close")
            return None
        return document_of(words)

    def _compare(
        self, table: Table, derived: Sequence[Stored], rows: Sequence[Any], skipped: set[int]
    ) -> None:
        if table.name in self._found.unreadable:
            return
        self._rows += len(rows)
        expected, actual = _plain(table, derived), _plain(table, rows)
        if not skipped and _same(sorted(expected), actual):
            return
        for close, what in _differences(table, expected, actual):
            if close not in skipped:
                self._add(table, close, what)

    def _read(
        self, table: Table, after: int, until: int, rows_max: int | None = None
    ) -> Sequence[Any]:
        """Rows as the driver gives them, by key, of closes later than `after`, up to `until`."""
        times = table.c.close_time
        statement = (
            select(*_raw(table, table.c.keys()))
            .where(own(table, self._key), times > after, times <= until)
            .order_by(*table.primary_key.columns)
            .limit(rows_max)
        )
        return self._found.read(statement, table)

    def _read_watermark(self) -> Any:
        rows = self._found.read(
            select(*_raw(watermarks, ["close_time"])).where(own(watermarks, self._key)), watermarks
        )
        return rows[0].close_time if rows else None

    def _add(self, table: Table, close: int | None, what: str) -> None:
        self._found.add(table.name, what, self._key, close)


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


def _find_strays(keys: Sequence[Key], found: _Findings) -> None:
    """Rows that are of no record that there is."""
    for table in (payloads, watermarks, *DERIVED):
        times = table.c.close_time
        known = or_(False, *[own(table, key) for key in keys])
        # Text is beyond every number: SQLite keeps it in a column of numbers.
        asked = and_(known, times > FIRST, times <= LAST)
        for row in found.read(select(*_raw(table, CLOSE)).where(~asked), table):
            named = ", ".join(f"{name} {value!r}" for name, value in zip(CLOSE, row, strict=True))
            found.add(table.name, f"a row of {named}, of which there is no payload")


def _raw(table: Table, names: Any) -> list[Any]:
    """Columns as the driver gives them."""
    return [type_coerce(table.c[name], NullType()).label(name) for name in names]


def _key(table: Table, key: Stored) -> str:
    """The part of a key that tells a close's rows from each other."""
    named = zip([column.name for column in table.primary_key.columns], key, strict=True)
    shown = [f"{name} {value}" for name, value in named if name not in CLOSE]
    return f"({', '.join(shown)})" if shown else "of the close"


def _plain(table: Table, rows: Sequence[Any]) -> list[Stored]:
    """Booleans as the numbers that some databases keep."""
    if not any(isinstance(column.type, Boolean) for column in table.c):
        return [tuple(row) for row in rows]
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
