"""A row as the database's driver takes it and gives it back: for who writes and who verifies."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from sqlalchemy import Boolean, Connection, Table, insert
from sqlalchemy.types import TypeDecorator

Convert = Callable[[Any], Any]
# The exact types are the same text on every database.
NO_DIALECT: Any = None
Stored = tuple[Any, ...]


@cache
def _conversions(table: Table) -> tuple[tuple[str, Convert | None], ...]:
    """How each column's value is stored; None: as it is."""
    return tuple((column.name, _conversion(column.type)) for column in table.c)


def _conversion(kind: Any) -> Convert | None:
    if isinstance(kind, TypeDecorator):
        bind: Convert = partial(kind.process_bind_param, dialect=NO_DIALECT)
        return bind
    return bool if isinstance(kind, Boolean) else None


def stored_rows(table: Table, rows: Sequence[Mapping[str, Any]]) -> list[Stored]:
    """The values of rows as they are stored, in the order of the table's columns."""
    conversions = _conversions(table)
    return [
        tuple(
            [row[name] if convert is None else convert(row[name]) for name, convert in conversions]
        )
        for row in rows
    ]


class Insert:
    """One table's INSERT, compiled once: per row the toolkit costs more than the database."""

    def __init__(self, connection: Connection, table: Table) -> None:
        compiled = insert(table).compile(dialect=connection.dialect)
        self._connection, self._table = connection, table
        self._statement, self._positional = str(compiled), bool(compiled.positional)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows."""
        stored: list[Any] = list(stored_rows(self._table, rows))
        if not self._positional:
            names = self._table.c.keys()
            stored = [dict(zip(names, row, strict=True)) for row in stored]
        self._connection.exec_driver_sql(self._statement, stored)
