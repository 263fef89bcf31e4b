"""What the loopback exchange holds of a symbol at a moment, with the candles' faults on."""

from collections.abc import Sequence
from dataclasses import asdict

from tests.exchange.faults import Fault, Kind
from tests.exchange.prices import NANOSECONDS_PER_SECOND, Row, candle
from tests.exchange.shapes import Asked, Values


def held(
    faults: Sequence[Fault], symbol: str, close_time: int, length: int, now: int
) -> Row | None:
    """The candle as the exchange has it now, or None while it is late. Damage of `BAD` and
    `OFF_GRID` is of the telling, not of what is held.
    """
    mine = [f for f in faults if f.close_time == close_time and f.befalls(symbol, now)]
    if close_time - length > now or any(f.kind is Kind.LATE for f in mine):
        return None
    row = candle(symbol, close_time - length, length, now)
    for fault in mine:
        if fault.kind is Kind.CORRECTED:
            row = row.scaled(fault.factor)
    return row


def told(faults: Sequence[Fault], asked: Asked, now: int) -> list[tuple[int, Values]]:
    """The rows that answer a request: open times and values as text, cut, turned and doubled."""
    newest = now // asked.length * asked.length
    last = newest if asked.last is None else min(newest, asked.last)
    oldest = last // asked.length * asked.length - (asked.limit - 1) * asked.length
    first = oldest if asked.first is None else asked.first
    if asked.newest:
        first = max(first, oldest)
    opens = range(-(-first // asked.length) * asked.length, last + 1, asked.length)[: asked.limit]
    rows = [row for time in opens if (row := _telling(faults, asked, time, now))]
    for fault in faults:
        if fault.befalls(asked.symbol, now):
            rows = _page_fault(fault, rows)
    return rows


def _telling(
    faults: Sequence[Fault], asked: Asked, open_time: int, now: int
) -> tuple[int, Values] | None:
    close_time = open_time + asked.length
    row = held(faults, asked.symbol, close_time, asked.length, now)
    if row is None:
        return None
    values = {name: str(value) for name, value in asdict(row).items() if name != "open_time"}
    for fault in faults:
        if fault.close_time == close_time and fault.befalls(asked.symbol, now):
            if fault.kind is Kind.BAD:
                values[fault.field] = fault.value
            if fault.kind is Kind.OFF_GRID:
                open_time += NANOSECONDS_PER_SECOND
    return open_time, values


def _page_fault(fault: Fault, rows: list[tuple[int, Values]]) -> list[tuple[int, Values]]:
    if fault.kind is Kind.PARTIAL:
        return rows[: fault.rows]
    if fault.kind is Kind.REVERSED:
        return rows[::-1]
    if fault.kind is Kind.TWICE:
        return [row for row in rows for _ in range(2)]
    return rows
