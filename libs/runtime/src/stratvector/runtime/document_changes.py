"""document_changes: where two documents of JSON values differ, value by value."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stratvector.trading.chapters import Chapter

ABSENT = object()
ABSENT_WORD = "absent"
ENGINE = "engine_hash"
SOLD = "wanted no more, sold until it is flat"
WANTED_AGAIN = "wanted again"
CLOSING = re.compile(r"closing\[(?P<universe>[^]]*)\]\.symbols\[(?P<symbol>.*)\]")
UNIVERSE = re.compile(r"portfolio\.universes\[(?P<universe>[^]]*)\]")
# What a universe that comes or goes changes besides; which closes there are follows from all.
COUNTED = ("closes", "last_close")
SYMBOL = re.compile(r"portfolio\.universes\[(?P<universe>[^]]*)\]\.instruments\[(?P<symbol>.*)\]")

STRATEGY = re.compile(
    r"strategies\.(?P<model>.+?)\.(?:parameters\.(?P<parameter>.+)|(?P<part>class|version|source))"
)


def changes(before: Any, after: Any, place: str = "") -> Iterator[dict[str, str]]:
    """Each value that differs, in the order of its place: before and after as JSON, "absent" for
    none. A list is compared element by element; of named things, such as models, by name.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = f"{place}.{key}" if place else key
            yield from changes(before.get(key, ABSENT), after.get(key, ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list):
        ours, theirs = _by_name(before), _by_name(after)
        for key in dict.fromkeys((*ours, *theirs)):
            yield from changes(ours.get(key, ABSENT), theirs.get(key, ABSENT), f"{place}[{key}]")
    elif before is ABSENT or after is ABSENT or before != after or type(before) is not type(after):
        yield {"place": place, "before": _shown(before), "after": _shown(after)}


def _by_name(items: list[Any]) -> dict[str, Any]:
    """Elements by the name or symbol that they carry, else by their place."""
    named: dict[str, Any] = {}
    for number, item in enumerate(items):
        told = item if isinstance(item, dict) else {}
        name = str(told.get("name", told.get("symbol", number)))
        named[name if name not in named else str(number)] = item
    return named


def _shown(value: Any) -> str:
    return ABSENT_WORD if value is ABSENT else json.dumps(value, ensure_ascii=False)


def described(chapter: Chapter) -> dict[str, Any]:
    """A chapter's document and the symbols that are closing in it, to be held against another's."""
    closing = [
        {"name": one.universe, "symbols": [{"symbol": symbol} for symbol in one.closing]}
        for one in chapter.bars
    ]
    return {**json.loads(chapter.document), "closing": closing}


@dataclass(frozen=True)
class SymbolChange:
    """What becomes of a symbol of a universe. what : in a few words."""

    universe: str
    symbol: str
    what: str


def symbol_change(change: Mapping[str, str]) -> SymbolChange | None:
    """What a change says of a symbol as a whole, None where it is another change."""
    comes, goes = (change[side] == ABSENT_WORD for side in ("before", "after"))
    for pattern, words in ((SYMBOL, ("added", "removed")), (CLOSING, (SOLD, WANTED_AGAIN))):
        if (found := pattern.fullmatch(change["place"])) is not None and comes != goes:
            return SymbolChange(found["universe"], found["symbol"], words[goes])
    return None


@dataclass(frozen=True)
class StrategyChange:
    """What becomes of the strategy of a model that stays. what : a parameter, or class, version or
    code. before, after : values without quotes.
    """

    model: str
    what: str
    before: str
    after: str


def strategy_change(change: Mapping[str, str]) -> StrategyChange | None:
    """What a change says of the strategy of a model that stays, None where it is another change."""
    if (found := STRATEGY.fullmatch(change["place"])) is None:
        return None
    what = found["parameter"] or {"source": "code"}.get(found["part"], found["part"])
    before, after = (change[side].strip('"') for side in ("before", "after"))
    return StrategyChange(found["model"], what, before, after)


@dataclass(frozen=True)
class UniverseChange:
    """What becomes of a universe. what : in a word."""

    universe: str
    what: str


def universe_change(change: Mapping[str, str]) -> UniverseChange | None:
    """What a change says of a universe as a whole, None where it is another change."""
    comes, goes = (change[side] == ABSENT_WORD for side in ("before", "after"))
    found = UNIVERSE.fullmatch(change["place"])
    if found is None or comes == goes:
        return None
    return UniverseChange(found["universe"], "removed" if goes else "added")


def without_repeats(found: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Changes but for those that say in other words that universes or symbols come or go: a
    universe has a source, the source lists its symbols by place, and what has gone is closing no
    more.
    """
    universes = [one.universe for change in found if (one := universe_change(change)) is not None]
    told = [place for name in universes for place in (f"sources.{name}", f"closing[{name}]")]
    told += COUNTED if universes else ()
    of = [(change, symbol_change(change)) for change in found if change["place"] not in told]
    moved = {one.universe for _, one in of if one and one.what in ("added", "removed")}
    gone = {(one.universe, one.symbol) for _, one in of if one and one.what == "removed"}
    repeated = tuple(f"sources.{universe}.load.symbols[" for universe in moved)
    return [
        change
        for change, one in of
        if not change["place"].startswith(repeated)
        and not (one and one.what == WANTED_AGAIN and (one.universe, one.symbol) in gone)
    ]


def engine_change(before: str, after: str) -> list[dict[str, str]]:
    """Another engine as a change, none where both hashes are one."""
    if before == after:
        return []
    return [{"place": ENGINE, "before": _shown(before), "after": _shown(after)}]


def lines(found: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Changes for people, a line each."""
    for change in without_repeats(found):
        if (one := symbol_change(change)) is not None:
            yield f"symbol {one.symbol} of universe {one.universe}: {one.what}"
        elif (of := strategy_change(change)) is not None:
            yield f"model {of.model}: {of.what} {of.before} → {of.after}"
        elif (whole := universe_change(change)) is not None:
            yield f"universe {whole.universe}: {whole.what}"
        elif change["place"] == ENGINE:
            yield f"engine {json.loads(change['before'])} → {json.loads(change['after'])}"
        else:
            yield f"{change['place']}: {change['before']} → {change['after']}"
