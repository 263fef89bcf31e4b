"""chapters: how a portfolio came to the limits, costs and budgets that hold now."""

from fastapi import APIRouter

from stratvector.services.gateway.api.asking import Context
from stratvector.services.gateway.api.values import Shape, Time, time_of
from stratvector.services.gateway.chapters import ChapterRow

router = APIRouter(prefix="/api/chapters", tags=["portfolio"])


class ChangeShape(Shape):
    """A value of the document that changed. before, after : as JSON, or `absent`."""

    place: str
    before: str
    after: str


class ChapterShape(Shape):
    """A stretch of the portfolio's life.

    chapter : its number, from 1. after : the close that it opened after, null for the first one.
    first_close : null until one is decided; closes : how many are. by, at : who applied its
    document and when, empty and null where nobody did. changes : against the chapter before; none
    where it opened by its length.
    """

    chapter: int
    after: Time | None
    first_close: Time | None
    closes: int
    engine_hash: str
    by: str
    at: Time | None
    changes: list[ChangeShape]


class ChaptersAnswer(Shape):
    """Every chapter that has opened, the oldest first."""

    chapters: list[ChapterShape]


@router.get("")
async def get_chapters(context: Context) -> ChaptersAnswer:
    """Every chapter that has opened: from which close on, who changed what, by which engine."""
    return ChaptersAnswer(chapters=[_shape(row) for row in context.live.chapters.rows])


def _shape(row: ChapterRow) -> ChapterShape:
    return ChapterShape(
        chapter=row.number,
        after=time_of(row.after),
        first_close=time_of(row.first_close),
        closes=row.closes,
        engine_hash=row.engine_hash,
        by=row.applied_by,
        at=time_of(row.applied_at),
        changes=[ChangeShape(**one) for one in row.changes],
    )
