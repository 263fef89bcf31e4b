"""Streams copied out of a real server while they grow, and put back into another, or a cluster."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from stratvector.runtime.free_ports import free_port, free_ports
from stratvector.runtime.jetstream import stream_copies
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.provisioner import provision, purge, stream_settings
from stratvector.runtime.jetstream.server import NatsServer, find_binary
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.runtime.jetstream.stream_copies import (
    CopyFailed,
    close_stream,
    copy_stream,
    lanes_in,
    put_back,
    remove_message,
    remove_stream,
    stream_state,
    until_replicated,
)
from stratvector.runtime.jetstream.topology import streams

ORDERS = next(one for one in streams() if one.name == "ORDERS")
LANES = ["orders.replay.1.main", "orders.replay.1.other"]
PAYLOAD_BYTES = 3_000
CLUSTER_SECONDS = 90.0


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[NatsServer, NatsServer]]:
    made = tuple(
        NatsServer(ServerSettings(place / "store", free_port()), place, place / "log")
        for place in (tmp_path / "old", tmp_path / "new")
    )
    for one in made:
        one.start()
    yield made[0], made[1]
    for one in made:
        one.kill()


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Client]:
    client = await connect(url, None, "test", 20.0)
    try:
        yield client
    finally:
        await client.close()


def with_clients(
    servers: tuple[NatsServer, NatsServer], script: Callable[[Client, Client], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with client_of(servers[0].url) as old, client_of(servers[1].url) as new:
            await provision(old)
            await script(old, new)

    asyncio.run(run())


async def publish(client: Client, number: int) -> None:
    """Bytes of chance, so that the copy is as large as the stream."""
    headers = {"Nats-Msg-Id": f"m{number}"}
    lane = LANES[number % len(LANES)]
    await client.request(lane, os.urandom(PAYLOAD_BYTES), 10.0, headers=headers)


async def contents(client: Client, last: int) -> dict[int, tuple[str, bytes]]:
    """By sequence."""
    found = {}
    for sequence in range(1, last + 1):
        answer = await client.request(
            "$JS.API.DIRECT.GET.ORDERS", json.dumps({"seq": sequence}).encode()
        )
        headers = answer.headers or {}
        if "Status" not in headers:
            found[sequence] = (headers["Nats-Subject"], answer.data)
    return found


def test_a_stream_that_grows_and_has_gaps_is_put_back_under_its_sequences(
    servers: tuple[NatsServer, NatsServer],
) -> None:
    async def script(old: Client, new: Client) -> None:
        for number in range(400):
            await publish(old, number)
        assert await purge(old, LANES[0], 200) > 0
        before, pieces = await stream_state(old, "ORDERS"), list[bytes]()
        assert before is not None
        growing = asyncio.create_task(_grow(old, 400))
        await copy_stream(old, "ORDERS", pieces.append)
        growing.cancel()
        assert len(pieces) > 1
        state = await put_back(new, ORDERS, pieces, is_open=False)
        assert state["last_seq"] >= before["last_seq"]
        here, there = [await contents(one, state["last_seq"]) for one in (old, new)]
        assert there == here
        assert len(there) == state["messages"] < state["last_seq"]
        assert await lanes_in(new, ORDERS) == LANES

    with_clients(servers, script)


async def _grow(client: Client, number: int) -> None:
    while True:
        await publish(client, number)
        number += 1


def test_the_end_of_one_that_is_open_goes_and_then_nothing_more(
    servers: tuple[NatsServer, NatsServer],
) -> None:
    async def script(old: Client, new: Client) -> None:
        for number in range(20):
            await publish(old, number)
        pieces = list[bytes]()
        await copy_stream(old, "ORDERS", pieces.append)
        await put_back(new, ORDERS, pieces)
        for sequence in (20, 18):
            await remove_message(new, "ORDERS", sequence)
        await close_stream(new, ORDERS)
        info = json.loads((await new.request("$JS.API.STREAM.INFO.ORDERS")).data)
        assert info["config"].items() >= stream_settings(ORDERS).items()
        assert info["state"]["last_seq"] == 20
        assert info["state"]["num_deleted"] == 2
        with pytest.raises(CopyFailed, match="message 17 of ORDERS was not removed"):
            await remove_message(new, "ORDERS", 17)
        # What went may be said again, with its id and after what is left of its lane.
        headers = {"Nats-Msg-Id": "m17", "Nats-Expected-Last-Subject-Sequence": "16"}
        told = json.loads((await new.request(LANES[1], b"again", headers=headers)).data)
        assert told == {"stream": "ORDERS", "seq": 21}

    with_clients(servers, script)


def test_a_damaged_copy_and_a_stream_that_is_there_are_refused_and_nothing_is_left(
    servers: tuple[NatsServer, NatsServer],
) -> None:
    async def script(old: Client, new: Client) -> None:
        for number in range(200):
            await publish(old, number)
        pieces = list[bytes]()
        await copy_stream(old, "ORDERS", pieces.append)
        broken = bytearray(pieces[1])
        broken[100] ^= 1
        with pytest.raises(CopyFailed, match="stream ORDERS was not put back"):
            await put_back(new, ORDERS, [pieces[0], bytes(broken), *pieces[2:]])
        with pytest.raises(CopyFailed, match="stream ORDERS was not put back"):
            await put_back(new, ORDERS, pieces[:-1])
        assert await stream_state(new, "ORDERS") is None
        await put_back(new, ORDERS, pieces)
        with pytest.raises(CopyFailed, match="already in use"):
            await put_back(new, ORDERS, pieces)
        await remove_stream(new, "ORDERS")
        await remove_stream(new, "ORDERS")
        with pytest.raises(CopyFailed, match="stream ORDERS was not copied: stream not found"):
            await copy_stream(new, "ORDERS", pieces.append)

    with_clients(servers, script)


def test_a_server_that_dies_while_it_stores_a_copy_is_told_and_the_same_can_be_done_again(
    servers: tuple[NatsServer, NatsServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_copies, "CHUNK_SECONDS", 0.5)

    async def script(old: Client, new: Client) -> None:
        for number in range(1_000):
            await publish(old, number)
        pieces = list[bytes]()
        await copy_stream(old, "ORDERS", pieces.append)

        async def kill() -> None:
            while b"Starting restore" not in servers[1].log.read_bytes():
                await asyncio.sleep(0.001)
            servers[1].kill()
            servers[1].start()

        killing = asyncio.create_task(kill())
        with pytest.raises(CopyFailed, match="stream ORDERS was not put back"):
            await put_back(new, ORDERS, pieces)
        await killing
        while await stream_state(new, "ORDERS") is not None:
            await remove_stream(new, "ORDERS")
        assert (await put_back(new, ORDERS, pieces))["messages"] == 1_000

    with_clients(servers, script)


@dataclass(frozen=True)
class Cluster:
    """Three servers; what keeps a stream on all of them survives one."""

    urls: list[str]
    processes: list["subprocess.Popen[bytes]"]

    def kill(self, name: str) -> None:
        """By the server's name, n0 to n2."""
        self.processes[int(name[1:])].kill()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    ports = free_ports(6)
    clients, routes = ports[:3], ports[3:]
    others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    processes = []
    for number, (port, route) in enumerate(zip(clients, routes, strict=True)):
        config = folder / f"{number}.conf"
        config.write_text(
            f'server_name: n{number}\nlisten: "127.0.0.1:{port}"\nmax_payload: 8388608\n'
            f'jetstream {{ store_dir: "{folder / str(number)}" }}\n'
            f'cluster {{ name: three, listen: "127.0.0.1:{route}", routes: [{others}] }}\n'
        )
        with (folder / f"{number}.log").open("wb") as log:
            command = [find_binary(), "-c", str(config)]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
    try:
        yield Cluster([f"nats://127.0.0.1:{port}" for port in clients], processes)
    finally:
        for one in processes:
            one.kill()
            one.wait()


