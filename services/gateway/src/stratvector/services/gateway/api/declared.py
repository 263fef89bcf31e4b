"""declared: what the OpenAPI document says of a route: its keys and its methods.

The document is what clients read, so it is also what their questions are held against.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route, compile_path


class Declared:
    """Of one application, whose routes are all there."""

    def __init__(self, app: FastAPI) -> None:
        document = app.openapi()
        self._paths: Mapping[str, Mapping[str, Any]] = document["paths"]
        self._schemas = document["components"]["schemas"]
        self._patterns = {path: compile_path(path)[0] for path in self._paths}
        self._pages = [route for route in app.routes if isinstance(route, Route)]

    def query_keys(self, scope: Mapping[str, Any]) -> list[str]:
        """Keys that the route of a request takes."""
        parameters = self.operation(scope).get("parameters", ())
        return [one["name"] for one in parameters if one["in"] == "query"]

    def body_keys(self, scope: Mapping[str, Any]) -> list[str]:
        """Keys of the JSON object that the route of a request takes."""
        body = self.operation(scope)["requestBody"]["content"]["application/json"]
        name = body["schema"]["$ref"].rpartition("/")[2]
        return list(self._schemas[name]["properties"])

    def operation(self, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        """The document's words on the route of a request; none where it is not documented."""
        path = getattr(scope.get("route"), "path", "")
        found: Mapping[str, Any] = self._paths.get(path, {}).get(scope["method"].lower(), {})
        return found

    def methods(self, path: str) -> list[str]:
        """What a path answers; none where there is nothing."""
        found = {method.upper() for method in self._methods(path)}
        if "GET" in found:
            found.add("HEAD")
        return sorted(found | {"OPTIONS"}) if found else []

    def _methods(self, path: str) -> Iterator[str]:
        for template, pattern in self._patterns.items():
            if pattern.match(path):
                yield from self._paths[template]
        for page in self._pages:
            if page.path == path:
                yield from page.methods or ()


@cache
def declared(app: FastAPI) -> Declared:
    """What an application declares; to be asked once all routes are there."""
    return Declared(app)
