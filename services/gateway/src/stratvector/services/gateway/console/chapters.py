"""chapters: the newest stretches of the portfolio's life, and what each changed."""

from collections.abc import Iterator, Mapping, Sequence

from stratvector.runtime.change_words import (
    model_change,
    strategy_change,
    symbol_change,
    universe_change,
    without_repeats,
)
from stratvector.services.gateway.chapters import ChapterRow
from stratvector.services.gateway.console.markup import broken, empty, escaped, row, table
from stratvector.services.gateway.context import PortfolioContext
from stratvector.services.gateway.words import minute

SHOWN_MAX = 10
CHANGES_MAX = 5  # of one chapter; the API has all
VALUE_MAX = 60  # characters of one value
HEADS = (("Chapter", False), ("What changed", False))


def chapters(context: PortfolioContext) -> str:
    """The table, the newest first."""
    rows = context.live.chapters.rows
    newest = rows[: -SHOWN_MAX - 1 : -1]
    if not newest:
        return empty("No chapter yet: the portfolio has not begun.")
    older = len(rows) - len(newest)
    about = f'<p class="about">{older:,} older ones: /api/chapters</p>' if older else ""
    shown = table("Chapters", HEADS, map(_row, newest))
    return f'<div data-testid="chapters">{shown}{about}</div>'


def _row(one: ChapterRow) -> str:
    cells = [(f"<b>{one.number:,}</b> {_since(one)}", False), (_changes(one), False)]
    return row(cells, f"chapter-{one.number}")


def _since(one: ChapterRow) -> str:
    """From which close on it holds, and who wanted what it changed."""
    if one.first_close is not None:
        since = f"from {_time(one.first_close)}"
    else:
        since = "no close yet" if one.after is None else f"after {_time(one.after)}"
    by = ""
    if one.applied_by and (one.changes or one.after is None):
        by = f"<br>by {broken(one.applied_by)}, {_time(one.applied_at)}"
    return f"<small>{since}{by}</small>"


def _time(nanoseconds: int) -> str:
    return f'<span class="time">{minute(nanoseconds)}</span>'


def _changes(one: ChapterRow) -> str:
    closes = f"{one.closes:,} close{'' if one.closes == 1 else 's'}"
    if not one.changes:
        return f"<small>{'begun' if one.after is None else 'no change'}, {closes}</small>"
    lines = list(_lines(one.changes))
    told = "".join(lines[:CHANGES_MAX])
    more = len(lines) - CHANGES_MAX
    rest = f"and {more:,} more, " if more > 0 else ""
    return f"{told}<small>{rest}{closes}</small>"


def _lines(changes: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """A model, a universe or a symbol that comes or goes is one line, without all that is said of
    it.
    """
    for change in without_repeats(changes):
        if (one := symbol_change(change)) is not None:
            of = f"symbol {broken(one.symbol)} in universe {broken(one.universe)}"
            yield f'<div class="change">{of}<br><b>{one.what}</b></div>'
            continue
        if (new := strategy_change(change)) is not None:
            values = f"{_value(new.before)} → {_value(new.after)}"
            of = f"model {broken(new.model)}: {broken(new.what)}"
            yield f'<div class="change">{of}<br><b>{values}</b></div>'
        elif (whole := universe_change(change)) is not None:
            of = f"universe {broken(whole.universe)}"
            yield f'<div class="change">{of}<br><b>{whole.what}</b></div>'
        elif (model := model_change(change, changes)) is not None:
            of = f"model {broken(model.model)}"
            yield f'<div class="change">{of}<br><b>{broken(model.what)}</b></div>'
        else:
            yield _change(change)


def _change(change: Mapping[str, str]) -> str:
    place = broken(change["place"]).replace(".", ".<wbr>").replace("[", "<wbr>[")
    before, after = _value(change["before"]), _value(change["after"])
    return f'<div class="change">{place}<br><b>{before} → {after}</b></div>'


def _value(text: str) -> str:
    return escaped(text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}…")
