"""Which rows of one file are bars, and what is wrong with each of the others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stratvector.market.reading_report import EXAMPLES_MAX, KINDS, BadRow, BadRows

Mask = npt.NDArray[np.bool_]


class Judgement:
    """The verdicts on a file's rows, each row counted under the first kind that it shows.

    fine : rows that no rule has refused so far, bool[n].
    """

    def __init__(self, path: Path, numbers: npt.NDArray[np.int64]) -> None:
        self.path, self.numbers = path, numbers
        self.fine: Mask = np.ones(len(numbers), dtype=np.bool_)
        self._found: dict[str, BadRows] = {}

    def refuse(self, kind: str, wrong: Mask, told: Callable[[int], str]) -> None:
        """Refuse the fine rows among `wrong`. told : what is wrong with the row at a position."""
        rows = np.flatnonzero(wrong & self.fine)
        if not rows.size:
            return
        self.fine[rows] = False
        first = [int(row) for row in rows[:EXAMPLES_MAX]]
        examples = tuple(BadRow(self.path, int(self.numbers[row]), told(row)) for row in first)
        found = BadRows(kind, len(rows), examples, removed=False)
        self._found[kind] = joined([self._found[kind], found]) if kind in self._found else found

    @property
    def found(self) -> tuple[BadRows, ...]:
        """What was refused, kind by kind."""
        return tuple(self._found.values())


def joined(found: list[BadRows]) -> BadRows:
    """Bad rows of one kind, from several rules or files, as one."""
    rows = sorted(
        (example for each in found for example in each.examples),
        key=lambda example: (example.path, example.row),
    )
    return replace(
        found[0],
        count=sum(each.count for each in found),
        examples=tuple(rows[:EXAMPLES_MAX]),
    )


def by_kind(found: list[BadRows], removed: tuple[str, ...]) -> tuple[BadRows, ...]:
    """All files' bad rows, one entry a kind in the order of `KINDS`.

    removed : the kinds that the asked repairs leave out.
    """
    return tuple(
        replace(joined(same), removed=kind in removed)
        for kind in KINDS
        if (same := [each for each in found if each.kind == kind])
    )
