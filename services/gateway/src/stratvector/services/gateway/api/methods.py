"""methods: HEAD is GET without a body, OPTIONS tells what a path answers, others are refused."""

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stratvector.services.gateway.api.declared import declared
from stratvector.services.gateway.api.problems import no_such_path, problem

# Engine.IO's transport knows no HEAD: as a GET it would open a session.
SOCKETS = "/_nicegui_ws"


class HeadAsGet:
    """Asks the application for GET where a client asks for HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, without the body for HEAD."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or scope["path"].startswith(SOCKETS):
            await self.app(scope, receive, send)
            return

        async def bodiless(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, bodiless)


def answer_every_method(app: FastAPI, prefix: str) -> None:
    """Answer what no route below a prefix does; to be called after all of them."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        response = _response(app, scope["method"], scope["path"])
        await response(scope, receive, send)

    app.mount(prefix, answer)


def _response(app: FastAPI, method: str, path: str) -> Response:
    allowed = ", ".join(declared(app).methods(path))
    if not allowed:
        return problem(path, 404, no_such_path(path))
    if method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": allowed})
    return problem(path, 405, f"{path} answers {allowed}, not {method}", {"Allow": allowed})
