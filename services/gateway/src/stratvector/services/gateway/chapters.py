"""chapters: the stretches of a portfolio's life, as API and console tell them: from which close on,
who wanted what, and how much was decided since.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stratvector.runtime.document_changes import changes, described, engine_change
from stratvector.trading.chapters import Chapter
from stratvector.trading.orders import Decision


@dataclass(frozen=True)
class ChapterRow:
    """A chapter that has opened.

    after : the close that it opened after, ns UTC, None where nothing was decided before it.
    applied_by, applied_at : who applied its document and when, empty and 0 where nobody did.
    changes : place, before and after of each value that differs from the chapter before, another
    engine first; none where it opened by its length.
    first_close : ns UTC, None until one is decided. closes : how many are.
    """

    number: int
    after: int | None
    engine_hash: str
    applied_by: str
    applied_at: int
    changes: tuple[dict[str, str], ...]
    first_close: int | None = None
    closes: int = 0


class Chapters:
    """Those of one portfolio in one run, folded from its orders lane."""

    def __init__(self) -> None:
        self._rows: list[ChapterRow] = []
        self._document: dict[str, Any] = {}

    @property
    def rows(self) -> Sequence[ChapterRow]:
        """All that have opened, the oldest first."""
        return self._rows

    def resume(self, rows: Sequence[ChapterRow], newest: Chapter | None) -> None:
        """Go on from other rows. newest : the chapter that the last of them tells of."""
        self._rows = list(rows)
        self._document = {} if newest is None else described(newest)

    def open(self, chapter: Chapter) -> ChapterRow:
        """One that opens after the newest decision."""
        document = described(chapter)
        changed = tuple(self._changes(chapter.engine_hash, document)) if self._rows else ()
        self._document = document
        row = ChapterRow(
            chapter.number,
            None if chapter.carried is None else chapter.carried.close_time or None,
            chapter.engine_hash,
            chapter.applied_by,
            chapter.applied_at,
            changed,
        )
        self._rows.append(row)
        return row

    def _changes(self, engine: str, document: dict[str, Any]) -> Iterator[dict[str, str]]:
        """Against the chapter before."""
        yield from engine_change(self._rows[-1].engine_hash, engine)
        yield from changes(self._document, document)

    def take(self, decision: Decision) -> None:
        """A close of the newest chapter."""
        if self._rows:
            row = self._rows[-1]
            first = decision.close_time if row.first_close is None else row.first_close
            self._rows[-1] = replace(row, first_close=first, closes=row.closes + 1)
