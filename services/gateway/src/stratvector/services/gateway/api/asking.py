"""asking: how a route comes to the context, and what a question must be before it is asked."""

from typing import Annotated

from fastapi import Depends, HTTPException, Query, WebSocketException
from starlette.requests import HTTPConnection

from stratvector.runtime.process.settings import nearest
from stratvector.runtime.served import NotServed
from stratvector.services.gateway.api.declared import declared
from stratvector.services.gateway.context import GatewayContext, PortfolioContext

JSON = ("*/*", "application/*", "application/json")
POLICY_VIOLATION = 1008
NAME_MAX = 100  # of a client's words, in what is said of them
REASON_MAX = 120  # bytes that a WebSocket gives to a reason, nearly
WEBSOCKET_KEYS = ["portfolio", "run"]


def gateway_of(connection: HTTPConnection) -> GatewayContext:
    """The context of the application that was asked."""
    context: GatewayContext = connection.app.state.context
    return context


Gateway = Annotated[GatewayContext, Depends(gateway_of)]
PortfolioName = Annotated[
    str, Query(description="name of the portfolio; none: the one that began last")
]
RunName = Annotated[
    str, Query(description="its run, such as `replay.4f27e6dc`; none: the one that began last")
]


def context_of(
    gateway: Gateway,
    connection: HTTPConnection,
    portfolio: PortfolioName = "",
    run: RunName = "",
) -> PortfolioContext:
    """The context of the portfolio that is asked about.

    Raises NotServed, WebSocketException for a WebSocket.
    """
    try:
        return gateway.portfolios.newest(portfolio[:NAME_MAX], run[:NAME_MAX])
    except NotServed as error:
        if connection.scope["type"] == "websocket":
            raise WebSocketException(POLICY_VIOLATION, str(error)[:REASON_MAX]) from None
        raise


Context = Annotated[PortfolioContext, Depends(context_of)]


async def well_asked(connection: HTTPConnection) -> None:
    """Refuse what no route would read: query keys, and media types that there are not.

    Raises HTTPException 406, 415 or 422, WebSocketException for a WebSocket.
    """
    scope = connection.scope
    if scope["type"] == "websocket":
        if wrong := _wrong_keys(connection, WEBSOCKET_KEYS):
            raise WebSocketException(POLICY_VIOLATION, wrong)
        return
    operation = declared(connection.app).operation(scope)
    if not operation:
        return  # a page of the documentation
    if wrong := _wrong_keys(connection, declared(connection.app).query_keys(scope)):
        raise HTTPException(422, wrong)
    headers = connection.headers
    if not _takes_json(headers.get("accept", "*/*")):
        raise HTTPException(406, f"answers are application/json, not {headers['accept'][:100]}")
    sent = headers.get("content-type", "nothing").partition(";")[0].strip().lower()
    if "requestBody" in operation and sent != "application/json":
        raise HTTPException(415, f"the body is sent as {sent[:100]}; send it as application/json")


def _wrong_keys(connection: HTTPConnection, known: list[str]) -> str:
    """Why the query is none that its path reads; empty when it is."""
    seen: set[str] = set()
    for key, _ in connection.query_params.multi_items():
        shown, path = repr(key[:100]), connection.scope["path"]
        if key not in known:
            near = f"the nearest is {nearest(key, known)}" if known else "it takes none"
            return f"{path} takes no query key {shown}; {near}"
        if key in seen:
            return f"query key {shown} is given twice"
        seen.add(key)
    return ""


def _takes_json(accept: str) -> bool:
    """Whether a client that accepts this takes JSON."""
    for one in accept.split(","):
        media, *parameters = (part.strip().lower() for part in one.split(";"))
        refused = any(part in ("q=0", "q=0.0", "q=0.00", "q=0.000") for part in parameters)
        if media in JSON and not refused:
            return True
    return not accept.strip()
