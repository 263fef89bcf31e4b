"""Page tokens: the key of the row that a page ended with, as text that a client hands back."""

from stratvector.contracts.v1 import ledger_service_pb2 as pb
from stratvector.services.ledger.adapters.queries import Closes, Page, RowKey

PAGE_SIZE, PAGE_SIZE_MAX = 500, 1_000


class BadRequest(ValueError):
    """A request that can't be answered; the message is one sentence."""


def page_of(request: pb.PageRequest, key_length: int) -> Page:
    """The wanted page of rows whose key has so many numbers. Raises BadRequest."""
    if request.size > PAGE_SIZE_MAX:
        raise BadRequest(f"page.size is {request.size}; it must be at most {PAGE_SIZE_MAX}")
    key = _key(request.token, key_length)
    return Page(request.size or PAGE_SIZE, key, request.newest_first)


def closes_of(request: pb.CloseRange) -> Closes:
    """The wanted closes. Raises BadRequest."""
    start = request.start_ns if request.HasField("start_ns") else None
    end = request.end_ns if request.HasField("end_ns") else None
    if start is not None and end is not None and start > end:
        raise BadRequest(f"range.start_ns is {start}, after range.end_ns, {end}")
    return Closes(start, end)


def token_of(last: RowKey) -> str:
    """The token that continues after a key; empty for none."""
    return ".".join(map(str, last))


def _key(token: str, length: int) -> RowKey:
    if not token:
        return ()
    try:
        key = tuple(map(int, token.split(".")))
    except ValueError:
        key = ()
    if len(key) != length or token_of(key) != token or any(abs(n) >= 2**63 for n in key):
        raise BadRequest(f"page.token is {token!r}; it must be the one of the page before")
    return key
