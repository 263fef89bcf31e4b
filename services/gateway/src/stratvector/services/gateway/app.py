"""app: the FastAPI application: routers, the guard before them, and how errors are told."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from stratvector.services.gateway.api import (
    backtesting,
    explaining,
    monitoring,
    montecarlo,
    portfolio,
    strategies,
    trading,
    websocket,
)
from stratvector.services.gateway.api.documentation import serve_documentation
from stratvector.services.gateway.api.values import BadTime, Shape
from stratvector.services.gateway.clients.peer import PeerError
from stratvector.services.gateway.desk import Desk
from stratvector.services.gateway.guard import Guard

DESCRIPTION = """Asks the services of one StratVector session.

Times are RFC 3339 in UTC, money and quantities are decimal texts, fractions are numbers, and null
is *not known*. Lists come in pages: `limit`, and `cursor` = the `next_cursor` of the page before.
A service that does not answer is status 503 with one sentence that names it.
`/ws` tells what happens as it happens."""


class Problem(Shape):
    """Why there is no answer, in one sentence."""

    detail: str


def gateway_app(desk: Desk) -> FastAPI:
    """REST, WebSocket and documentation; the console is mounted on it."""
    app = FastAPI(
        title="StratVector",
        version="1",
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={
            422: {"model": Problem, "description": "A question that can't be answered"},
            502: {"model": Problem, "description": "A service failed"},
            503: {"model": Problem, "description": "A service is away"},
        },
    )
    app.state.desk = desk
    app.add_middleware(Guard, metrics=desk.metrics)
    rooms = (portfolio, trading, explaining, strategies, monitoring, backtesting, montecarlo)
    for room in (*rooms, websocket):
        app.include_router(room.router)
    serve_documentation(app)
    _tell_errors(app)

    @app.api_route("/api/{path:path}", methods=["GET", "POST"], include_in_schema=False)
    async def nothing(path: str) -> JSONResponse:
        """Else the console would answer with a page."""
        detail = f"there is no /api/{path}; /api/docs tells what there is"
        return JSONResponse({"detail": detail}, status_code=404)

    return app


def _tell_errors(app: FastAPI) -> None:
    """Each error is one sentence."""

    @app.exception_handler(PeerError)
    async def unanswered(_: Request, error: PeerError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=error.status)

    @app.exception_handler(BadTime)
    async def bad_time(_: Request, error: BadTime) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=422)

    @app.exception_handler(RequestValidationError)
    async def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        sentences = "; ".join(map(_sentence, error.errors()))
        return JSONResponse({"detail": sentences}, status_code=422)


def _sentence(problem: Mapping[str, Any]) -> str:
    key = ".".join(map(str, problem["loc"][1:]))
    if problem["type"] == "json_invalid" or not key:
        return "the body is not a JSON object sent as application/json"
    rule = problem["msg"][:1].lower() + problem["msg"][1:]
    if problem["type"] == "missing":
        return f"{key} is missing: {rule}"
    return f"{key} can't be {problem['input']!r}: {rule}"
