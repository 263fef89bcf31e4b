"""Deterministic ids: the same content gets the same id, however often and wherever it is computed.

A message id hashes stream, subject and the content's key; an order id is the UUID of its leg
(run, portfolio, account, symbol, close), so that it also serves as the client order id of every
venue (36 characters, hyphenated).
"""

import hashlib
import uuid
from collections.abc import Iterable

NAMESPACE = uuid.UUID("8f9d7d3e-6a53-5d0c-9a5c-2f6a3c1b7e40")


def message_id(stream: str, subject: str, *key: object) -> str:
    """The id of a message: 32 hex digits of SHA-256 over stream, subject and key."""
    text = "\x1f".join((stream, subject, *map(str, key)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def order_id(run: str, portfolio: str, account: str, symbol: str, close_time: int) -> str:
    """The id of the one order of a symbol that a portfolio's decision at a close may send."""
    return str(
        uuid.uuid5(
            NAMESPACE, f"order\x1f{run}\x1f{portfolio}\x1f{account}\x1f{symbol}\x1f{close_time}"
        )
    )


def execution_id(order: str, known_time: int) -> str:
    """The id of the simulated fill of an order that became known at a close."""
    return str(uuid.uuid5(NAMESPACE, f"execution\x1f{order}\x1f{known_time}"))


def order_ids(
    run: str, portfolio: str, account: str, symbol: str, close_times: Iterable[int]
) -> list[str]:
    """`order_id` for many closes, at a third of the cost."""
    common = f"order\x1f{run}\x1f{portfolio}\x1f{account}\x1f{symbol}\x1f"
    return _names(common, (b"%d" % close_time for close_time in close_times))


def execution_ids(orders: Iterable[str], known_times: Iterable[int]) -> list[str]:
    """`execution_id` for many orders, each with the close at which its fill became known."""
    both = zip(orders, known_times, strict=True)
    return _names("execution\x1f", (f"{order}\x1f{time}".encode() for order, time in both))


def _names(common: str, rests: Iterable[bytes]) -> list[str]:
    """uuid5 of the namespace and `common` + each rest. Source: RFC 9562, 5.5."""
    begun = hashlib.sha1(NAMESPACE.bytes + common.encode(), usedforsecurity=False)
    names = []
    for rest in rests:
        digest = begun.copy()
        digest.update(rest)
        text = digest.hexdigest()
        variant = "89ab"[int(text[16], 16) & 3]
        names.append(f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}")
    return names


def payload_hash(payload: bytes) -> str:
    """SHA-256 of a message's exact bytes: tells a stored copy from another with its id."""
    return hashlib.sha256(payload).hexdigest()


def chained_hash(previous: str, portfolio: str, close_time: int, payload: bytes) -> str:
    """The hash of a record up to one close: SHA-256 over the one before it, the portfolio, the
    close (ns UTC) and the payload's hash, one a line.

    previous : of the portfolio's close before, empty for its first.
    """
    lines = (previous, portfolio, str(close_time), payload_hash(payload))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
