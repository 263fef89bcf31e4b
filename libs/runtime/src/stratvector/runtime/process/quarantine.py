"""quarantine: a note on each message that a service can't process, for a person to act on.

The message itself stays in the log. Its lane halts there and is never skipped: a restart meets it
again, halts again, and finds its note written, or writes it again where the full bucket has
dropped it.

What fails for another reason ends the process, and the next one tries the message again: it may
have been the disk. The failures are counted beside the notes, by all instances of a service
together, so that the third at one message halts its lane instead, however long each start takes.
"""

import json
from contextlib import suppress
from datetime import UTC, datetime

from stratvector.contracts.codecs import BadMessage
from stratvector.runtime.ports import ForeignMessage, KeyValue, Message, Stored, WrongRevision
from stratvector.runtime.unfit_messages import UnfitMessage
from stratvector.trading.flow import stream_of
from stratvector.trading.unfit import UnfitNoun

BUCKET = "quarantine"
FAILURES_MAX = 3
REASON_CHARACTERS_MAX = 2_000


def refused(error: BaseException | None, at_hand: Stored | None) -> Stored | None:
    """The message that an error says can't be processed: the one at hand, or a foreign one, that
    was never handed out. None when the error is about something else.
    """
    match error:
        case ForeignMessage():
            return Stored(Message(error.subject, "", b"", 0), error.sequence, 0)
        case UnfitMessage() | BadMessage() | UnfitNoun():
            return at_hand
    return None


async def quarantine(
    bucket: KeyValue, service: str, instance: str, stored: Stored, reason: str
) -> str:
    """Note that `service` can't process a message; the key of the note, which is written once."""
    key = quarantine_key(service, stored)
    note = {
        "subject": stored.message.subject,
        "sequence": stored.sequence,
        "id": stored.message.id,
        "epoch": stored.message.epoch,
        "reason": reason[:REASON_CHARACTERS_MAX],
        "instance": instance,
        "time": datetime.now(UTC).isoformat(),
    }
    with suppress(WrongRevision):
        await bucket.put(key, json.dumps(note).encode(), 0)
    return key


async def count_failure(bucket: KeyValue, service: str, stored: Stored) -> int:
    """One more failure of a service at a message; how many there are now, of all its instances."""
    key = f"{service}.failures.{stream_of(stored.message.subject)}.{stored.sequence}"
    while True:
        entry = await bucket.get(key)
        count = 1 + (0 if entry is None else int(json.loads(entry.value)["count"]))
        value = json.dumps({"subject": stored.message.subject, "count": count}).encode()
        with suppress(WrongRevision):
            await bucket.put(key, value, 0 if entry is None else entry.revision)
            return count


def quarantine_key(service: str, stored: Stored) -> str:
    """`<service>.<stream>.<sequence>`."""
    return f"{service}.{stream_of(stored.message.subject)}.{stored.sequence}"
