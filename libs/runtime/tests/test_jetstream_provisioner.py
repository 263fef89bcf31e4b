"""Streams and buckets on a real server: made once, never changed, never removed."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream import provisioner
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.provisioner import (
    LogLost,
    OtherConfiguration,
    ProvisioningError,
    provision,
    stream_settings,
)
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.jetstream.topology import (
    QUARANTINE_BYTES_MAX,
    buckets,
    streams,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    made = NatsServer(ServerSettings(tmp_path / "store", free_port()), tmp_path, tmp_path / "log")
    made.start()
    yield made
    made.kill()


def with_client(server: NatsServer, script: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        client = await connect(server.url, None, "provisioner", wait_seconds=10.0)
        try:
            await script(client)
        finally:
            await client.close()

    asyncio.run(run())


async def ask(client: Client, call: str, request: object = None) -> dict[str, Any]:
    payload = b"" if request is None else json.dumps(request).encode()
    answer: dict[str, Any] = json.loads((await client.request(f"$JS.API.{call}", payload)).data)
    assert "error" not in answer, answer
    return answer


async def everything(client: Client) -> dict[str, Any]:
    """Names, configuration and contents of all there is."""
    found = {}
    for stream in (await ask(client, "STREAM.NAMES"))["streams"] or ():
        info = await ask(client, f"STREAM.INFO.{stream}")
        found[stream] = (info["created"], info["config"], info["state"]["messages"])
    return found


def test_all_streams_and_buckets_are_made_and_no_consumer(server: NatsServer) -> None:
    async def script(client: Client) -> None:
        await provision(client)
        found = await everything(client)
        names = {stream.name for stream in (*streams(), *buckets())}
        assert set(found) == names
        config = found["ORDERS"][1]
        assert config["subjects"] == ["orders.>"]
        assert config["republish"] == {"src": "orders.>", "dest": "stored.orders.>"}
        assert "republish" not in found["KV_owners"][1]
        assert (await ask(client, "CONSUMER.LIST.ORDERS"))["total"] == 0
        assert config["retention"] == "limits"
        assert config["storage"] == "file"
        assert config["discard"] == "new"
        assert config["deny_delete"]
        assert not any(made.get("deny_purge") for _, made, _ in found.values())
        assert config["allow_direct"]
        assert not config.get("allow_rollup_hdrs")
        assert config["duplicate_window"] == 20_000_000_000
        assert found["KV_owners"][1]["max_msgs_per_subject"] == 1
        assert found["KV_owners"][1]["discard"] == "new"

    with_client(server, script)


def test_a_full_quarantine_drops_its_oldest_notes_and_takes_the_newest(server: NatsServer) -> None:
    note, count = b"x" * (1 << 20), QUARANTINE_BYTES_MAX // (1 << 20) + 4

    async def script(client: Client) -> None:
        await provision(client)
        for number in range(count):
            answer = await client.request(f"$KV.quarantine.risk.BARS.{number}", note, 30.0)
            assert "error" not in json.loads(answer.data)
        state = (await ask(client, "STREAM.INFO.KV_quarantine"))["state"]
        assert state["bytes"] <= QUARANTINE_BYTES_MAX
        assert state["last_seq"] == count
        assert state["first_seq"] > 1

    with_client(server, script)


BARS = next(stream for stream in streams() if stream.name == "BARS")


def test_a_stream_that_a_begun_log_has_lost_is_told_and_not_made_again(server: NatsServer) -> None:
    async def script(client: Client) -> None:
        await provision(client)
        await client.request("orders.main.paper", b"kept")
        await ask(client, "STREAM.DELETE.FILLS")
        await ask(client, "STREAM.DELETE.BARS")
        before = await everything(client)
        with pytest.raises(LogLost) as raised:
            await provision(client)
        assert str(raised.value).startswith(
            "the log has lost its streams BARS, FILLS, although ORDERS holds 1 messages; nothing "
        )
        assert await everything(client) == before

    with_client(server, script)


def test_streams_that_were_made_before_are_missed_when_none_is_left(
    server: NatsServer,
) -> None:
    async def script(client: Client) -> None:
        with pytest.raises(LogLost, match="although all of them were made; nothing was made in"):
            await provision(client, begun=True)
        assert await everything(client) == {}
        await provision(client)
        await ask(client, "STREAM.DELETE.FILLS")
        await provision(client)  # nothing was stored yet: a start that was cut short
        await ask(client, "STREAM.DELETE.FILLS")
        with pytest.raises(LogLost, match="stream FILLS, although"):
            await provision(client, begun=True)

    with_client(server, script)


def test_asked_again_nothing_changes_not_even_after_a_restart(server: NatsServer) -> None:
    async def script(client: Client) -> None:
        await provision(client)
        await client.request("orders.main.paper", b"kept")
        before = await everything(client)
        await provision(client)
        assert await everything(client) == before
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await client.flush()
        await provision(client)
        after = await everything(client)
        assert {name: value[1:] for name, value in after.items()} == {
            name: value[1:] for name, value in before.items()
        }
        assert after["ORDERS"][2] == 1

    with_client(server, script)


def test_a_stream_with_another_configuration_is_told_and_left_alone(server: NatsServer) -> None:
    first = streams()[0]
    wanted = stream_settings(first)

    async def script(client: Client) -> None:
        await ask(client, f"STREAM.CREATE.{first.name}", {**wanted, "duplicate_window": 10**9})
        before = await everything(client)
        with pytest.raises(OtherConfiguration) as raised:
            await provision(client)
        assert str(raised.value) == (
            f"stream {first.name} exists with duplicate_window 1000000000 instead of 20000000000; "
            "nothing was changed: use another store, or remove it by hand"
        )
        assert await everything(client) == before

    with_client(server, script)


def test_a_stream_that_was_made_to_deny_purging_is_told_and_left_alone(server: NatsServer) -> None:
    first = streams()[0]
    wanted = {**stream_settings(first), "deny_purge": True}

    async def script(client: Client) -> None:
        await ask(client, f"STREAM.CREATE.{first.name}", wanted)
        before = await everything(client)
        with pytest.raises(OtherConfiguration) as raised:
            await provision(client)
        assert str(raised.value) == (
            f"stream {first.name} exists with deny_purge True instead of False; nothing was "
            "changed: no server takes that back, and its old log could never make room; end what "
            "it holds with the version that made it, or start a new session"
        )
        assert await everything(client) == before
        refused = await client.request(
            f"$JS.API.STREAM.UPDATE.{first.name}", json.dumps(stream_settings(first)).encode()
        )
        assert "can not cancel deny purge" in json.loads(refused.data)["error"]["description"]

    with_client(server, script)


def test_what_the_server_refuses_is_told_in_its_words(server: NatsServer) -> None:
    async def script(client: Client) -> None:
        overlapping = {"name": "MINE", "subjects": ["orders.>"], "storage": "file"}
        await ask(client, "STREAM.CREATE.MINE", overlapping)
        with pytest.raises(
            ProvisioningError, match="the server refused stream ORDERS: subjects overlap"
        ):
            await provision(client)

    with_client(server, script)


def test_no_stream_forgets_and_a_bucket_keeps_the_newest_of_each_key() -> None:
    for stream in streams():
        settings = provisioner.stream_settings(stream)
        assert settings["max_msgs"] == settings["max_bytes"] == -1
        assert settings["max_msgs_per_subject"] == -1


def test_a_request_that_a_restart_swallowed_is_made_again(server: NatsServer) -> None:
    async def script(client: Client) -> None:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        provisioning = asyncio.create_task(provision(client))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await provisioning
        assert (await ask(client, "STREAM.NAMES"))["total"] == len((*streams(), *buckets()))

    with_client(server, script)


def test_a_server_that_never_answers_is_one_sentence(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioner, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(provisioner, "PATIENCE_SECONDS", 0.1)

    async def script(client: Client) -> None:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(ProvisioningError, match=r"did not answer STREAM\.INFO\.\w+ within"):
            await provision(client)
        os.kill(server.pid, signal.SIGCONT)

    with_client(server, script)
