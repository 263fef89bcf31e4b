"""login: the page on which a browser shows the token, once for each session.

It stands alone, without the console's files, which only who is inside may load.
"""

from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from stratvector.services.gateway.api.problems import problem
from stratvector.services.gateway.metrics import GatewayMetrics

LOGIN, LOGOUT = "/login", "/logout"
COOKIE = "stratvector_session"
FORM = "application/x-www-form-urlencoded"
WRONG = "That is not this gateway's token."
FOR_SESSIONS = "Path=/; HttpOnly; SameSite=Lax"

# A right token's cookie and how long it lasts in s; None for a wrong one.
Open = Callable[[str], tuple[str, int] | None]

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>StratVector: log in</title>
<style>
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center;
    font: 16px/1.5 system-ui, sans-serif; background: light-dark(#f6f7f9, #11151c);
    color: light-dark(#1b2230, #e6eaf2); }}
  main {{ width: min(24rem, 100% - 2rem); }}
  h1 {{ font-size: 1.4rem; margin: 0 0 1rem; }}
  label {{ display: block; margin-bottom: .3rem; }}
  input, button {{ font: inherit; box-sizing: border-box; width: 100%; padding: .6rem .7rem;
    border-radius: .4rem; border: 1px solid light-dark(#8a93a3, #6d788c); }}
  input {{ background: light-dark(#fff, #1a202b); color: inherit; margin-bottom: .8rem; }}
  button {{ background: #1d5fd1; border-color: #1d5fd1; color: #fff; cursor: pointer; }}
  p[role=alert] {{ color: light-dark(#b3261e, #ff8f86); margin: 0 0 .8rem; }}
  small {{ display: block; margin-top: 1rem; color: light-dark(#525c6d, #a6b0c2); }}
</style>
</head>
<body>
<main>
<h1>StratVector</h1>
<form method="post" action="{action}" data-testid="login">
{alert}<input type="hidden" name="next" value="{next}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button>
</form>
<small>The token is in the file that the gateway was given as token_file.</small>
</main>
</body>
</html>
"""


class Login:
    """Answers /login and /logout."""

    def __init__(self, opened: Open, metrics: GatewayMetrics) -> None:
        self._opened, self._metrics = opened, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the form, take the token, or end the session."""
        request = Request(scope, receive)
        response = await self._answer(request)
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path, method = request.url.path, request.method
        if path == LOGIN and method in ("GET", "HEAD"):
            return _page(request.query_params.get("next", "/"))
        if method != "POST":
            allowed = "GET, POST" if path == LOGIN else "POST"
            refused = f"{path} answers {allowed}, not {method}"
            return problem(path, 405, refused, {"Allow": allowed})
        if path == LOGOUT:
            return _gone(LOGIN, "", 0, request)
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
            return problem(path, 415, f"the token is sent as {FORM}")
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        wanted, token = (fields.get(name, [""])[0] for name in ("next", "token"))
        opened = self._opened(token)
        self._metrics.logins.labels("wrong" if opened is None else "right").inc()
        if opened is None:
            return _page(wanted, WRONG)
        return _gone(local(wanted), *opened, request)


def local(path: str) -> str:
    """A path of this site; / for what would lead to another one."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    is_local = path.startswith("/") and not parts.scheme and not parts.netloc
    # Browsers read \\ as /, and leave out tabs and line ends.
    return path if is_local and "\\" not in path and path.isprintable() else "/"


def _page(wanted: str, alert: str = "") -> Response:
    told = f'<p role="alert">{escape(alert)}</p>\n' if alert else ""
    content = PAGE.format(action=LOGIN, alert=told, next=escape(local(wanted)))
    return HTMLResponse(content, 403 if alert else 200)


def _gone(where: str, cookie: str, seconds: int, request: Request) -> Response:
    """To another page, with a cookie; only over TLS where the browser came by TLS."""
    is_secure = request.headers.get("origin", request.url.scheme).startswith("https")
    secure = "; Secure" if is_secure else ""
    told = f"{COOKIE}={cookie}; Max-Age={seconds}; {FOR_SESSIONS}{secure}"
    return RedirectResponse(where, 303, {"Set-Cookie": told})
