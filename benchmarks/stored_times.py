"""When the server stored each message of a lane: the clock that both sides of a hop share."""

from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from nats.aio.msg import Msg

from stratvector.runtime.jetstream.mailbox import Mailbox, status
from stratvector.runtime.jetstream.wire import OWNER, SEQUENCE, page_request
from stratvector.trading.flow import stream_of

TIME = "Nats-Time-Stamp"
ANSWER_SECONDS = 10.0
PAGE = 512


@dataclass(frozen=True)
class StoredMessage:
    """time : seconds, to the nanosecond as far as a double holds it."""

    time: float
    payload: bytes


async def stored_messages(client: Client, lane: str) -> list[StoredMessage]:
    """The content of a lane, in order; marks of owners are left out."""
    mailbox, messages, after = Mailbox(client), list[StoredMessage](), 0
    place = f"$JS.API.DIRECT.GET.{stream_of(lane)}"
    while True:
        page = await mailbox.collect(place, page_request(lane, after, PAGE), ANSWER_SECONDS)
        if len(page) == 1:
            return messages
        for message in page:
            if status(message) is None:
                after = int(_headers(message)[SEQUENCE])
                if _headers(message)[OWNER].endswith("content"):
                    messages.append(StoredMessage(_time(message), message.data))


def _headers(message: Msg) -> dict[str, str]:
    return message.headers or {}


def _time(message: Msg) -> float:
    """RFC 3339 with up to nine digits, of which datetime takes six."""
    whole, _, digits = _headers(message)[TIME].removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{digits or 0}")
