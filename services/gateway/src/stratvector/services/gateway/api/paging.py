"""paging: `limit` and `cursor` of a question, `next_cursor` of its answer."""

from typing import Annotated

from fastapi import Depends, Query

from stratvector.services.gateway.api.values import closes
from stratvector.services.gateway.clients.ledger import Asked, Range

LIMIT, LIMIT_MAX = 100, 1_000


def asked(
    closes: Annotated[Range, Depends(closes)],
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="records per page")] = LIMIT,
    cursor: Annotated[str, Query(description="`next_cursor` of the page before")] = "",
) -> Asked:
    """Which page is wanted."""
    return Asked(closes, limit, cursor)


PageWanted = Annotated[Asked, Depends(asked)]
ClosesWanted = Annotated[Range, Depends(closes)]
