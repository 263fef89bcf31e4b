"""The record: each close's canonical text, deflated, with its hash and the chain's."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from stratvector.contracts.codecs import decode_ledger_entry, encode_ledger_entry
from stratvector.services.ledger.adapters.schema import Key, own, payloads
from stratvector.trading.identity import chained_hash, payload_hash
from stratvector.trading.ledger import LedgerEntry

# The text is mostly names that come again: the quickest level takes three quarters of it.
LEVEL = 1


class BadPayload(ValueError):
    """Bytes that are no payload; the message says why."""


def payload_row(entry: LedgerEntry, previous: str) -> tuple[object, ...]:
    """The row of an entry, the chain's hash last. previous : the chain so far."""
    text = encode_ledger_entry(entry)
    payload = zlib.compress(text, LEVEL)
    chain = chained_hash(previous, entry.portfolio, entry.close_time, text)
    return (*Key.of(entry), entry.close_time, payload, payload_hash(payload), chain)


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


def document_of(text: bytes) -> Mapping[str, Any]:
    """What is in a canonical text. Raises BadPayload."""
    try:
        document: Mapping[str, Any] = json.loads(text)
    except ValueError as error:
        raise BadPayload(f"it is no JSON: {error}") from error
    return document


def last_close(connection: Connection, key: Key) -> int | None:
    """The newest close of a record, or None."""
    newest: int | None = connection.scalar(
        select(func.max(payloads.c.close_time)).where(own(payloads, key))
    )
    return newest


def stored_text(connection: Connection, key: Key, close_time: int) -> bytes | None:
    """The canonical text of a close's entry, or None when there is none of this close.

    Raises BadPayload.
    """
    payload = connection.scalar(
        select(payloads.c.payload).where(own(payloads, key), payloads.c.close_time == close_time)
    )
    return None if payload is None else inflated(payload)


def stored_entry(connection: Connection, key: Key, close_time: int) -> LedgerEntry | None:
    """The entry of a close as it was committed. Raises BadPayload, BadMessage."""
    text = stored_text(connection, key, close_time)
    return None if text is None else decode_ledger_entry(text)


def chain_hash_at(connection: Connection, key: Key, close_time: int | None) -> str:
    """The chain's hash after a close, empty before the first."""
    found: str | None = connection.scalar(
        select(payloads.c.chain_hash).where(own(payloads, key), payloads.c.close_time == close_time)
    )
    return found or ""
