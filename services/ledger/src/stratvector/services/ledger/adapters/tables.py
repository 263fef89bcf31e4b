"""The tables that are asked. Each is defined once: its columns by the fields that they hold, its
rows by where these lie in a payload. Money, doubles and codes are copied as they are spelled there.

A row belongs to one close of one record; `key` tells the rows of a close apart. place : the row's
place within its close, in the order of the message that brought it. model_place : a model's place
in the portfolio's configuration.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple, get_type_hints

from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint

from stratvector.services.ledger.adapters.exact_types import ExactText, columns_of
from stratvector.services.ledger.adapters.schema import CLOSE, KEY, Key, metadata
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.ledger import LedgerEntry, ModelAccount
from stratvector.trading.orders import ApprovedOrder, Cancel, Cross, SymbolDecision, ValueAtRisk
from stratvector.trading.signals import SignalRow, Signals

Row = tuple[Any, ...]
Document = Mapping[str, Any]  # of a canonical text, or of an object in it
Rows = Callable[["Close"], Iterable[Row]]
PLACE: Mapping[str, Any] = {"place": int}
PART: Mapping[str, Any] = {**PLACE, "model_place": int}


class Close(NamedTuple):
    """An entry of a record, and the one of the close before: a change of position is between
    two.
    """

    key: Key
    entry: Document
    before: Document | None


ROWS: dict[Table, Rows] = {}


def rows_of(close: Close) -> Iterator[tuple[Table, list[Row]]]:
    """The rows of one close as the driver takes them, in the order of the tables' columns."""
    prefix = (*close.key, close.entry["close_time"])
    for table, rows in ROWS.items():
        if found := [(*prefix, *row) for row in rows(close)]:
            yield table, found


def _table(
    name: str,
    key: Mapping[str, Any],
    fields: Mapping[str, Any],
    rows: Rows,
    unique: str = "",
    index: str = "",
) -> Table:
    """fields : names and types of the columns beside the key's. rows : values of key and fields."""
    columns = columns_of({**CLOSE, **key, **fields})
    parts: list[Any] = [PrimaryKeyConstraint(*CLOSE, *key)]
    if unique:
        parts.append(UniqueConstraint(*KEY, unique, name=f"{name}_{unique}"))
    if index:
        parts.append(Index(f"{name}_{index}", *KEY, index))
    # Rows then lie in the order of closes, and the key is not kept twice.
    table = Table(name, metadata, *columns, *parts, sqlite_with_rowid=False)
    ROWS[table] = _copied(columns[len(CLOSE) :], rows)
    return table


def _copied(columns: Sequence[Any], rows: Rows) -> Rows:
    """Rows with each exact value as its text."""
    exact = [(n, c.type.copied) for n, c in enumerate(columns) if isinstance(c.type, ExactText)]
    copies = [(place, copied) for place, copied in exact if copied is not None]
    if not copies:
        return rows

    def copied_rows(close: Close) -> Iterator[Row]:
        for row in rows(close):
            values = list(row)
            for place, copied in copies:
                values[place] = copied(values[place])
            yield tuple(values)

    return copied_rows


def _nouns(
    name: str,
    noun: type,
    names: str,
    found: Callable[[Document], Iterable[Any]],
    key: Mapping[str, Any] = PLACE,
    **more: str,
) -> Table:
    """A row per object of the entry, by its place. names : its fields; `name=path` for another."""
    columns, values = _fields(noun, names)

    def rows(close: Close) -> Iterator[Row]:
        for place, one in enumerate(found(close.entry)):
            if one is not None:
                yield (place, *values(one)) if key else values(one)

    return _table(name, key, columns, rows, **more)


def _fields(noun: type, names: str) -> tuple[dict[str, Any], Callable[[Any], Row]]:
    """Columns with their types, and their values of one object."""
    paths = {name: path or name for name, _, path in (one.partition("=") for one in names.split())}
    columns = {name: _hint(noun, path) for name, path in paths.items()}
    if any("." in path for path in paths.values()):
        return columns, lambda one: tuple([_at(one, path) for path in paths.values()])
    values, defaults = itemgetter(*paths.values()), _defaults(noun)

    def values_of(one: Document) -> Row:
        try:
            row: Row = values(one)
        except KeyError:  # a field that the version which wrote the payload did not know
            row = values({**defaults, **one})
        return row

    return columns, values_of


def _at(one: Document, path: str) -> Any:
    name, _, rest = path.partition(".")
    return _at(one[name], rest) if rest else one[name]


def _defaults(noun: Any) -> Document:
    """As a payload spells them."""
    return {
        one.name: str(one.default) if isinstance(one.default, Decimal) else one.default
        for one in fields(noun)
        if one.default is not MISSING
    }


def _hint(noun: type, path: str) -> Any:
    name, _, rest = path.partition(".")
    hint = get_type_hints(noun)[name]
    return _hint(hint, rest) if rest else hint


