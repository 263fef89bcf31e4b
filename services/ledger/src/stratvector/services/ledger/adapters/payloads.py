"""What is kept of each close: its canonical text, deflated, with its hash and the chain's."""

import zlib
from typing import Any

from stratvector.trading.identity import chained_hash, payload_hash
from stratvector.trading.ledger import LedgerEntry

# The text is mostly names that come again: the quickest level takes three quarters of it.
LEVEL = 1


class BadPayload(ValueError):
    """Bytes that are no payload; the message says why."""


def payload_row(text: bytes, entry: LedgerEntry, previous: str) -> dict[str, Any]:
    """A row's own columns. text : the entry's canonical text. previous : the chain so far."""
    payload = zlib.compress(text, LEVEL)
    return {
        "payload": payload,
        "payload_hash": payload_hash(payload),
        "chain_hash": chained_hash(previous, entry.portfolio, entry.close_time, text),
    }


def inflated(payload: bytes) -> bytes:
    """The canonical text in a payload. Raises BadPayload."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(payload)
    except (zlib.error, TypeError) as error:
        raise BadPayload(f"it does not inflate: {error}") from error
    if not stream.eof or stream.unused_data:
        raise BadPayload("it does not inflate: it is cut short, or something follows it")
    return text
