"""The numbers that stand for the names of portfolios, models and symbols in every row."""

from sqlalchemy import Connection, Table, func, insert, select

from stratvector.services.ledger.adapters import schema


class Names:
    """Numbers by name, over one connection; a name that is new gets the next number.

    After a transaction that failed these numbers may be wrong, and must not be used again.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[Table, dict[str, int]] = {}

    def portfolio(self, name: str) -> int:
        """A portfolio's number."""
        return self._number(schema.portfolios, name)

    def model(self, name: str) -> int:
        """A model's number."""
        return self._number(schema.models, name)

    def symbol(self, name: str) -> int:
        """A symbol's number."""
        return self._number(schema.symbols, name)

    def _number(self, table: Table, name: str) -> int:
        known = self._known.setdefault(table, {})
        if name not in known:
            # Another process may have added it since.
            known.update(self._read(table))
        if name not in known:
            known[name] = self._add(table, name)
        return known[name]

    def _read(self, table: Table) -> dict[str, int]:
        rows = self._connection.execute(select(table.c[0], table.c.name))
        return {row.name: row[0] for row in rows}

    def _add(self, table: Table, name: str) -> int:
        newest: int = self._connection.scalar(select(func.max(table.c[0]))) or 0
        self._connection.execute(insert(table), [{table.c[0].name: newest + 1, "name": name}])
        return newest + 1
