"""Requests over the mailbox that can never be sent, and callers that leave early."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.errors import Error as NatsError

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.bus import JetStreamBus, PublishRefused
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.mailbox import Mailbox, NoAnswer
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.ports import Message
from tests.sessions.generated_sessions import Shape, generated_session

PORTFOLIO = generated_session(3, Shape(closes=10)).portfolio


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    settings = ServerSettings(tmp_path / "store", free_port(), max_payload_bytes=65_536)
    made = NatsServer(settings, tmp_path, tmp_path / "log")
    made.start()
    yield made
    made.kill()


def test_a_message_that_is_too_large_is_refused_and_not_tried_for_ever(server: NatsServer) -> None:
    async def script() -> None:
        client = await connect(server.url, None, "test", 30.0)
        await provision(client)
        try:
            with pytest.raises(PublishRefused):
                await JetStreamBus(client).publish(
                    Message("orders.main.paper", "id", bytes(100_000), 1), 0
                )
        finally:
            await client.close()

    asyncio.run(script())


def test_a_first_call_that_is_cancelled_does_not_hold_up_all_later_ones(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script() -> None:
        client = await connect(server.url, None, "test", 30.0)
        mailbox = Mailbox(client)
        subscribe = client.subscribe

        async def slow(
            *given: Any, **named: Any
        ) -> Any:  # the flusher's queue is full, or the socket is
            await asyncio.sleep(0.2)
            return await subscribe(*given, **named)

        monkeypatch.setattr(client, "subscribe", slow)
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await mailbox.call("$JS.API.INFO", b"", None, 2.0)
            async with asyncio.timeout(10.0):
                await mailbox.call("$JS.API.INFO", b"", None, 2.0)
        finally:
            await client.close()

    asyncio.run(script())


def test_a_socket_that_fails_before_the_client_knows_it_is_no_answer_and_no_defect(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script() -> None:
        client = await connect(server.url, None, "test", 30.0)
        mailbox = Mailbox(client)
        await mailbox.call("$JS.API.INFO", b"", None, 10.0)

        async def broken(force_flush: bool = False) -> None:  # as it is once its flusher has ended
            raise ConnectionResetError("Connection lost")

        try:
            with monkeypatch.context() as until_known:
                until_known.setattr(client, "_flush_pending", broken)
                with pytest.raises(NoAnswer, match="Connection lost"):
                    await mailbox.call("$JS.API.INFO", b"", None, 10.0)
                with pytest.raises(NatsError, match="Connection lost"):
                    await client.subscribe("somewhere")
            await mailbox.call("$JS.API.INFO", b"", None, 10.0)
        finally:
            await client.close()

    asyncio.run(script())
