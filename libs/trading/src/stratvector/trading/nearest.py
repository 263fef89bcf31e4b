"""The nearest of the known names to one that nothing reads."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a question, whatever its case, or one that it is a word of; else
    all of them.
    """
    names, wanted = [str(one) for one in known], name.strip().lower()
    lowered = {one.lower(): one for one in reversed(names)}
    near = get_close_matches(wanted, lowered, n=1)
    near = near or [one for one in lowered if wanted in one.split("_")]
    return f"did you mean {lowered[near[0]]}?" if near else f"there are {_list(names)}"


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN_MAX]) or "none"
    return f"{shown} and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else shown


_SHOWN_MAX = 20
