"""document_changes: where two documents of JSON values differ, value by value."""

import json
from collections.abc import Iterator
from typing import Any

from stratvector.trading.chapters import Chapter

ABSENT = object()
ABSENT_WORD = "absent"
ENGINE = "engine_hash"


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


def engine_change(before: str, after: str) -> list[dict[str, str]]:
    """Another engine as a change, none where both hashes are one."""
    if before == after:
        return []
    return [{"place": ENGINE, "before": _shown(before), "after": _shown(after)}]