async def info_of(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((await client.request("$JS.API.STREAM.INFO.ORDERS")).data)
    return told


def test_a_stream_is_put_back_on_three_servers_and_survives_the_loss_of_its_leader(
    servers: tuple[NatsServer, NatsServer], tmp_path: Path
) -> None:
    async def script(old: Client, _: Client) -> None:
        for number in range(300):
            await publish(old, number)
        pieces = list[bytes]()
        await copy_stream(old, "ORDERS", pieces.append)
        here = await contents(old, 300)
        with cluster(tmp_path) as three:
            async with (
                asyncio.timeout(CLUSTER_SECONDS),
                client_of(three.urls[0]) as first,
                client_of(three.urls[1]) as second,
            ):
                await _until_made(first)
                await put_back(first, ORDERS, pieces, 3)
                await remove_message(first, "ORDERS", 300)
                await close_stream(first, ORDERS, 3)
                leader = (await info_of(first))["cluster"]["leader"]
                three.kill(leader)
                left = first if leader != "n0" else second
                while (await _leader(left)) in (None, leader):
                    await asyncio.sleep(0.1)
                here.pop(300)
                assert await contents(left, 300) == here
                with pytest.raises(CopyFailed, match=f"{leader} is not heard of: start it, or"):
                    await until_replicated(left, "ORDERS", 3)

    with_clients(servers, script)


async def _until_made(client: Client) -> None:
    """The cluster is whole once it has a stream, of another name, on all three."""
    request = json.dumps({"name": "ready", "subjects": ["ready"], "num_replicas": 3}).encode()
    while True:
        try:
            await client.request("$JS.API.STREAM.CREATE.ready", request)
            told = json.loads((await client.request("$JS.API.STREAM.INFO.ready")).data)
        except Exception:  # noqa: BLE001  nobody answers yet
            told = {}
        others = told.get("cluster", {}).get("replicas", ())
        if len(others) == 2 and all(one["current"] for one in others):
            return
        await asyncio.sleep(0.2)


async def _leader(client: Client) -> str | None:
    try:
        return str((await info_of(client))["cluster"]["leader"])
    except Exception:  # noqa: BLE001  nobody leads
        return None


def test_a_piece_is_sent_again_until_the_server_that_restores_is_known(
    servers: tuple[NatsServer, NatsServer],
) -> None:
    async def script(old: Client, _: Client) -> None:
        sent = asyncio.create_task(stream_copies._heard(old, "restore.here", b"piece", 5.0))
        await asyncio.sleep(0.3)
        assert not sent.done()

        async def answer(message: Msg) -> None:
            await message.respond(message.data)

        await old.subscribe("restore.here", cb=answer)
        assert (await sent).data == b"piece"

    with_clients(servers, script)
