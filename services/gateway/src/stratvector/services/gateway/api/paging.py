"""paging: `limit`, `order` and `cursor` of a question, `next_cursor` of its answer."""

from typing import Annotated, Literal

from fastapi import Depends, Query

from stratvector.runtime.ledger_client import Asked, Range
from stratvector.services.gateway.api.values import closes

LIMIT, LIMIT_MAX = 100, 1_000
CURSOR_CHARACTERS_MAX = 64


def asked(
    closes: Annotated[Range, Depends(closes)],
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="records per page")] = LIMIT,
    order: Annotated[
        Literal["asc", "desc"], Query(description="asc: the oldest first, desc: the newest")
    ] = "asc",
    cursor: Annotated[
        str,
        Query(
            max_length=CURSOR_CHARACTERS_MAX,
            description="`next_cursor` of the page before: the place that it ended at, from where "
            "either order goes on",
        ),
    ] = "",
) -> Asked:
    """Which page is wanted."""
    return Asked(closes, limit, cursor, newest_first=order == "desc")


PageWanted = Annotated[Asked, Depends(asked)]
ClosesWanted = Annotated[Range, Depends(closes)]
