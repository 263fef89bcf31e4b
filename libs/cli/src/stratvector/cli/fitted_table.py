"""fitted_table: tables whose cells are never cut: where a terminal is too narrow, whole columns go.

A symbol or an amount of money that is cut or broken over two lines is read wrongly. So a table has
its natural width, leaves out its least important columns until it fits, and says which. Where
nobody looks (a pipe, a file), nothing is left out.
"""

import os
from dataclasses import dataclass, replace
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

CELL_FRAME = 3  # a space on both sides and a line
TABLE_FRAME = 1
GAP = 3  # between tables that stand side by side
TITLE_WIDTH_MIN = 34


@dataclass(frozen=True)
class Column:
    """One column. rank : 0 is never left out; of the others, the highest goes first.

    words : set at the left, as names are; figures stand at the right.
    """

    head: str
    rank: int = 0
    words: bool = False


@dataclass(frozen=True)
class Fitted:
    """A table before it is laid out. rows : of as many cells as there are columns."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Characters that it takes with every cell whole."""
        cells = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.columns)
        widths = (
            max(cell_len(text) for text in (column.head, *texts))
            for column, texts in zip(self.columns, cells, strict=True)
        )
        wide = sum(width + CELL_FRAME for width in widths) + TABLE_FRAME
        return max(wide, TITLE_WIDTH_MIN, cell_len(self.title))

    def within(self, width: int) -> "Fitted":
        """Without the columns that do not fit, the least important first."""
        table = self
        while table.width > width and any(column.rank for column in table.columns):
            table = table._without(max(range(len(table.columns)), key=table._rank))
        return table

    def _rank(self, position: int) -> tuple[int, int]:
        return self.columns[position].rank, position

    def _without(self, position: int) -> "Fitted":
        kept = [n for n in range(len(self.columns)) if n != position]
        return replace(
            self,
            columns=tuple(self.columns[n] for n in kept),
            rows=tuple(tuple(row[n] for n in kept) for row in self.rows),
            left_out=(self.columns[position].head, *self.left_out),
        )

    def laid_out(self) -> RenderableType:
        """What rich prints."""
        shown = any(column.head for column in self.columns)
        table = Table(
            title=self.title,
            title_justify="left",
            show_header=shown,
            width=self.width,
            pad_edge=True,
        )
        for column in self.columns:
            justify: Literal["left", "right"] = "left" if column.words else "right"
            table.add_column(Text(column.head), justify=justify, no_wrap=True)
        for row in self.rows:
            table.add_row(*map(Text, row))
        if not self.left_out:
            return table
        note = f"not shown, too wide: {', '.join(self.left_out)}; a wider window shows it"
        return Group(table, Text(note, style="dim"))


def print_tables(console: Console, *tables: Fitted) -> None:
    """Print tables side by side where all fit, else one below the other."""
    room = _room(console)
    fitted = [table.within(room) for table in tables]
    widest = max(table.width for table in fitted)
    together = sum(table.width for table in fitted) + GAP * (len(fitted) - 1)
    if together <= room and not any(table.left_out for table in fitted):
        beside = Table.grid(padding=(0, GAP, 0, 0))
        beside.add_row(*(table.laid_out() for table in fitted))
        _print_whole(console, beside, together + GAP)
        return
    for table in fitted:
        _print_whole(console, table.laid_out(), widest)


def _room(console: Console) -> int:
    """Columns to print in; a pipe or a file has as many as are wanted, unless told."""
    told = console.is_terminal or "COLUMNS" in os.environ
    return console.width if told else 10_000


def _print_whole(console: Console, laid_out: RenderableType, width: int) -> None:
    """Print at a table's own width, as rich would squeeze it into the window's."""
    before = console.width
    console.width = max(before, width)
    try:
        console.print(laid_out, crop=False)
    finally:
        console.width = before
