"""provisioner: makes the streams and buckets; whoever may do this is no service.

Asked again, it changes nothing; what exists with another configuration is told and left alone. So a
request that a server's restart swallowed is simply made again. Only a stream that is gone from a
log that has begun is not made again: what it held is lost, and an empty one would say otherwise.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

from stratvector.runtime.jetstream.topology import Stream, buckets, streams
from stratvector.trading.flow import stream_of

SECOND_NS = 1_000_000_000
DUPLICATE_WINDOW_SECONDS = 20
ANSWER_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
REST_SECONDS = 0.1
UNAVAILABLE = 503
EXISTS_OTHERWISE = (10058, 10148)
NO_STREAM = 10059
ADVICE = {
    "deny_purge": "no server takes that back, and its old log could never make room; end what it "
    "holds with the version that made it, or start a new session"
}
NO_ROOM = (10023, 10047)  # of memory or disk: waiting does not help


class ProvisioningError(RuntimeError):
    """The server refused; says what and why."""


class OtherConfiguration(ProvisioningError):
    """A stream of this name exists and is another; nothing was changed."""

    def __init__(self, what: str, setting: str, wanted: object, found: object) -> None:
        advice = ADVICE.get(setting, "use another store, or remove it by hand")
        super().__init__(
            f"{what} exists with {setting} {found!r} instead of {wanted!r}; "
            f"nothing was changed: {advice}"
        )
        self.what, self.setting, self.wanted, self.found = what, setting, wanted, found


class LogLost(ProvisioningError):
    """A stream of a log that has begun is not there."""

    def __init__(self, missing: Sequence[str], held: str) -> None:
        what = "stream" if len(missing) == 1 else "streams"
        super().__init__(
            f"the log has lost its {what} {', '.join(missing)}, although {held}; nothing was made "
            "in its place: bring back the store as it was, or start a new session"
        )
        self.missing = tuple(missing)


async def provision(client: Client, begun: bool = False, replicas: int = 1) -> tuple[str, ...]:
    """Make whatever stream or bucket is missing; their names. Raises ProvisioningError.

    begun : whether all streams were made before; else a message in any of them says so. replicas :
    servers of a cluster that keep each message.
    """
    missing = await _missing(client, begun)
    for stream in (*streams(), *buckets()):
        await make_stream(client, stream, replicas)
    return missing


async def purge(client: Client, subject: str, below: int) -> int:
    """Remove the messages of a subject that have a lower sequence, but for its last one, which the
    next owner of the lane expects; how many they were. Raises ProvisioningError.
    """
    stream = stream_of(subject)
    told = await api_answer(client, f"STREAM.INFO.{stream}", b"")
    if "error" in told:
        raise ProvisioningError(f"stream {stream}: {told['error'].get('description')}")
    answer = await client.request(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"", ANSWER_SECONDS)
    newest = int((answer.headers or {}).get("Nats-Sequence", 0))
    request = json.dumps({"filter": subject, "seq": min(below, newest)}).encode()
    if not newest:
        return 0
    told = await api_answer(client, f"STREAM.PURGE.{stream}", request)
    if "error" in told:
        raise ProvisioningError(f"the server did not purge {subject}: {told['error']}")
    return int(told.get("purged", 0))


def stream_settings(stream: Stream, replicas: int = 1) -> dict[str, Any]:
    """The configuration of a log: nothing that is acknowledged ever goes, but the oldest notes of
    a bucket that has a size. What is stored is published again, for those that listen.

    No roll-ups: one message with that header would remove what others wrote. Purging is not denied
    here, for that could never be taken back: no account but the provisioner's may ask for it.
    """
    settings: dict[str, Any] = {
        "name": stream.name,
        "subjects": [stream.subjects],
        "storage": "file",
        "retention": "limits",
        "discard": "new" if stream.bytes_max is None else "old",
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1 if stream.bytes_max is None else stream.bytes_max,
        "max_age": 0 if stream.seconds_max is None else stream.seconds_max * SECOND_NS,
        "max_msgs_per_subject": 1 if stream.newest_only else -1,
        "num_replicas": replicas,
        "duplicate_window": DUPLICATE_WINDOW_SECONDS * SECOND_NS,
        "deny_delete": True,
        "deny_purge": False,
        "allow_direct": True,
        "allow_rollup_hdrs": False,
    }
    if stream.heard is not None:
        settings["republish"] = {"src": stream.subjects, "dest": stream.heard}
    return settings


async def _missing(client: Client, begun: bool) -> tuple[str, ...]:
    """What is to be made. Raises LogLost."""
    held, missing = "all of them were made" if begun else "", list[Stream]()
    for stream in (*streams(), *buckets()):
        told = await api_answer(client, f"STREAM.INFO.{stream.name}", b"")
        if told.get("error", {}).get("err_code") == NO_STREAM:
            missing.append(stream)
        elif count := told.get("state", {}).get("messages", 0):
            held = held or f"{stream.name} holds {count:,} messages"
    lost = [stream.name for stream in missing if not stream.is_spare]
    if lost and held:
        raise LogLost(lost, held)
    return tuple(stream.name for stream in missing)


async def make_stream(client: Client, stream: Stream, replicas: int = 1) -> None:
    """Make one that is missing; one that is there must be as it would be made. Raises
    ProvisioningError.
    """
    wanted = stream_settings(stream, replicas)
    error = await _ask(client, f"STREAM.CREATE.{stream.name}", wanted)
    if error is not None:
        raise await _explained(
            client, f"stream {stream.name}", f"STREAM.INFO.{stream.name}", wanted, error
        )


async def _ask(client: Client, call: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Ask the server's interface; its error, or None."""
    answer = await api_answer(client, call, json.dumps(request).encode())
    error: dict[str, Any] | None = answer.get("error")
    return error


async def api_answer(client: Client, call: str, request: bytes) -> dict[str, Any]:
    """What the server says once it can; it may be starting again. Raises ProvisioningError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while True:
        try:
            answer = await client.request(f"$JS.API.{call}", request, ANSWER_SECONDS)
            told: dict[str, Any] = json.loads(answer.data)
            error = told.get("error", {})
            if error.get("code") != UNAVAILABLE or error.get("err_code") in NO_ROOM:
                return told
            why = str(told["error"].get("description", told["error"]))
        except NatsError as error:
            why = str(error)
        if loop.time() >= deadline:
            raise ProvisioningError(
                f"the server did not answer {call} within {PATIENCE_SECONDS:g} s: {why}"
            )
        await asyncio.sleep(REST_SECONDS)


async def _explained(
    client: Client, what: str, info: str, wanted: Mapping[str, Any], error: Mapping[str, Any]
) -> ProvisioningError:
    """The error with the setting that differs, when that is what is wrong."""
    if error.get("err_code") in EXISTS_OTHERWISE:
        found = (await api_answer(client, info, b"")).get("config", {})
        for setting, value in wanted.items():
            # The server leaves out what is false or zero.
            if found.get(setting, type(value)()) != value:
                return OtherConfiguration(what, setting, value, found.get(setting))
    return ProvisioningError(f"the server refused {what}: {error.get('description', error)}")
