"""wire: how a message of the bus port looks in NATS; pure.

    Nats-Msg-Id                          the message's id, for the server's de-duplication
    Nats-Expected-Last-Subject-Sequence  checked on storing, then kept: `Stored.previous`
    Stratvector-Owner                    "<epoch> <kind>"
    traceparent                          W3C Trace Context, both ids derived from the event

A trace is a close: every message about one close time has the same trace id, whoever publishes it
and however often; the span is the message.
"""

import hashlib
import json
from collections.abc import Mapping

from stratvector.runtime.ports import ForeignMessage, Kind, Message, Stored

MESSAGE_ID = "Nats-Msg-Id"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
OWNER = "Stratvector-Owner"
TRACE = "traceparent"
TRACE_ID = slice(3, 35)  # of a traceparent: version, trace id, span id, flags
SUBJECT = "Nats-Subject"
SEQUENCE = "Nats-Sequence"
STORED_AT = "Nats-Time-Stamp"


def headers_of(message: Message, expected_sequence: int) -> dict[str, str]:
    """The headers to publish with."""
    headers = {
        MESSAGE_ID: message.id,
        EXPECTED: str(expected_sequence),
        OWNER: f"{message.epoch} {message.kind.value}",
    }
    if message.event_time:
        headers[TRACE] = traceparent(message.event_time, message.id)
    return headers


def traceparent(event_time: int, message_id: str) -> str:
    """The trace of a close time (ns UTC) and the span of a message, sampled."""
    trace = hashlib.sha256(b"close\x1f%d" % event_time).hexdigest()[:32]
    span = hashlib.sha256(message_id.encode()).hexdigest()[:16]
    return f"00-{trace}-{span}-01"


def stored_from(
    subject: str,
    sequence: int,
    headers: Mapping[str, str] | None,
    payload: bytes,
    stored_at: int = 0,
) -> Stored:
    """A message as the log holds it. Raises ForeignMessage when our headers are missing."""
    try:
        kept = headers or {}
        epoch, kind = kept[OWNER].split(" ")
        trace_id = kept.get(TRACE, "")[TRACE_ID]
        message = Message(
            subject, kept[MESSAGE_ID], payload, int(epoch), Kind(kind), trace_id=trace_id
        )
        return Stored(message, sequence, int(kept[EXPECTED]), stored_at)
    except (KeyError, ValueError) as error:
        raise ForeignMessage(subject, sequence, f"its headers say {error}") from None


def page_request(subject: str, after: int, limit: int) -> bytes:
    """A batched direct get of a subject's messages above a sequence."""
    asked = {"seq": after + 1, "next_by_subj": subject, "batch": limit}
    return json.dumps(asked, separators=(",", ":")).encode()
