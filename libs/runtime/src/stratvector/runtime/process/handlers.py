"""handlers: another behaviour in the place of a gRPC handler's own."""

from collections.abc import Callable
from typing import Any, TypeAlias

Behaviour: TypeAlias = Callable[..., Any]
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def rewrapped(handler: Any, wrap: Callable[[Behaviour], Behaviour]) -> Any:
    """The same handler with its behaviour wrapped. Of its four kinds a handler has one."""
    (kind,) = (one for one in KINDS if getattr(handler, one) is not None)
    return handler._replace(**{kind: wrap(getattr(handler, kind))})
