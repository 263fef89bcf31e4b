"""asking: how a route comes to the desk."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from stratvector.services.gateway.desk import Desk


def desk_of(connection: HTTPConnection) -> Desk:
    """The desk of the application that was asked."""
    desk: Desk = connection.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(desk_of)]
