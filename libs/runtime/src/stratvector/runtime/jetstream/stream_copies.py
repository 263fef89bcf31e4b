"""stream_copies: a stream as the server copies it out, and put back under the same sequences.

    copy       server ─chunks─▶ file, each acknowledged: the server runs little ahead of the file
    put back   file ─chunks─▶ server, which makes the stream when all of them are there, or not

A copy is a prefix of the log: all that was stored before it was asked for, and of what is stored
meanwhile as much as the server had when it came there. Purged places stay gaps. The server checks
the copy (S2 frames, a checksum per message) before there is a stream of it. Settings are those of
the request, not of the copy (*measured*, 2.15.1), so that a stream can be put back open for the
removal of its end, and then be closed as it would have been made.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from stratvector.runtime.jetstream.provisioner import (
    NO_STREAM,
    SECOND_NS,
    ProvisioningError,
    api_answer,
    stream_settings,
)
from stratvector.runtime.jetstream.topology import Stream

CHUNK_BYTES = 128 * 1024
CHUNK_SECONDS = 30.0
# The server stores message by message before it says that the stream is there: 2,800 a second where
# each is synced to the disk (*measured*), so that a log of years takes hours.
RECOVER_SECONDS = 86_400.0
SILENT_SECONDS = 15  # a server that is there is heard of each second
REPLICATE_SECONDS = 3_600.0
# Ids of what is removed from a copy must not be taken for those of what is published again.
DUPLICATES_FORGOTTEN_NS = SECOND_NS // 10
DONE = (None, "204")
LOOK_SECONDS = 0.1
KNOWN_SECONDS = 5.0  # until every server of a cluster knows who listens


class CopyFailed(ProvisioningError):
    """A stream was not copied, or not put back; the server is as it was."""


async def stream_state(client: Client, stream: str) -> dict[str, Any] | None:
    """What the server says of a stream's content: messages, first_seq, last_seq …; None where there
    is no such stream. Raises ProvisioningError.
    """
    told = await api_answer(client, f"STREAM.INFO.{stream}", b"")
    if told.get("error", {}).get("err_code") == NO_STREAM:
        return None
    _refuse(f"stream {stream} can't be asked for", told)
    state: dict[str, Any] = told["state"]
    return state


async def lanes_in(client: Client, stream: Stream) -> list[str]:
    """The subjects of which a stream holds messages, ordered. Raises ProvisioningError."""
    found = list[str]()
    while True:
        request = {"subjects_filter": stream.subjects, "offset": len(found)}
        told = await api_answer(client, f"STREAM.INFO.{stream.name}", json.dumps(request).encode())
        _refuse(f"stream {stream.name} can't be asked for", told)
        page = told["state"].get("subjects") or {}
        found += page
        if not page or len(found) >= told.get("total", 0):
            return sorted(found)


async def copy_stream(client: Client, stream: str, take: Callable[[bytes], object]) -> None:
    """Copy a stream out while others write to it. take : called with each piece, in their order.

    Raises CopyFailed, and what `take` raises.
    """
    place = client.new_inbox()
    pieces = await client.subscribe(place)
    request = {"deliver_subject": place, "no_consumers": True, "chunk_size": CHUNK_BYTES}
    try:
        told = await api_answer(client, f"STREAM.SNAPSHOT.{stream}", json.dumps(request).encode())
        _refuse(f"stream {stream} was not copied", told)
        while (piece := await pieces.next_msg(CHUNK_SECONDS)).data:
            take(piece.data)
            if piece.reply:
                await client.publish(piece.reply)
        _refuse_end(stream, piece)
    except NatsError as error:
        raise CopyFailed(f"stream {stream} was not copied: {str(error) or 'no answer'}") from error
    finally:
        await pieces.unsubscribe()


def _refuse_end(stream: str, end: Msg) -> None:
    """The server says at the end whether it could send all."""
    headers = end.headers or {}
    if headers.get("Status") not in DONE:
        raise CopyFailed(f"stream {stream} was not copied: {headers.get('Description', headers)}")


async def put_back(
    client: Client, stream: Stream, pieces: Iterable[bytes], replicas: int = 1, is_open: bool = True
) -> dict[str, Any]:
    """Make a stream of its copy; its state. is_open : messages can be removed until `close_stream`.

    Raises CopyFailed; then there is no such stream.
    """
    settings = stream_settings(stream, replicas)
    if is_open:
        settings |= {"deny_delete": False, "duplicate_window": DUPLICATES_FORGOTTEN_NS}
    request = json.dumps({"config": settings, "state": {}}).encode()
    told = await api_answer(client, f"STREAM.RESTORE.{stream.name}", request)
    _refuse(f"stream {stream.name} was not put back", told)
    place = told["deliver_subject"]
    for piece in pieces:
        _refuse_piece(stream, (await _sent(client, stream, place, piece, CHUNK_SECONDS)).data)
    made = json.loads(await _end_answered(client, stream, place))
    _refuse(f"stream {stream.name} was not put back", made)
    state: dict[str, Any] = made["state"]
    await until_replicated(client, stream.name, replicas)
    return state


async def until_replicated(client: Client, stream: str, replicas: int) -> None:
    """Every server of a cluster has it, as any of them answers readers. Raises CopyFailed, soon
    where a server is not there.
    """
    if replicas <= 1:
        return
    loop = asyncio.get_running_loop()
    deadline, heard = loop.time() + REPLICATE_SECONDS, loop.time()
    while True:
        told = await api_answer(client, f"STREAM.INFO.{stream}", b"")
        others = told.get("cluster", {}).get("replicas", ())
        if others and all(one.get("current") and not one.get("lag") for one in others):
            return
        silent = [one["name"] for one in others if _is_silent(one)]
        heard = heard if silent else loop.time()
        if silent and loop.time() > heard + SILENT_SECONDS:
            raise CopyFailed(
                f"stream {stream} is on one server, and {silent[0]} is not heard of: start it, or "
                "ask for fewer --replicas, and run the restore again"
            )
        if loop.time() > deadline:
            raise CopyFailed(f"stream {stream} was put back on one server, and others lag behind")
        await asyncio.sleep(LOOK_SECONDS)


def _is_silent(replica: Mapping[str, Any]) -> bool:
    """As the stream's leader tells it. active : ns since it was heard of, 0 for never."""
    active = replica.get("active", 0)
    return not replica.get("current") and (not active or active > SILENT_SECONDS * SECOND_NS)


