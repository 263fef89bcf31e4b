"""problems: every failure as a problem document with one sentence, whatever layer it comes from.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from grpc import StatusCode
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from stratvector.runtime.peer import PeerError, Refused, TooSlow
from stratvector.runtime.process.settings import nearest
from stratvector.runtime.served import NotServed, UnknownPortfolio
from stratvector.runtime.validation_sentences import MISSING, UNKNOWN, Mistake, mistakes
from stratvector.services.gateway.api.declared import declared
from stratvector.services.gateway.api.values import BadTime, Shape

REFUSED: Mapping[StatusCode, int] = {
    StatusCode.INVALID_ARGUMENT: 422,
    StatusCode.NOT_FOUND: 404,
    StatusCode.FAILED_PRECONDITION: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
}
MEDIA_TYPE = "application/problem+json"
SHOWN_MAX = 100  # characters of a client's words that a sentence repeats
NO_JSON = "the body is not a JSON object sent as application/json"
DEFECT = "the gateway met a defect of its own; its log tells it"


class Problem(Shape):
    """Why there is no answer. title : of the status. detail : one sentence. instance : the path."""

    type: str = Field(default="about:blank", json_schema_extra={"format": "uri-reference"})
    title: str
    status: int
    detail: str
    instance: str = Field(json_schema_extra={"format": "uri-reference"})


def problem(
    path: str, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer that says why there is none. path : that was asked for."""
    told = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=quote(path, safe="/:@!$&'()*+,;=~-._"),
    )
    return JSONResponse(told.model_dump(), status, headers, MEDIA_TYPE)


def tell_problems(app: FastAPI, headers: Mapping[str, str]) -> None:
    """Answer each error with a problem. headers : of answers that no middleware sees."""

    @app.exception_handler(PeerError)
    async def unanswered(request: Request, error: PeerError) -> Response:
        return problem(request.url.path, status_of(error), str(error))

    @app.exception_handler(NotServed)
    async def not_served(request: Request, error: NotServed) -> Response:
        # What is unknown may be misspelled; that nothing has begun will pass.
        status = 404 if isinstance(error, UnknownPortfolio) else 503
        return problem(request.url.path, status, str(error))

    @app.exception_handler(BadTime)
    async def bad_time(request: Request, error: BadTime) -> Response:
        return problem(request.url.path, 422, str(error))

    @app.exception_handler(RequestValidationError)
    async def bad_request(request: Request, error: RequestValidationError) -> Response:
        sentences = "; ".join(_sentence(request, one) for one in mistakes(error.errors()))
        return problem(request.url.path, 422, sentences)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        path, status, detail = request.url.path, error.status_code, str(error.detail)
        if status == HTTPStatus.BAD_REQUEST:  # FastAPI's, of a body that is no text
            status, detail = 422, NO_JSON
        elif detail == HTTPStatus.NOT_FOUND.phrase:
            detail = no_such_path(path)
        return problem(path, status, detail, error.headers)

    @app.exception_handler(Exception)
    async def defect(request: Request, _: Exception) -> Response:
        return problem(request.url.path, 500, DEFECT, headers)


def status_of(error: PeerError) -> int:
    """Of the answer that says why a service gave none."""
    if isinstance(error, Refused):
        return REFUSED[error.code]
    late = isinstance(error, TooSlow)
    return HTTPStatus.GATEWAY_TIMEOUT if late else HTTPStatus.SERVICE_UNAVAILABLE


def no_such_path(path: str) -> str:
    """For 404."""
    return f"there is no {shown(path)}; /api/docs tells what there is"


def shown(text: str) -> str:
    """A client's words, not all of them where they are many."""
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def _sentence(request: Request, found: Mistake) -> str:
    mistake = replace(found, place=found.place[1:])  # the first is the query or the body
    key = mistake.key
    if mistake.kind == "json_invalid" or not key:
        return NO_JSON
    if mistake.kind == UNKNOWN:
        known = declared(request.app).body_keys(request.scope)
        return f"the body has no key {shown(key)!r}; the nearest is {nearest(key, known)}"
    if mistake.kind == MISSING:
        return f"{key} is missing: {mistake.rule}"
    return mistake.refusal(shown(repr(mistake.value)))
