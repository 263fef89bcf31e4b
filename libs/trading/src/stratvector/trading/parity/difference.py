"""Where two values part, and what is told of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from stratvector.trading.fills import FillEvent

NONE = "none"


@dataclass(frozen=True)
class Fact:
    """One line of an explanation: the same thing in the log and in the replay."""

    what: str
    logged: str
    replayed: str


@dataclass(frozen=True)
class Difference:
    """One value of the log that the replay has otherwise.

    noun : of the flow. close_time : ns UTC. subject : the symbol, model or universe; empty for the
    close as a whole. what : the field, such as "orders.lots". against : what was replayed: the log
    by its cuts ("cut"), the recorded bars ("recording"), what the log began with ("chapter"), the
    compiled loop ("backtest").
    facts : how either side came to its value. messages : ids of the messages that were used.
    """

    noun: str
    close_time: int
    subject: str
    what: str
    logged: str
    replayed: str
    against: str = "cut"
    facts: tuple[Fact, ...] = ()
    messages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gap:
    """The field of a noun in which two of them differ, and both values in words."""

    what: str
    subject: str
    logged: str
    replayed: str


def gaps(logged: Any, replayed: Any, what: str = "", subject: str = "") -> Iterator[Gap]:
    """Every field in which two nouns differ, floats to the bit, in the order of the fields.

    Rows of a tuple are matched by symbol, so that one that is missing is told as such.
    """
    if is_dataclass(logged) and is_dataclass(replayed):
        for f in fields(logged):
            pair = getattr(logged, f.name), getattr(replayed, f.name)
            yield from gaps(*pair, f"{what}.{f.name}" if what else f.name, subject)
    elif isinstance(logged, tuple) and _has_rows(logged, replayed):
        yield from _row_gaps(logged, replayed, what)
    elif isinstance(logged, Mapping):
        for key in dict.fromkeys((*logged, *replayed)):
            yield from gaps(logged.get(key), replayed.get(key), what, key)
    elif not _equal(logged, replayed):
        yield Gap(what, subject, text(logged), text(replayed))


def text(value: Any) -> str:
    """A value in words; floats with all digits that tell them apart."""
    if value is None:
        return NONE
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, tuple):
        return " ".join(map(text, value)) or NONE
    if is_dataclass(value):
        return ", ".join(f"{f.name} {text(getattr(value, f.name))}" for f in fields(value))
    return repr(value) if isinstance(value, float) else str(value)


def _has_rows(logged: tuple[Any, ...], replayed: tuple[Any, ...]) -> bool:
    return any(is_dataclass(row) for row in (*logged, *replayed))


def _row_gaps(logged: tuple[Any, ...], replayed: tuple[Any, ...], what: str) -> Iterator[Gap]:
    ours, theirs = _by_key(logged, what), _by_key(replayed, what)
    for key in dict.fromkeys((*theirs, *ours)):
        one, other = ours.get(key), theirs.get(key)
        if one is None or other is None:
            yield Gap(key[0], key[1], text(one), text(other))
        else:
            yield from gaps(one, other, *key[:2])
    if list(ours) != list(theirs) and set(ours) == set(theirs):
        order, expected = (" ".join(key[1] for key in keys) for keys in (ours, theirs))
        yield Gap(f"order of {what}", "", order, expected)


def _by_key(rows: tuple[Any, ...], what: str) -> dict[tuple[str, str, int], Any]:
    """Rows by what they are, whom they are of and how many such came before."""
    found: dict[tuple[str, str, int], Any] = {}
    for row in rows:
        name = row.kind.name.lower() if isinstance(row, FillEvent) else what
        owner, number = _owner_of(row), 0
        while (name, owner, number) in found:
            number += 1
        found[name, owner, number] = row
    return found


def _owner_of(row: Any) -> str:
    """The symbol or the model of a row; a row of all symbols has none."""
    for name in ("symbol", "name", "model"):
        if (owner := getattr(row, name, None)) is not None:
            return str(owner)
    order = getattr(row, "order", None)
    return "" if order is None else str(order.symbol)


def _equal(logged: Any, replayed: Any) -> bool:
    if isinstance(logged, float) and isinstance(replayed, float):
        return repr(logged) == repr(replayed)
    if isinstance(logged, tuple) and isinstance(replayed, tuple):
        return len(logged) == len(replayed) and all(map(_equal, logged, replayed))
    return bool(logged == replayed)
