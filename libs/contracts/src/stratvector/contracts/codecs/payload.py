"""Nouns of the flow to bytes and back, with every refusal told as one `BadMessage`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError

from stratvector.contracts.bad_message import BadMessage
from stratvector.contracts.codecs.derived import Codec, Noun

Answer = TypeVar("Answer")


def _accept(content: Any) -> None:
    """The check of content that has no rule of its own."""


@dataclass(frozen=True)
class Payload(Generic[Noun]):
    """How one noun becomes bytes.

    noun : its word in the flow. names : fields that a message is found by, its lane or its owner;
    none may be empty. received, sent : refuse content that comes in or goes out with a ValueError.
    """

    noun: str
    codec: Codec[Noun, Any]
    names: Sequence[str]
    received: Callable[[Noun], None] = _accept
    sent: Callable[[Noun], None] = _accept

    def encode(self, content: Noun) -> bytes:
        """The bytes of a noun. Raises BadMessage when a value does not fit its field."""
        try:
            refuse_nameless(content, self.names)
            self.sent(content)
            wire: bytes = self.codec.to_wire(content).SerializeToString(deterministic=True)
        except (TypeError, ValueError) as error:
            raise BadMessage(self.noun, str(error)) from error
        return wire

    def decode(self, payload: bytes) -> Noun:
        """The noun in a payload. Raises BadMessage for bytes or values that break the contract."""
        return self.read(payload, self._noun_of)

    def read(self, payload: bytes, read: Callable[[Any], Answer]) -> Answer:
        """What is read off the message in a payload. Raises BadMessage."""
        message = self.codec.message
        try:
            return read(message.FromString(payload))
        except DecodeError as error:
            rule = f"{len(payload)} bytes are not a {message.DESCRIPTOR.full_name}"
            raise BadMessage(self.noun, rule) from error
        except ValueError as error:
            raise BadMessage(self.noun, str(error)) from error

    def _noun_of(self, wire: Any) -> Noun:
        refuse_nameless(wire, self.names)
        content = self.codec.from_wire(wire)
        self.received(content)
        return content


def refuse_nameless(content: Any, names: Sequence[str]) -> None:
    """Refuse what lacks a name that it is found by. Raises ValueError."""
    for name in names:
        if not getattr(content, name):
            raise ValueError(f"{name} is missing")
