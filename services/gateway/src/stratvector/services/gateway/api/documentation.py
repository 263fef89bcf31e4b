"""documentation: /api/docs and /api/redoc from files of this machine, never from a network."""

from functools import cache
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse, Response

ASSETS = "/api/assets"
BUNDLES = Path(fastapi_offline.__file__).parent / "static"
FAVICON = "/favicon.ico"
REDOC_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"


def serve_documentation(app: FastAPI) -> None:
    """Add both pages and what they load."""
    openapi = str(app.openapi_url)

    @app.get(f"{ASSETS}/redoc.standalone.js", include_in_schema=False)
    async def redoc_bundle() -> Response:
        return Response(_redoc_bundle(), media_type="text/javascript")

    app.mount(ASSETS, StaticFiles(directory=BUNDLES))

    @app.get("/api/docs", include_in_schema=False)
    async def swagger() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=openapi,
            title=f"{app.title}: API",
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=FAVICON,
        )

    @app.get("/api/redoc", include_in_schema=False)
    async def redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url=openapi,
            title=f"{app.title}: API",
            redoc_js_url=f"{ASSETS}/redoc.standalone.js",
            with_google_fonts=False,
            redoc_favicon_url=FAVICON,
        )


@cache
def _redoc_bundle() -> str:
    """ReDoc, which would load its logo from its makers, with an icon of ours."""
    bundle = (BUNDLES / "redoc.standalone.js").read_text(encoding="utf-8")
    return bundle.replace(REDOC_LOGO, FAVICON)
