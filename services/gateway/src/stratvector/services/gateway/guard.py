"""guard: refuses what another web site could make a browser ask for.

Without authentication the browser is the only border: a page of any site may send requests to
127.0.0.1, or give itself a name that points here (DNS rebinding). With it the browser still sends
the cookie of whoever is inside. So the Host header must name this machine or be an allowed name,
a request that names its origin must come from the console's own, and so must what changes
something or opens a WebSocket or a session of the console (Socket.IO, which also comes as plain
GETs). Programs send no Origin, and may ask.

Sources: Fetch Metadata Request Headers (W3C), OWASP's cross-site request forgery cheat sheet.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stratvector.runtime.process.host_header import foreign_host
from stratvector.services.gateway.api.methods import SOCKETS
from stratvector.services.gateway.api.problems import problem, shown
from stratvector.services.gateway.metrics import GatewayMetrics

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013
WEBSOCKETS_MAX = 256
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
    # Not no-referrer, with which a browser sends the login with the origin null.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Names:
    """How the gateway may be called. hosts : further names in the Host header. schemes : of the
    origins of its own pages; https where something before it ends TLS.
    """

    hosts: Collection[str] = ()
    schemes: Collection[str] = ("http",)


OWN = Names()


class Guard:
    """Stands before everything that the gateway answers, and counts it."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics, names: Names = OWN) -> None:
        self.app, self._metrics, self._names = app, metrics, names
        self._websockets = 0

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
        code = 0
        names = self._names
        if wrong_host(headers, _own_address(scope), names) or foreign_origin(headers, names):
            code = POLICY_VIOLATION
        elif self._websockets >= WEBSOCKETS_MAX:
            code = TRY_AGAIN_LATER
        if code:
            # Closed before it is accepted: the client is answered with status 403.
            await send({"type": "websocket.close", "code": code})
            return
        self._websockets += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._websockets -= 1

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, status = str(scope["method"]), 500

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(ANSWER_HEADERS)
            await send(message)

        app = self.app
        path = str(scope["path"])
        if why := refusal(method, path, Headers(scope=scope), _own_address(scope), self._names):
            app = problem(path, 403, why)
        try:
            await app(scope, receive, told)
        finally:
            self._metrics.requests.labels(_known(method), _route(scope), str(status)).inc()


def refusal(
    method: str,
    path: str,
    headers: Mapping[str, str],
    own_address: str = "",
    names: Names = OWN,
) -> str:
    """Why a request is refused; empty when it is not. own_address : that it came in at."""
    if why := wrong_host(headers, own_address, names):
        return why
    if method in HARMLESS and "origin" not in headers and not path.startswith(SOCKETS):
        return ""
    return foreign_origin(headers, names)


def wrong_host(headers: Mapping[str, str], own_address: str = "", names: Names = OWN) -> str:
    """Why the Host header is not this machine's; empty when it is."""
    return foreign_host(headers.get("host", ""), own_address or "127.0.0.1", names.hosts)


def foreign_origin(headers: Mapping[str, str], names: Names = OWN) -> str:
    """Why a browser's request does not come from the console itself; empty when it does."""
    site = headers.get("sec-fetch-site", "none")
    if site not in OWN_SITES:
        return f"a request from another site ({shown(site)}) changes nothing here"
    origin = headers.get("origin")
    own = [f"{scheme}://{headers.get('host', '')}" for scheme in names.schemes]
    if origin is None or origin in own:
        return ""
    return f"origin {shown(origin)!r} is not this console's"


def _own_address(scope: Scope) -> str:
    server = scope.get("server")
    return str(server[0]) if server else ""


def _known(method: str) -> str:
    return method if method in {*HARMLESS, "POST", "PUT", "PATCH", "DELETE"} else "other"


def _route(scope: Scope) -> str:
    """The path as it was declared: what people type would make a metric without end."""
    path = getattr(scope.get("route"), "path", "")
    return path if path.startswith("/api") and "{path" not in path else "other"
