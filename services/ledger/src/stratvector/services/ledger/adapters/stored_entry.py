"""Reads that writer and questions share: the newest close, what was held, an entry as it was."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, func, select

from stratvector.contracts.codecs import decode_ledger_entry
from stratvector.services.ledger.adapters import schema
from stratvector.services.ledger.adapters.payloads import inflated
from stratvector.services.ledger.adapters.rows import Held
from stratvector.trading.ledger import LedgerEntry


def last_close(connection: Connection, portfolio: str) -> int | None:
    """The newest close of a portfolio, or None."""
    closes = schema.closes
    newest: int | None = connection.scalar(
        select(func.max(closes.c.close_time)).where(
            closes.c.portfolio_id == portfolio_number(portfolio)
        )
    )
    return newest


def portfolio_number(portfolio: str) -> Any:
    """A portfolio's number, as a part of a statement."""
    table = schema.portfolios
    return select(table.c.portfolio_id).where(table.c.name == portfolio).scalar_subquery()


def held_at(connection: Connection, portfolio: str, close_time: int) -> Held:
    """The positions after the newest close at or before a time."""
    whole = {
        row.symbol: row.lots
        for row in _newest_changes(connection, schema.position_changes, portfolio, close_time)
    }
    models: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in _newest_changes(connection, schema.model_position_changes, portfolio, close_time):
        models[row.model][row.symbol] = row.lots
    return Held(whole, models)


def _newest_changes(
    connection: Connection, table: Table, portfolio: str, close_time: int
) -> Sequence[Row[Any]]:
    """The newest change of each position up to a time, those to zero left out."""
    key = [table.c[name] for name in ("model_id", "symbol_id") if name in table.c]
    newest = (
        select(*key, func.max(table.c.close_time).label("close_time"))
        .where(table.c.portfolio_id == portfolio_number(portfolio))
        .where(table.c.close_time <= close_time)
        .group_by(*key)
        .subquery()
    )
    same = [table.c[column.name] == column for column in newest.c]
    columns = [schema.symbols.c.name.label("symbol"), table.c.lots]
    statement = (
        select(*columns)
        .join_from(table, newest, and_(*same))
        .join(schema.symbols, schema.symbols.c.symbol_id == table.c.symbol_id)
        .where(table.c.portfolio_id == portfolio_number(portfolio), table.c.lots != 0)
        .order_by(*key)
    )
    if "model_id" in table.c:
        statement = statement.add_columns(schema.models.c.name.label("model")).join(
            schema.models, schema.models.c.model_id == table.c.model_id
        )
    return connection.execute(statement).all()


def stored_text(connection: Connection, portfolio: str, close_time: int) -> bytes | None:
    """The canonical text of a close's entry, or None when there is none of this close.

    Raises BadPayload.
    """
    table = schema.payloads
    payload = connection.scalar(
        select(table.c.payload).where(
            table.c.portfolio_id == portfolio_number(portfolio), table.c.close_time == close_time
        )
    )
    return None if payload is None else inflated(payload)


def stored_entry(connection: Connection, portfolio: str, close_time: int) -> LedgerEntry | None:
    """The entry of a close as it was committed. Raises BadPayload, BadMessage."""
    text = stored_text(connection, portfolio, close_time)
    return None if text is None else decode_ledger_entry(text)


def chain_head(connection: Connection, portfolio: str) -> str:
    """The chain's hash after a portfolio's newest close, empty before the first."""
    table = schema.payloads
    newest: str | None = connection.scalar(
        select(table.c.chain_hash)
        .where(table.c.portfolio_id == portfolio_number(portfolio))
        .order_by(table.c.close_time.desc())
        .limit(1)
    )
    return newest or ""
