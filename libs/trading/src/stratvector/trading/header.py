"""Which column of a file or frame is which of the seven that bars are made of.

Names are compared without the spaces around them and, where that is certain, without regard to
case. Whatever is not certain is refused with the words that would decide it.
"""

import re
from collections.abc import Mapping, Sequence

from stratvector.trading.bad_bars import AmbiguousColumn, MissingColumn, RepeatedColumn
from stratvector.trading.nearest import suggestion

_ADJUSTED_CLOSE = re.compile(r"adj(usted)?close(price)?|close(price)?adj(usted)?")
# Names that other sources use. They are never taken unasked: a date may be an open or a close.
_OTHER_NAMES = {
    "timestamp": ("date", "datetime", "date/time", "time", "open time", "close time", "ts", "t"),
    "symbol": ("ticker", "pair", "instrument", "asset", "code", "name"),
    "open": ("o", "open price"),
    "high": ("h", "high price"),
    "low": ("l", "low price"),
    "close": ("c", "last", "price", "close price", "adj close"),
    "volume": ("v", "vol", "vol.", "quantity", "tick_volume"),
}


def choose(
    present: Sequence[str],
    wanted: Sequence[str],
    columns: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Our name → position in `present`, for each of the wanted.

    columns : our name → theirs, where the user said so; None where that cannot be said (frames).
    Raises MissingColumn, RepeatedColumn and AmbiguousColumn.
    """
    names = [str(name).strip(" \t\r\n\ufeff\u00a0") for name in present]
    mapped = {ours: theirs.strip() for ours, theirs in (columns or {}).items()}
    if "close" in wanted and "close" not in mapped:
        _refuse_adjusted(names, can_map=columns is not None)
    return {
        ours: _position(ours, names, mapped.get(ours), can_map=columns is not None)
        for ours in wanted
    }


def _position(ours: str, names: list[str], theirs: str | None, can_map: bool) -> int:
    if theirs is None:
        found = [at for at, name in enumerate(names) if name.lower() == ours]
    else:
        found = [at for at, name in enumerate(names) if name == theirs]
    if not found:
        raise MissingColumn(theirs or ours, tuple(names), _hint(ours, names, theirs, can_map))
    choices = {names[at] for at in found}
    if len(choices) > 1:
        raise AmbiguousColumn(ours, tuple(sorted(choices)), _how(ours, sorted(choices)[0], can_map))
    if len(found) > 1:
        raise RepeatedColumn(names[found[0]], len(found))
    return found[0]


def _refuse_adjusted(names: list[str], can_map: bool) -> None:
    adjusted = [n for n in names if _ADJUSTED_CLOSE.fullmatch(re.sub(r"[^a-z]", "", n.lower()))]
    plain = [n for n in names if n.lower() == "close"]
    if adjusted and plain:
        raise AmbiguousColumn("close", (plain[0], adjusted[0]), _how("close", plain[0], can_map))


def _how(ours: str, theirs: str, can_map: bool) -> str:
    if can_map:
        return f"say which, as in columns={{{ours!r}: {theirs!r}}}"
    return "drop the columns that are not meant"


def _hint(ours: str, names: list[str], theirs: str | None, can_map: bool) -> str:
    if theirs is not None:
        return suggestion(theirs, names)
    other = [name for name in names if name.lower() in _OTHER_NAMES[ours]]
    if other:
        return _how(ours, other[0], True) if can_map else f"rename {other[0]!r} to {ours}"
    return 'a file of one symbol is read with symbol="NAME"' if ours == "symbol" and can_map else ""
