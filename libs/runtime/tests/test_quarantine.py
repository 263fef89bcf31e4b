"""What can't be processed gets a note that says which message, who and why, written once."""

import json

from stratvector.runtime.ports import Message, Ports, Stored
from stratvector.runtime.process.quarantine import quarantine

STORED = Stored(Message("bars.crypto.4H", "id-7", b"\xff", 3), 7, 6)


def test_a_note_is_written_once_under_service_stream_and_sequence(play) -> None:  # type: ignore[no-untyped-def]
    async def script(ports: Ports) -> None:
        bucket = ports.key_value
        key = await quarantine(bucket, "risk", "risk-1", STORED, "not a ClosedBars")
        assert key == "risk.BARS.7"
        assert await quarantine(bucket, "risk", "risk-2", STORED, "again") == key
        entry = await bucket.get(key)
        assert entry is not None
        note = json.loads(entry.value)
        assert note.pop("time").endswith("+00:00")
        assert note == {
            "subject": "bars.crypto.4H",
            "sequence": 7,
            "id": "id-7",
            "epoch": 3,
            "reason": "not a ClosedBars",
            "instance": "risk-1",
        }

    play(script)