def _parts(name: str, found: Callable[[Document], Iterable[tuple[int, Sequence[int]]]]) -> Table:
    """Lots per model of what has a place; models without any are left out."""

    def rows(close: Close) -> Iterator[Row]:
        for place, parts in found(close.entry):
            for model_place, lots in enumerate(parts):
                if lots:
                    yield place, model_place, close.entry["models"][model_place]["model"], lots

    return _table(name, PART, {"model": str, "lots": int}, rows)


def _executions(entry: Document) -> Iterator[Document | None]:
    """By the place of the event; None is no execution."""
    return (event if event["kind"] == FillKind.FILLED.name else None for event in entry["events"])


def _attributed(entry: Document) -> Iterator[tuple[int, Sequence[int]]]:
    parts = dict(entry["attributed"])
    for place, event in enumerate(_executions(entry)):
        if event is not None:
            yield place, parts[event["execution_id"]]


def _of_decision(name: str) -> Callable[[Document], Sequence[Document]]:
    return lambda entry: entry["decision"][name]


def _parts_of(name: str) -> Callable[[Document], Iterable[tuple[int, Sequence[int]]]]:
    return lambda entry: enumerate(one["parts"] for one in entry["decision"][name])


def _signal_rows(close: Close) -> Iterator[Row]:
    for place, signals in enumerate(close.entry["signals"]):
        for number, row in enumerate(signals["rows"]):
            yield (place, number, *_SIGNAL_ROW[1](row))


def _inputs(close: Close) -> Iterator[Row]:
    cut = close.entry["decision"]["cut"]
    for noun in ("bars", "signals"):
        for name, message in cut[noun].items():
            yield noun, name, message
    for place, one in enumerate(cut.get("late", ())):
        yield "late_bars", f"{one['universe']} {place}", one["message_id"]


def _changes(close: Close) -> Iterator[Row]:
    before = close.before
    return _changed({} if before is None else before["positions"], close.entry["positions"])


def _model_changes(close: Close) -> Iterator[Row]:
    before = () if close.before is None else close.before["models"]
    held = {one["model"]: one["positions"] for one in before}
    for one in close.entry["models"]:
        for change in _changed(held.get(one["model"], {}), one["positions"]):
            yield (one["model"], *change)


def _changed(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[Row]:
    """Symbols whose lots changed, with the lots that they have now."""
    if before != after:
        for symbol in {**before, **after}:
            if before.get(symbol, 0) != after.get(symbol, 0):
                yield symbol, after.get(symbol, 0)


closes = _nouns(
    "closes",
    LedgerEntry,
    "cash equity engine_equity=decision.equity "
    "gross_exposure=decision.gross_exposure drawdown_factor=decision.drawdown_factor "
    "halted=decision.halted reduce_only=decision.reduce_only "
    "fills_sequence=decision.cut.fills_sequence commands_sequence=decision.cut.commands_sequence "
    "multipliers=decision.cut.multipliers",
    lambda entry: [entry],
    key={},
)
value_at_risk = _nouns(
    "value_at_risk",
    ValueAtRisk,
    "as_of horizon_days var_95 cvar_95 simulations seed factor",
    lambda entry: [entry["decision"]["value_at_risk"]],
    key={},
)
model_accounts = _nouns(
    "model_accounts",
    ModelAccount,
    "model cash commission equity",
    itemgetter("models"),
    key={"model_place": int},
)
account_cash = _table(
    "account_cash",
    {"account": str},
    {"cash": Decimal},
    lambda close: close.entry.get("accounts", {}).items(),
)
position_changes = _table("position_changes", {"symbol": str}, {"lots": int}, _changes)
model_position_changes = _table(
    "model_position_changes", {"model": str, "symbol": str}, {"lots": int}, _model_changes
)
signals = _nouns("signals", Signals, "model version bars_id state", itemgetter("signals"))
_SIGNAL_ROW = _fields(SignalRow, "symbol weight confidence action reason")
signal_rows = _table("signal_rows", {**PLACE, "row": int}, _SIGNAL_ROW[0], _signal_rows)
decision_inputs = _table(
    "decision_inputs", {"noun": str, "name": str}, {"message_id": str}, _inputs
)
symbol_decisions = _nouns(
    "symbol_decisions",
    SymbolDecision,
    "symbol outcome target_lots stages weight_reasons",
    _of_decision("symbols"),
)
orders = _nouns(
    "orders",
    ApprovedOrder,
    "order_id symbol lots reference_price decided_at expires_at",
    _of_decision("orders"),
    unique="order_id",
)
order_parts = _parts("order_parts", _parts_of("orders"))
cancels = _nouns("cancels", Cancel, "order_id symbol", _of_decision("cancels"))
crosses = _nouns("crosses", Cross, "symbol price", _of_decision("crosses"))
cross_parts = _parts("cross_parts", _parts_of("crosses"))
order_events = _nouns(
    "order_events",
    FillEvent,
    "kind order_id symbol epoch known_time text",
    itemgetter("events"),
    index="order_id",
)
fills = _nouns(
    "fills",
    FillEvent,
    "execution_id order_id symbol lots price commission slippage fill_time known_time",
    _executions,
    unique="execution_id",
)
fill_parts = _parts("fill_parts", _attributed)
DERIVED = tuple(ROWS)