async def _end_answered(client: Client, stream: Stream, place: str) -> bytes:
    """What the server says once it has stored all; a server that went away meanwhile never does.

    Raises CopyFailed.
    """
    answers = await client.subscribe(client.new_inbox())
    reconnects, loop = client.stats["reconnects"], asyncio.get_running_loop()
    deadline = loop.time() + RECOVER_SECONDS
    try:
        await client.publish(place, b"", answers.subject)
        while loop.time() < deadline and client.is_connected:
            with suppress(TimeoutError, NatsTimeout):
                return (await answers.next_msg(CHUNK_SECONDS)).data
            if client.stats["reconnects"] != reconnects:
                break
        raise CopyFailed(f"stream {stream.name} was not put back: the server went away meanwhile")
    except NatsError as error:
        raise CopyFailed(f"stream {stream.name} was not put back: {error}") from error
    finally:
        with suppress(NatsError):
            await answers.unsubscribe()


async def _sent(client: Client, stream: Stream, place: str, piece: bytes, seconds: float) -> Msg:
    try:
        return await _heard(client, place, piece, seconds)
    except (TimeoutError, NatsError) as error:
        why = str(error) or "no answer"
        raise CopyFailed(f"stream {stream.name} was not put back: {why}") from error


async def _heard(client: Client, place: str, piece: bytes, seconds: float) -> Msg:
    """The answer to a piece. In a cluster the server that restores may be another one than ours,
    which learns a moment later that somebody listens there; what nobody heard is sent again.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + KNOWN_SECONDS
    while True:
        try:
            return await client.request(place, piece, seconds)
        except NoRespondersError:
            if loop.time() > until:
                raise
            await asyncio.sleep(LOOK_SECONDS)


def _refuse_piece(stream: Stream, told: bytes) -> None:
    if told:
        _refuse(f"stream {stream.name} was not put back", json.loads(told))


async def remove_message(client: Client, stream: str, sequence: int) -> None:
    """Of a stream that was put back open; its place is a gap from now on. Raises CopyFailed."""
    request = json.dumps({"seq": sequence, "no_erase": True}).encode()
    told = await api_answer(client, f"STREAM.MSG.DELETE.{stream}", request)
    _refuse(f"message {sequence} of {stream} was not removed", told)


async def close_stream(client: Client, stream: Stream, replicas: int = 1) -> None:
    """From now on it is as `provision` makes it, and nothing goes any more. Raises CopyFailed."""
    settings = json.dumps(stream_settings(stream, replicas)).encode()
    told = await api_answer(client, f"STREAM.UPDATE.{stream.name}", settings)
    _refuse(f"stream {stream.name} was not closed", told)


async def remove_stream(client: Client, stream: str) -> None:
    """The whole stream, with what it holds. Raises CopyFailed."""
    told = await api_answer(client, f"STREAM.DELETE.{stream}", b"")
    if told.get("error", {}).get("err_code") != NO_STREAM:
        _refuse(f"stream {stream} was not removed", told)


def _refuse(what: str, told: Mapping[str, Any]) -> None:
    if (error := told.get("error")) is not None:
        raise CopyFailed(f"{what}: {error.get('description', error)}")
