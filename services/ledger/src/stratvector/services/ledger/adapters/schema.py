"""The record's own tables, and whose rows are whose. The tables of questions: `tables`.

`payloads` is the record. `watermarks` says up to which close the other tables are derived from it.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_type_hints

from sqlalchemy import ColumnElement, MetaData, PrimaryKeyConstraint, Table, and_

from stratvector.services.ledger.adapters.exact_types import columns_of
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.portfolio import Portfolio

UNKNOWN_RUN = ""


class Key(NamedTuple):
    """Whose record it is: the key of every table begins with these columns.

    run : `UNKNOWN_RUN` for a record that no run has continued since runs are kept, see `adopting`.
    """

    portfolio: str
    run: str

    @classmethod
    def of(cls, entry: LedgerEntry) -> "Key":
        """Whose an entry is."""
        return cls(*[getattr(entry, name) for name in cls._fields])

    @classmethod
    def of_portfolio(cls, portfolio: Portfolio) -> "Key":
        """That of a portfolio in its run."""
        return cls(portfolio.name, portfolio.run)

    def has(self, entry: LedgerEntry) -> bool:
        """Whether an entry belongs to this record; before runs were kept, none was named in it."""
        return entry.portfolio == self.portfolio and entry.run in (UNKNOWN_RUN, self.run)


metadata = MetaData()
KEY: Final[Mapping[str, Any]] = get_type_hints(Key)
CLOSE: Final[Mapping[str, Any]] = {**KEY, "close_time": int}

# payload : the entry's canonical text, deflated. payload_hash : SHA-256 of the payload as it lies
# here. chain_hash : `identity.chained_hash` over the text, from the record's first close on.
payloads = Table(
    "payloads",
    metadata,
    *columns_of({**CLOSE, "payload": bytes, "payload_hash": str, "chain_hash": str}),
    PrimaryKeyConstraint(*CLOSE),
)
watermarks = Table("watermarks", metadata, *columns_of(CLOSE), PrimaryKeyConstraint(*KEY))


def own(table: Table, key: Key) -> ColumnElement[bool]:
    """The rows of one record."""
    return and_(*[table.c[name] == value for name, value in key._asdict().items()])
