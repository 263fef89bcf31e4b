"""app: the FastAPI application: routers, what stands before them, and how errors are told."""

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from stratvector.services.gateway.api import (
    backtesting,
    chapters,
    explaining,
    monitoring,
    montecarlo,
    portfolio,
    portfolios,
    strategies,
    trading,
    websocket,
)
from stratvector.services.gateway.api.asking import well_asked
from stratvector.services.gateway.api.documentation import Documented, serve_documentation
from stratvector.services.gateway.api.methods import HeadAsGet, answer_every_method
from stratvector.services.gateway.api.problems import tell_problems
from stratvector.services.gateway.context import GatewayContext
from stratvector.services.gateway.entrance import Entrance, TokenFile
from stratvector.services.gateway.guard import ANSWER_HEADERS, OWN, Guard, Names

DESCRIPTION = """Asks the services of StratVector about portfolios.

Where several portfolios have begun, or several runs of one, `portfolio` and `run` name which is
meant; without them it is the one that began last. `/api/portfolios` lists them.

Times are RFC 3339 in UTC, money, prices and quantities are plain decimal texts, fractions are
numbers, and null is *not known*. Lists come in pages: `limit`, `order`, and `cursor` = the
`next_cursor` of the page before. Every failure is a problem document (RFC 9457) whose `detail` is
one sentence; a service that does not answer is status 503 and named. `/ws` tells what happens as
it happens."""
PACKED_BYTES_MIN = 1_024
PACKING_LEVEL = 5  # of 9; a page of 1,000 records costs some milliseconds


def gateway_app(
    context: GatewayContext, names: Names = OWN, token: TokenFile | None = None
) -> FastAPI:
    """REST, WebSocket and documentation; the console is mounted on it.

    token : None where this machine's user is served without one.
    """
    app = Documented(
        title="StratVector",
        version="1",
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(well_asked)],
    )
    app.state.context = context
    # The last one added is asked first.
    app.add_middleware(GZipMiddleware, minimum_size=PACKED_BYTES_MIN, compresslevel=PACKING_LEVEL)
    app.add_middleware(HeadAsGet)
    if token is not None:
        app.add_middleware(Entrance, token=token, metrics=context.metrics)
        app.needs_token = True
    app.add_middleware(Guard, metrics=context.metrics, names=names)
    rooms = (
        portfolios,
        portfolio,
        chapters,
        trading,
        explaining,
        strategies,
        monitoring,
        backtesting,
        montecarlo,
    )
    for room in (*rooms, websocket):
        app.include_router(room.router)
    serve_documentation(app)
    answer_every_method(app, "/api")
    tell_problems(app, ANSWER_HEADERS)
    return app
