"""logged_lane: what a lane of a logged session gives per close, up to where its readers halt."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from stratvector.runtime.ports import Kind, Stored
from stratvector.runtime.unfit_messages import MisplacedOpening
from stratvector.trading.logged import Halt, Logged

Noun = TypeVar("Noun")
Content = TypeVar("Content")


class LoggedLane(Generic[Content]):
    """at : by close, ns UTC. closes : those that it must have a content for, in order."""

    def __init__(self, noun: str, subject: str, closes: Sequence[int], halts: list[Halt]) -> None:
        self.noun, self.subject = noun, subject
        self.at: dict[int, Content] = {}
        self._closes, self._halts = closes, halts

    @property
    def asked(self) -> int | None:
        """The close that must come next; None after the last one."""
        return self._closes[len(self.at)] if len(self.at) < len(self._closes) else None

    def halt(self, close_time: int, stored: Stored, error: Exception) -> None:
        """Nothing after this message is read."""
        self._halts.append(Halt(self.noun, self.subject, close_time, stored.message.id, str(error)))


def content_of(stored: Stored) -> bytes:
    """The payload of a noun. Raises MisplacedOpening."""
    if stored.message.kind is Kind.OPENED:
        raise MisplacedOpening(f"{stored.message.subject} opens a chapter where none may")
    return stored.message.payload


def logged(stored: Stored, noun: Noun) -> Logged[Noun]:
    """A noun with its message's id and place."""
    return Logged(noun, stored.message.id, stored.sequence)
