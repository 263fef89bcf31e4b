"""documentation: /api/docs and /api/redoc from files of this machine, never from a network."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse, Response

from stratvector.services.gateway.api.problems import MEDIA_TYPE, Problem

ASSETS = "/api/assets"
BUNDLES = Path(fastapi_offline.__file__).parent / "static"
FAVICON = "/favicon.ico"
REDOC_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"

# Of every question; those of some are added to them.
PROBLEMS = {
    403: "Another web site or another host's name",
    406: "The client takes no JSON",
    422: "A question that can't be answered",
    500: "A defect of the gateway",
    503: "A service is away, or failed",
    504: "A service did not answer in time",
}
NO_TOKEN = "The token is missing or wrong"
NAMED = ("order", "symbol", "portfolio")  # query keys that name one thing, as paths do
OF_PATHS = {404: "There is no such thing"}
OF_BODIES = {
    408: "The body did not come in time",
    413: "The body is larger than 1 MiB",
    415: "The body is not sent as application/json",
    429: "A full queue",
}
OF_LEDGER_AND_JOBS = {409: "Not yet"}
GENERATED = ("HTTPValidationError", "ValidationError")  # FastAPI's, which nobody answers with


class Documented(FastAPI):
    """An application whose document names every status and what is sent with it. needs_token :
    whether nobody is served without one.
    """

    needs_token = False

    def openapi(self) -> dict[str, Any]:
        """The document, made once all routes are there."""
        if self.openapi_schema is None:
            _declare_problems(document := super().openapi())
            if self.needs_token:
                _declare_token(document)
        return super().openapi()


def _declare_problems(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in GENERATED:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            told = {
                str(status): {"description": why, "content": content}
                for status, why in _problems(operation)
            }
            operation["responses"] = {**operation["responses"], **told}


def _declare_token(document: dict[str, Any]) -> None:
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"]["401"] = {"description": NO_TOKEN, "content": content}


def _problems(operation: dict[str, Any]) -> Iterator[tuple[int, str]]:
    yield from PROBLEMS.items()
    yield from OF_LEDGER_AND_JOBS.items()
    parameters = operation.get("parameters", ())
    if any(one["in"] == "path" or one["name"] in NAMED for one in parameters):
        yield from OF_PATHS.items()
    if "requestBody" in operation:
        yield from OF_BODIES.items()


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
