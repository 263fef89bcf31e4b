"""Messages to bytes and back, with every refusal told as one `BadMessage`."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from stratvector.contracts.bad_message import BadMessage

Noun = TypeVar("Noun")
Wire = TypeVar("Wire", bound=Message)


def encoded(noun: str, to_wire: Callable[[Noun], Message], content: Noun) -> bytes:
    """The bytes of a noun. Raises BadMessage when a value does not fit its field."""
    try:
        return to_wire(content).SerializeToString(deterministic=True)
    except (TypeError, ValueError) as error:
        raise BadMessage(noun, str(error)) from error


def decoded(noun: str, wire: type[Wire], from_wire: Callable[[Wire], Noun], payload: bytes) -> Noun:
    """The noun in a payload. Raises BadMessage for bytes or values that break the contract."""
    try:
        return from_wire(wire.FromString(payload))
    except DecodeError as error:
        rule = f"{len(payload)} bytes are not a {wire.DESCRIPTOR.full_name}"
        raise BadMessage(noun, rule) from error
    except ValueError as error:
        raise BadMessage(noun, str(error)) from error


def refuse_nameless(**names: str) -> None:
    """Refuse a message without the names that it is found by: its lane, its owner."""
    for field, name in names.items():
        if not name:
            raise ValueError(f"{field} is missing")


def unique(field: str, pairs: Sequence[tuple[str, Noun]]) -> dict[str, Noun]:
    """Entries by name, in the payload's order. Raises ValueError when a name comes twice."""
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError(f"{field} has {len(pairs)} entries for {len(entries)} names")
    return entries
