"""Whatever some clients send, or do not send, others get their answers and memory stays."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from stratvector.services.gateway import bounded_http
from stratvector.services.gateway.bounded_http import BODY_BYTES_MAX, HEAD_BYTES_MAX, OPEN_MAX

InHouse = Callable[..., None]
POLITE = "/api/monitoring"
FLOOD_BYTES, CHUNK = 300 << 20, bytes(1 << 20)
SLOW = 1_000
HEAD = b"POST /api/backtesting HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
MEMORY_BYTES_MAX = 100 << 20


async def opened(house: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = house.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def sent(house: Any, *parts: bytes) -> bytes:
    """All that is answered to some bytes, until the other side ends the connection."""
    reader, writer = await opened(house)
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    answer = b""
    with suppress(ConnectionError):
        while part := await reader.read(1 << 16):
            answer += part
    writer.close()
    return answer


def problem_of(answer: bytes, status: int) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["status"] == status
    return str(json.loads(body)["detail"])


async def polite(house: Any) -> None:
    assert (await house.client.get(POLITE)).status_code == 200


def memory_peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


async def flood(house: Any, head: bytes, framed: Callable[[bytes], bytes]) -> bytes:
    """300 MB in a request, as far as they are taken; what is answered."""
    reader, writer = await opened(house)
    answer = asyncio.create_task(reader.read(1 << 16))
    writer.write(head + b"\r\n")
    part = framed(CHUNK)
    with suppress(ConnectionError):
        for _ in range(FLOOD_BYTES // len(CHUNK)):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
    writer.close()
    return await answer


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_300_mb_are_refused_with_413_while_others_get_their_answers(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        await polite(house)
        before = memory_peak_bytes()
        declared = HEAD + b"Content-Length: %d\r\n" % FLOOD_BYTES
        in_chunks = HEAD + b"Transfer-Encoding: chunked\r\n"
        got = in_chunks.replace(b"POST /api/backtesting", b"GET /api/monitoring")
        floods = [
            asyncio.create_task(flood(house, head, framed))
            for head, framed in ((declared, bytes), (in_chunks, chunked), (got, chunked))
        ]
        while not all(one.done() for one in floods):
            await polite(house)
        of_declared, of_chunks, of_got = [one.result() for one in floods]
        assert problem_of(of_declared, 413) == "the body is larger than 1 MiB"
        assert problem_of(of_chunks, 413) == "the body is larger than 1 MiB"
        # It was answered before its body came, of which nobody wants to know.
        assert of_got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 413"))
        assert memory_peak_bytes() - before < MEMORY_BYTES_MAX
        assert (await house.client.get("/api/backtesting")).json() == {"jobs": []}

    in_house(ask)


def test_a_body_of_exactly_the_bound_is_read_and_one_byte_more_is_not(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        for size, status in ((BODY_BYTES_MAX, 202), (BODY_BYTES_MAX + 1, 413)):
            body = b"{}".ljust(size)
            headers = {"Content-Type": "application/json"}
            answer = await house.client.post("/api/backtesting", content=body, headers=headers)
            assert answer.status_code == status

            async def parts(body: bytes = body) -> AsyncIterator[bytes]:
                for start in range(0, len(body), 1 << 16):
                    yield body[start : start + (1 << 16)]

            answer = await house.client.post("/api/backtesting", content=parts(), headers=headers)
            assert answer.status_code == status

    in_house(ask)


def test_long_heads_are_refused_with_431_and_414(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        start = b"GET /api/monitoring HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        long = b"X: " + b"a" * HEAD_BYTES_MAX
        many = b"".join(b"X%d: a\r\n" % n for n in range(HEAD_BYTES_MAX // 6))
        endless = (b"a" * (1 << 16) for _ in range(100))
        for parts in (
            [start, long],
            [start + long + b"\r\n\r\n"],
            [start, many],
            [start, *endless],
        ):
            told = problem_of(await sent(house, *parts), 431)
            assert told == "the headers are longer than 32 KiB"
        target = b"GET /" + b"a" * HEAD_BYTES_MAX
        for parts in ([target], [target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]):
            told = problem_of(await sent(house, *parts), 414)
            assert told == "the path and its query are longer than 8192 bytes"
        for noise in (b"\x16\x03\x01\x02\x00\x01", b"NONSENSE / HTTP/1.1\r\n\r\n", b"GET\r\n\r\n"):
            assert problem_of(await sent(house, noise), 400) == "this is no HTTP/1.1 request"
        # Trailers, and extensions of chunks, are no way around.
        begun = HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
        trailers = (b"X: " + b"a" * (1 << 20) + b"\r\n" for _ in range(20))
        answer = await sent(house, begun, *trailers)
        assert problem_of(answer, 413) == "the body is larger than 1 MiB"
        await polite(house)

    in_house(ask)


def test_1000_slow_requests_keep_nobody_from_an_answer(in_house: InHouse) -> None:
    async def ask(house: Any) -> None:
        slow = []
        for number in range(SLOW):
            reader, writer = await opened(house)
            writer.write(HEAD if number % 2 else HEAD + b"Content-Length: 2\r\n\r\n{")
            slow.append((reader, writer))
            if number % 100 == 99:
                await polite(house)
        ended = [asyncio.create_task(reader.read()) for reader, _ in slow]
        while sum(one.done() for one in ended) < SLOW - OPEN_MAX:
            await polite(house)
        assert any(not one.done() for one in ended)
        for _, writer in slow:
            writer.close()
        await asyncio.gather(*ended, return_exceptions=True)

    in_house(ask)


def test_half_a_head_and_half_a_body_are_told_their_time_and_ended(
    in_house: InHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS_MAX", 0.2)
    monkeypatch.setattr(bounded_http, "BODY_SECONDS_MAX", 0.3)

    async def ask(house: Any) -> None:
        assert await sent(house) == b""
        late = problem_of(await sent(house, HEAD), 408)
        assert late == "the headers did not come within 0.2 s"
        late = problem_of(await sent(house, HEAD + b"Content-Length: 2\r\n\r\n{"), 408)
        assert late == "the body did not come within 0.3 s"
        assert (await house.client.get("/api/backtesting")).json() == {"jobs": []}

    in_house(ask)
