"""document_changes: where two documents of JSON values differ, value by value."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = object()
ABSENT_WORD = "absent"
ENGINE = "engine_hash"
SYMBOL = re.compile(r"portfolio\.universes\[(?P<universe>[^]]*)\]\.instruments\[(?P<symbol>.*)\]")


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


@dataclass(frozen=True)
class AddedSymbol:
    """A symbol that a universe has and did not have."""

    universe: str
    symbol: str


def added_symbol(change: Mapping[str, str]) -> AddedSymbol | None:
    """The symbol that a change adds to a universe, None where it is another change."""
    found = SYMBOL.fullmatch(change["place"])
    if found is None or change["before"] != ABSENT_WORD:
        return None
    return AddedSymbol(found["universe"], found["symbol"])


def without_repeats(found: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Changes but for those that say in other words that symbols were added: the source of a
    universe lists them by place.
    """
    added = {one.universe for change in found if (one := added_symbol(change)) is not None}
    repeated = tuple(f"sources.{universe}.load.symbols[" for universe in added)
    return [change for change in found if not change["place"].startswith(repeated)]


def engine_change(before: str, after: str) -> list[dict[str, str]]:
    """Another engine as a change, none where both hashes are one."""
    if before == after:
        return []
    return [{"place": ENGINE, "before": _shown(before), "after": _shown(after)}]


def lines(found: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Changes for people, a line each."""
    for change in without_repeats(found):
        if (added := added_symbol(change)) is not None:
            yield f"symbol {added.symbol} added in universe {added.universe}"
        elif change["place"] == ENGINE:
            yield f"engine {json.loads(change['before'])} → {json.loads(change['after'])}"
        else:
            yield f"{change['place']}: {change['before']} → {change['after']}"
