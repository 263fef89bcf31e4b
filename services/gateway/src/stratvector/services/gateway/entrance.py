"""entrance: who may come in where the gateway is reached from other machines (`auth: token`).

A program sends `Authorization: Bearer TOKEN`. A browser posts the token to /login once and gets a
cookie that tells until when it may come in, signed with the token: any replica can judge it, no
replica keeps anything, and another token ends every session.

Sources: RFC 6750 (bearer tokens), RFC 6265 (cookies), OWASP's session management cheat sheet.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stratvector.runtime.process.cannot_start import CannotStart
from stratvector.runtime.process.logs import logger
from stratvector.services.gateway.api.problems import problem
from stratvector.services.gateway.login import COOKIE, LOGIN, LOGOUT, Login
from stratvector.services.gateway.metrics import GatewayMetrics

SESSION_SECONDS = 12 * 3_600
TOKEN_CHARACTERS_MIN = 32
POLICY_VIOLATION = 1008
NEEDS_TOKEN = "this needs the gateway's token, sent as Authorization: Bearer TOKEN"


class BadTokenFile(CannotStart):
    """The file can't be read or holds no token. Never shows what it holds."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"token_file: {file} {why}")


class TokenFile:
    """The token in a file, which is read again when the file changes. Raises BadTokenFile."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, ...] | None = None
        self._token: bytes | None = _read(file)  # a wrong file is told at the start

    def current(self) -> bytes | None:
        """The token now; None while the file holds none, when nobody may come in."""
        try:
            found = self._file.stat()
            seen: tuple[int, ...] = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            seen = ()
        if seen != self._seen:
            self._seen = seen
            self._token = self._read_again()
        return self._token

    def _read_again(self) -> bytes | None:
        try:
            return _read(self._file)
        except BadTokenFile as error:
            logger().error("token_unreadable", reason=str(error))
            return None


def _read(file: Path) -> bytes:
    try:
        token = file.read_bytes().strip()
    except OSError as error:
        raise BadTokenFile(file, f"can't be read: {error.strerror}") from None
    if len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or len(token.split()) != 1:
        raise BadTokenFile(
            file, f"must hold one word of at least {TOKEN_CHARACTERS_MIN} ASCII characters"
        )
    return token


def session(token: bytes, until: int) -> str:
    """The cookie of whoever may come in until then, s since 1970."""
    return f"{until}.{_signature(token, until)}"


def is_session(cookie: str, token: bytes, now: float) -> bool:
    """Whether a cookie was made with this token and has not ended."""
    until, _, signature = cookie.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) <= 12):
        return False
    own = _signature(token, int(until))
    return hmac.compare_digest(own.encode(), signature.encode()) and now < int(until)


def _signature(token: bytes, until: int) -> str:
    return hmac.new(token, f"session until {until}".encode(), hashlib.sha256).hexdigest()


def _wall_seconds() -> float:
    return time.time()


class Entrance:
    """Stands behind the guard, and lets in who has the token. now : s since 1970."""

    def __init__(
        self,
        app: ASGIApp,
        token: TokenFile,
        metrics: GatewayMetrics,
        now: Callable[[], float] = _wall_seconds,
    ) -> None:
        self.app, self._token, self._now = app, token, now
        self._login = Login(self._opened, metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, show the login, or refuse."""
        if scope["type"] == "lifespan" or self._may_enter(Headers(scope=scope)):
            app = self.app
        elif scope["type"] == "websocket":
            # Closed before it is accepted: the client is answered with status 403.
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        else:
            app = _stopped(scope)
        if scope["type"] == "http" and scope["path"] in (LOGIN, LOGOUT):
            app = self._login
        await app(scope, receive, send)

    def _may_enter(self, headers: Mapping[str, str]) -> bool:
        token = self._token.current()
        if token is None:
            return False
        scheme, _, told = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return hmac.compare_digest(told.strip().encode(), token)
        return is_session(_cookie(headers), token, self._now())

    def _opened(self, told: str) -> tuple[str, int] | None:
        """The cookie for a right token, and how long it lasts in s."""
        token = self._token.current()
        if token is None or not hmac.compare_digest(told.strip().encode(), token):
            return None
        until = int(self._now()) + SESSION_SECONDS
        return session(token, until), SESSION_SECONDS


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _stopped(scope: Scope) -> Response:
    """People are shown the login, programs are told what is missing."""
    path = str(scope["path"])
    headers = Headers(scope=scope)
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = quote(f"{path}?{query}" if query else path, safe="")
        return RedirectResponse(f"{LOGIN}?next={wanted}", 303)
    return problem(path, 401, NEEDS_TOKEN, {"WWW-Authenticate": 'Bearer realm="stratvector"'})
