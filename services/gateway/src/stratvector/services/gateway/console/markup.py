"""markup: money and tables as HTML; every text that comes from elsewhere is escaped."""

import html
import math
import re
from collections.abc import Iterable, Sequence

from stratvector.services.gateway.words import MINUS

WHOLE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?|[\d.,\N{MINUS SIGN}]+ %")


def escaped(text: object) -> str:
    """Safe between tags and in quoted attributes."""
    return html.escape(str(text))


def broken(name: str) -> str:
    """A text, escaped, whose names may break after underscores and before capitals; dates and
    percentages stay whole.
    """
    names = re.sub(r"_|(?<=[a-z])(?=[A-Z])", r"\g<0><wbr>", escaped(name))
    return re.sub(WHOLE, r'<span class="time">\g<0></span>', names)


def money(value: float) -> str:
    """Such as 12,345.60."""
    return f"{value:,.2f}".replace("-", MINUS)


def gain(value: float) -> str:
    """Money with its sign, such as +345.60."""
    return f"{value:+,.2f}".replace("-", MINUS)


def tone(value: float) -> str:
    """The class of a result: up, down, or neither."""
    return "up" if value > 0 else "down" if value < 0 else ""


def table(title: str, heads: Sequence[tuple[str, bool]], rows: Iterable[str]) -> str:
    """title : for who hears the page. heads : title, and whether the column holds figures. rows :
    whole <tr>s.
    """
    cells = "".join(
        f'<th scope="col" class="{"figure" if f else ""}">{escaped(t)}</th>' for t, f in heads
    )
    return (
        # A card that scrolls can be scrolled by its keys, too.
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(title)}"><table>'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(cells: Sequence[tuple[str, bool]], name: str = "") -> str:
    """One <tr>; cells : HTML that is safe, and whether it is a figure. name : for tests."""
    tag = f' data-testid="{escaped(name)}"' if name else ""
    inner = "".join(f'<td class="{"figure" if figure else ""}">{c}</td>' for c, figure in cells)
    return f"<tr{tag}>{inner}</tr>"


def chip(word: str) -> str:
    """A noun of the flow as a label of its own colour."""
    return f'<span class="chip chip-{escaped(word)}">{escaped(word)}</span>'


def empty(sentence: str) -> str:
    """What stands where nothing is yet."""
    return f'<p class="empty">{escaped(sentence)}</p>'


def share_bar(fraction: float) -> str:
    """A share from 0 to 1 as a small bar; more is full."""
    width = 0.0 if not math.isfinite(fraction) else 100.0 * min(abs(fraction), 1.0)
    return f'<span class="share"><span style="width:{width:.0f}%"></span></span>'
