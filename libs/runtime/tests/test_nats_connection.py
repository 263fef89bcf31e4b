"""Clients of a real server that is there, not yet there, gone and back, or refuses them."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.connection import (
    AuthorizationRefused,
    ServerUnreachable,
    connect,
)
from stratvector.runtime.jetstream.keys import BadSeedFile, KeyFolder
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    made = NatsServer(ServerSettings(tmp_path / "store", free_port()), tmp_path, tmp_path / "log")
    yield made
    made.kill()


def run(script: Coroutine[Any, Any, None]) -> None:
    """Run a script that must leave no task behind."""

    async def alone() -> None:
        await asyncio.wait_for(script, 60.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(alone())


async def echo(client: Client) -> None:
    subscription = await client.subscribe("echo")
    await client.publish("echo", b"word")
    assert (await subscription.next_msg(timeout=10.0)).data == b"word"
    await subscription.unsubscribe()


def test_a_client_talks_and_leaves_nothing_behind(server: NatsServer) -> None:
    server.start()

    async def script() -> None:
        client = await connect(server.url, None, "test")
        await echo(client)
        await client.close()
        assert client.is_closed

    run(script())


def test_a_server_that_is_not_there_yet_is_waited_for_and_told_once(server: NatsServer) -> None:
    told: list[str] = []

    async def script() -> None:
        connecting = asyncio.create_task(connect(server.url, None, "test", on_waiting=told.append))
        while not told:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)
        client = await connecting
        await echo(client)
        await client.close()

    run(script())
    assert len(told) == 1
    assert "refused" in told[0].lower() or "connect call failed" in told[0].lower()


def test_a_wait_with_an_end_ends_in_one_sentence(server: NatsServer) -> None:
    async def script() -> None:
        with pytest.raises(ServerUnreachable, match=r"no nats-server answered at .* within 0.3 s"):
            await connect(server.url, None, "test", wait_seconds=0.3)

    run(script())


def test_a_lost_cancellation_does_not_make_it_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python 3.11's wait_for swallows a deadline's that comes as an attempt fails."""
    monkeypatch.setattr(asyncio, "timeout", lambda _: contextlib.AsyncExitStack())

    async def script() -> None:
        with pytest.raises(ServerUnreachable, match=r"within 0\.3 s"):
            await connect(f"nats://127.0.0.1:{free_port()}", None, "test", 0.3)

    asyncio.run(asyncio.wait_for(script(), 30.0))


def test_last_words_that_fail_do_not_hide_why_it_gave_up(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a server that refuses a certificate tells it while the client closes already."""
    close = Client.close

    async def failing(client: Client) -> None:
        await client._error_cb(OSError("the last words failed"))
        await close(client)

    monkeypatch.setattr(Client, "close", failing)

    async def script() -> None:
        with pytest.raises(ServerUnreachable, match=r"within 0\.2 s") as told:
            await connect(server.url, None, "test", 0.2)
        assert "last words" not in str(told.value)

    run(script())


def test_a_wait_that_is_cancelled_leaves_nothing_behind(server: NatsServer) -> None:
    async def script() -> None:
        connecting = asyncio.create_task(connect(server.url, None, "test"))
        await asyncio.sleep(0.2)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

    run(script())


def test_something_else_on_the_port_is_waited_for_like_nothing(server: NatsServer) -> None:
    """A peer that accepts and never speaks."""
    with socket.socket() as mute:
        mute.bind((server.settings.host, server.settings.port))
        mute.listen()

        async def script() -> None:
            with pytest.raises(ServerUnreachable):
                await connect(server.url, None, "test", wait_seconds=0.5)

        run(script())


def test_a_client_comes_back_after_the_server_was_killed_with_its_subscriptions(
    server: NatsServer,
) -> None:
    server.start()

    async def script() -> None:
        client = await connect(server.url, None, "test")
        subscription = await client.subscribe("still")
        await client.flush()
        for _ in range(2):
            await asyncio.to_thread(server.kill)
            while client.is_connected:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
            await client.publish("still", b"here")
            assert (await subscription.next_msg(timeout=10.0)).data == b"here"
        await client.close()

    run(script())


def test_a_client_comes_back_after_the_server_was_stopped_properly(server: NatsServer) -> None:
    server.start()
    closed: list[str] = []

    async def script() -> None:
        client = await connect(server.url, None, "test", on_closed=closed.append)
        await asyncio.to_thread(server.stop)
        while client.is_connected:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.start)
        await echo(client)
        await client.close()

    run(script())
    assert closed == []


def test_a_client_closed_while_its_server_is_gone_leaves_nothing_behind(
    server: NatsServer,
) -> None:
    server.start()

    async def script() -> None:
        client = await connect(server.url, None, "test")
        await asyncio.to_thread(server.kill)
        while client.is_connected:
            await asyncio.sleep(0.01)
        await client.close()

    run(script())


ACCOUNTS = "accounts {{ ONE: {{ users: [ {{ nkey: {key} }} ] }} }}"


def test_a_wrong_key_is_refused_at_once_in_one_sentence(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "keys")
    accounts = ACCOUNTS.format(key=keys.ensure("right"))
    settings = ServerSettings(tmp_path / "store", free_port())
    server = NatsServer(settings, tmp_path, tmp_path / "log", accounts=accounts)
    server.start()
    keys.ensure("wrong")

    async def script() -> None:
        client = await connect(server.url, keys.seed_file("right"), "test")
        await client.close()
        with pytest.raises(AuthorizationRefused, match=r"refused test: .* the key in .*wrong.seed"):
            await connect(server.url, keys.seed_file("wrong"), "test")
        with pytest.raises(AuthorizationRefused, match="without a key"):
            await connect(server.url, None, "test")
        with pytest.raises(BadSeedFile, match="No such file"):
            await connect(server.url, keys.seed_file("absent"), "test")

    try:
        run(script())
    finally:
        server.kill()


def test_a_client_that_the_server_sends_away_says_so(server: NatsServer) -> None:
    server.start()
    closed: list[str] = []

    async def script() -> None:
        client = await connect(server.url, None, "test", on_closed=closed.append)
        # A subject with a blank is a breach of the protocol, which the server answers by closing.
        await client._send_command(b"NONSENSE\r\n")
        await client._flush_pending()
        while not closed:
            await asyncio.sleep(0.01)
        await client.close()

    run(script())
    assert "unknown protocol" in closed[0].lower()
