"""The ledger's answers as a person reads them, and as JSON values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from rich.console import Console
from rich.text import Text

from stratvector.cli.fitted_table import Column, Fitted, print_tables
from stratvector.trading.ledger_answers import (
    EquityRecord,
    FillRecord,
    HeldPositions,
    LedgerStatus,
    ModelResult,
    OrderRecord,
    PositionRecord,
)
from stratvector.trading.ledger_verification import Verification
from stratvector.trading.timestamps import utc_text

ROWS_MAX = 40
LotSizes = Mapping[str, Decimal]
Holding = OrderRecord | FillRecord | PositionRecord
SYMBOL = Column("symbol", words=True)
MODELS = Column("models", rank=9, words=True)
TIMES = frozenset({"close_time", "expires_at", "fill_time", "known_time"})
CLOSES = frozenset({"first_close", "last_close"})


def as_document(answer: Any) -> dict[str, Any]:
    """A record as JSON values: money as exact text, times in UTC, codes by name."""
    return {field.name: _value(field.name, getattr(answer, field.name)) for field in fields(answer)}


def with_quantity(one: Holding, sizes: LotSizes) -> dict[str, Any]:
    """The same with the quantity in units, as exact text."""
    return as_document(one) | {"quantity": f"{one.lots * sizes[one.symbol]:f}"}


def print_status(console: Console, status: LedgerStatus) -> None:
    """Print the state of the record."""
    rows = [
        ("closes", f"{status.closes:,}"),
        ("first close", _time(status.first_close)),
        ("last close", _time(status.last_close)),
        ("equity", _money(status.equity)),
        ("cash", _money(status.cash)),
        ("signals", f"{status.signals:,}"),
        ("orders", f"{status.orders:,}"),
        ("fills", f"{status.fills:,}"),
        ("chain", status.chain_hash or "–"),
    ]
    pair = (Column("", words=True), Column(""))
    _print(console, f"Portfolio {status.portfolio}, run {status.run}", pair, rows)


def print_orders(console: Console, orders: Sequence[OrderRecord], sizes: LotSizes) -> None:
    """Print approved orders. sizes : units in one lot of each symbol."""
    columns = (
        Column("decided", words=True),
        SYMBOL,
        Column("quantity"),
        Column("reference"),
        Column("status", rank=1, words=True),
        Column("lots", rank=3),
        Column("filled lots", rank=2),
        MODELS,
    )
    rows = [
        (
            _time(one.close_time),
            one.symbol,
            units(one, sizes),
            f"{one.reference_price:,f}",
            one.status,
            f"{one.lots:+,}",
            f"{one.filled_lots:+,}",
            _shares(one.parts),
        )
        for one in orders[-ROWS_MAX:]
    ]
    _print(console, "Orders", columns, rows, len(orders))


def print_fills(console: Console, fills: Sequence[FillRecord], sizes: LotSizes) -> None:
    """Print executions. sizes : units in one lot of each symbol."""
    columns = (
        Column("filled", words=True),
        SYMBOL,
        Column("quantity"),
        Column("price"),
        Column("commission", rank=1),
        Column("slippage", rank=2),
        Column("lots", rank=3),
        MODELS,
    )
    rows = [
        (
            _time(one.fill_time),
            one.symbol,
            units(one, sizes),
            f"{one.price:,f}",
            _money(one.commission),
            _money(one.slippage),
            f"{one.lots:+,}",
            _shares(one.parts),
        )
        for one in fills[-ROWS_MAX:]
    ]
    _print(console, "Fills", columns, rows, len(fills))


def print_equity(console: Console, closes: Sequence[EquityRecord]) -> None:
    """Print the portfolio at each close; models by their profit, the cash of several accounts
    beside their sum.
    """
    models = [share.model for share in closes[-1].models] if closes else []
    accounts = [one.account for one in closes[-1].accounts] if closes else []
    named = accounts if len(accounts) > 1 else []
    rows = [
        (
            _time(one.close_time),
            _money(one.equity),
            _money(one.cash),
            *(_money(of.cash) for of in one.accounts if named),
            *(_money(share.equity) for share in one.models),
        )
        for one in closes[-ROWS_MAX:]
    ]
    columns = (
        Column("close", words=True),
        Column("equity"),
        Column("cash", rank=1),
        *(Column(f"cash {account}", rank=1) for account in named),
        *(Column(model, rank=2 + place) for place, model in enumerate(models)),
    )
    _print(console, "Equity", columns, rows, len(closes))


def print_positions(console: Console, held: HeldPositions, sizes: LotSizes) -> None:
    """Print what is held. sizes : units in one lot of each symbol."""
    rows = [
        (one.symbol, units(one, sizes), f"{one.lots:+,}", _shares(one.parts))
        for one in held.positions
    ]
    columns = (SYMBOL, Column("quantity"), Column("lots", rank=1), MODELS)
    _print(console, f"Positions after {_time(held.close_time)}", columns, rows)


def print_attribution(console: Console, results: Iterable[ModelResult]) -> None:
    """Print the models' results."""
    rows = [
        (one.model, _money(one.profit), _money(one.commission), f"{one.fills:,}") for one in results
    ]
    columns = (
        Column("model", words=True),
        Column("profit"),
        Column("commission", rank=1),
        Column("fills", rank=2),
    )
    _print(console, "Attribution", columns, rows)


def verification_document(found: Verification) -> dict[str, Any]:
    """A verification as JSON values."""
    return {"passed": found.passed, "closes": found.closes, **as_document(found)}


def print_verification(console: Console, found: Verification) -> None:
    """Print the verdict, and each finding on a line."""
    console.print(Text(found.sentence()), soft_wrap=True)
    if found.found > 1:
        for finding in found.findings:
            console.print(Text(f"  {finding}"), soft_wrap=True)
    if found.found > len(found.findings):
        console.print(f"  the first {len(found.findings)} of {found.found:,} findings")


def _print(
    console: Console,
    title: str,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[str, ...]],
    found: int = 0,
) -> None:
    """A table, and a word on what it leaves out."""
    none = ("none", *[""] * (len(columns) - 1))
    print_tables(console, Fitted(title, columns, tuple(rows) or (none,)))
    if found > len(rows):
        console.print(f"the newest {len(rows)} of {found:,}: --start, --end or --json show others")


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value):
        return as_document(value)
    if isinstance(value, dict):
        return {key: _value(name, one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_value(name, one) for one in value]
    if (name in TIMES and value) or (name in CLOSES and value is not None):
        return utc_text(value)
    return None if name in TIMES else value


def units(one: Holding, sizes: LotSizes) -> str:
    """A signed quantity in units of the symbol."""
    return f"{one.lots * sizes[one.symbol]:+,f}"


def _time(nanoseconds: int | None) -> str:
    return "–" if nanoseconds is None else utc_text(nanoseconds).replace("T", " ").rstrip("Z")


def _money(money: Decimal | None) -> str:
    return "–" if money is None else f"{money:,.2f}"


def _shares(parts: Mapping[str, int]) -> str:
    return ", ".join(f"{model} {lots:+,}" for model, lots in parts.items())
