"""guard: refuses what another web site could make this machine's browser ask for.

Without authentication the browser is the only border: a page of any site may send requests to
127.0.0.1, or give itself a name that points here (DNS rebinding). So the Host header must name
this machine, and what changes something, or opens a WebSocket, must come from the console's own
origin. Programs send no Origin, and may ask.

Sources: Fetch Metadata Request Headers (W3C), OWASP's cross-site request forgery cheat sheet.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stratvector.runtime.process.host_header import foreign_host
from stratvector.services.gateway.metrics import GatewayMetrics

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
POLICY_VIOLATION = 1008
# Vue compiles its templates in the browser, which needs eval; nothing comes from elsewhere.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "frame-ancestors 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
ANSWER_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Stands before everything that the gateway answers, and counts it."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let through."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if wrong_host(headers) or foreign_origin(headers):
            # Closed before it is accepted: the client is answered with status 403.
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        await self.app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, status = str(scope["method"]), 500

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(ANSWER_HEADERS)
            await send(message)

        app = self.app
        if why := refusal(method, Headers(scope=scope)):
            app = JSONResponse({"detail": why}, status_code=403)
        try:
            await app(scope, receive, told)
        finally:
            self._metrics.requests.labels(_known(method), _route(scope), str(status)).inc()


def refusal(method: str, headers: Mapping[str, str]) -> str:
    """Why a request is refused; empty when it is not."""
    if why := wrong_host(headers):
        return why
    return "" if method in HARMLESS else foreign_origin(headers)


def wrong_host(headers: Mapping[str, str]) -> str:
    """Why the Host header is not this machine's; empty when it is."""
    return foreign_host(headers.get("host", ""), "127.0.0.1")


def foreign_origin(headers: Mapping[str, str]) -> str:
    """Why a browser's request does not come from the console itself; empty when it does."""
    site = headers.get("sec-fetch-site", "none")
    if site not in OWN_SITES:
        return f"a request from another site ({site}) changes nothing here"
    origin = headers.get("origin")
    if origin is None or origin == f"http://{headers.get('host', '')}":
        return ""
    return f"origin {origin!r} is not this console's"


def _known(method: str) -> str:
    return method if method in {*HARMLESS, "POST", "PUT", "PATCH", "DELETE"} else "other"


def _route(scope: Scope) -> str:
    """The path as it was declared: what people type would make a metric without end."""
    path = getattr(scope.get("route"), "path", "")
    return path if path.startswith("/api") and "{path" not in path else "other"
