"""The bus under TLS: who reaches it, and secrets that change while messages flow."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from stratvector.runtime.certificates import Certificates
from stratvector.runtime.jetstream.connection import (
    BusClient,
    ServerUnreachable,
    UnfitScheme,
    connect,
)
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.server import NatsServer
from tests.security.authorities import Authorities, accounts_of, files_of, take

PATIENCE_SECONDS = 60.0


@pytest.fixture
def server(bus_server: NatsServer) -> NatsServer:
    """The bus."""
    return bus_server


def run(script: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(script, PATIENCE_SECONDS))


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


def of(folder: Path, identity: str = "risk") -> Certificates:
    return Certificates(files_of(folder, identity), identity)


async def echo(client: BusClient, word: bytes = b"word") -> None:
    subscription = await client.subscribe("echo")
    await client.publish("echo", word)
    assert (await subscription.next_msg(timeout=10.0)).data == word
    await subscription.unsubscribe()


def test_a_client_of_the_deployment_talks_by_tls(
    server: NatsServer, authorities: Authorities
) -> None:
    async def script() -> None:
        client = await connect(server.url, None, "test", 10.0, certificates=of(authorities.own))
        await echo(client)
        secured: ssl.SSLObject = client._transport._io_writer.get_extra_info("ssl_object")  # type: ignore[union-attr]
        assert secured.version() == "TLSv1.3"
        await client.close()

    assert server.url.startswith("tls://")
    run(script())


def test_nobody_talks_in_plain_text(server: NatsServer, authorities: Authorities) -> None:
    plain = server.url.replace("tls://", "nats://")

    async def script() -> None:
        with pytest.raises(ServerUnreachable):
            await connect(plain, None, "test", 1.5)
        with pytest.raises(UnfitScheme, match="it must begin with tls://"):
            await connect(plain, None, "test", 1.5, certificates=of(authorities.own))
        with pytest.raises(UnfitScheme, match="needs tls_ca_file"):
            await connect(server.url, None, "test", 1.5)

    run(script())


def test_a_client_of_another_authority_is_refused(
    server: NatsServer, authorities: Authorities
) -> None:
    folder = authorities.stranger
    (folder / "risk" / "ca.crt").write_bytes(
        (folder / "ca.crt").read_bytes() + (authorities.own / "ca.crt").read_bytes()
    )

    async def script() -> None:
        with pytest.raises(ServerUnreachable):
            await connect(server.url, None, "test", 1.5, certificates=of(folder))

    run(script())
    assert "unknown authority" in server.log.read_text()


@pytest.mark.parametrize("kind", ["none", "expired"])
def test_a_client_without_a_valid_certificate_is_refused(
    server: NatsServer, authorities: Authorities, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    context = ssl.create_default_context(cafile=authorities.own / "ca.crt")
    if kind == "expired":
        files = files_of(authorities.expired(monkeypatch), "risk")
        context.load_cert_chain(files.certificate, files.key)

    async def script() -> None:
        reader, _ = await asyncio.open_connection(
            "127.0.0.1", server.settings.port, ssl=context, server_hostname="nats"
        )
        with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_REQUIRED|BAD_CERTIFICATE|EXPIRED"):
            await reader.readline()

    run(script())


@pytest.mark.parametrize("identity", ["risk", "gateway"])
def test_a_server_that_is_not_the_bus_is_not_talked_to(
    tmp_path: Path, authorities: Authorities, identity: str
) -> None:
    """Another service's certificate is no server's of the bus, whoever signed it."""
    told: list[str] = []

    async def script() -> None:
        https = authorities.transport(identity).https()
        listening = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=https
        )
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(ServerUnreachable, match="nats"):
            await connect(
                f"tls://127.0.0.1:{port}",
                None,
                "test",
                1.5,
                told.append,
                certificates=of(authorities.own),
            )
        listening.close()

    run(script())
    assert "CERTIFICATE_VERIFY_FAILED" in told[0]


class Flow:
    """Numbers that are published one by one by one client and taken by another; none is lost where
    each is sent again until it was answered for.
    """

    def __init__(self, writer: BusClient, reader: BusClient) -> None:
        self.writer, self.reader = writer, reader
        self.taken, self.sent = set[int](), 0

    async def run(self) -> None:
        await self.reader.subscribe("numbers", cb=self._take)
        while True:
            self.sent += 1
            while True:
                try:
                    await self.writer.request("numbers", str(self.sent).encode(), timeout=0.5)
                    break
                except Exception:  # noqa: BLE001 - whatever it is, the number is sent again
                    await asyncio.sleep(0.02)

    async def _take(self, message: Any) -> None:
        self.taken.add(int(message.data))
        await message.respond(b"")

    async def until_more(self, count: int = 20) -> None:
        wanted = len(self.taken) + count
        while len(self.taken) < wanted:
            await asyncio.sleep(0.01)


async def presented(port: int, certificates: Certificates) -> bytes:
    """The certificate that the bus presents now."""
    client = certificates.now().client
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="nats")
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    found = secured.getpeercert(binary_form=True)
    writer.close()
    assert found is not None
    return found


def test_certificates_change_while_messages_flow_and_none_is_lost(
    server: NatsServer, authorities: Authorities
) -> None:
    async def script() -> None:
        own = authorities.own
        clients = [
            await connect(server.url, None, one, 10.0, certificates=of(own, one))
            for one in ("risk", "strategy")
        ]
        before = await presented(server.settings.port, of(own))
        flow = Flow(*clients)
        flowing = asyncio.create_task(flow.run())
        await flow.until_more()
        authorities.renew()
        server.reload()
        while await presented(server.settings.port, of(own)) == before:
            await asyncio.sleep(0.05)
        await flow.until_more()
        # The old connections are cut: new ones are made with what is in force now.
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await flow.until_more()
        flowing.cancel()
        assert flow.taken >= set(range(1, flow.sent))
        for client, identity in zip(clients, ("risk", "strategy"), strict=True):
            fresh = of(own, identity).now()
            assert client._certificates is not None
            assert client._certificates.now().certificate == fresh.certificate
            await client.close()

    run(script())


def test_the_authority_changes_while_messages_flow_and_none_is_lost(
    server: NatsServer, authorities: Authorities
) -> None:
    """Both are trusted, then everybody presents a certificate of the new one, then it is alone; at
    each step all connections are cut and made anew.
    """
    own, new = authorities.own, authorities.stranger
    both = (own / "ca.crt").read_bytes() + (new / "ca.crt").read_bytes()
    identities = ("risk", "strategy", "nats")

    async def step(flow: Flow) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await flow.until_more()

    async def script() -> None:
        clients = [
            await connect(server.url, None, one, 10.0, certificates=of(own, one))
            for one in ("risk", "strategy")
        ]
        flow = Flow(*clients)
        flowing = asyncio.create_task(flow.run())
        for identity in identities:
            take(both, own / identity / "ca.crt")
        await step(flow)
        for identity in identities:
            for name in ("tls.key", "tls.crt"):
                take((new / identity / name).read_bytes(), own / identity / name)
        await step(flow)
        for identity in identities:
            take((new / "ca.crt").read_bytes(), own / identity / "ca.crt")
        await step(flow)
        flowing.cancel()
        assert flow.taken >= set(range(1, flow.sent))
        for client in clients:
            await client.close()

    run(script())


def two_keys(folder: Path) -> tuple[KeyFolder, str, str]:
    """A user's key and the one that takes its place, with their public parts."""
    keys = KeyFolder(folder / "keys")
    return keys, keys.ensure("risk"), keys.ensure("new")


def test_keys_change_while_messages_flow_and_none_is_lost(
    tmp_path: Path, server: NatsServer, authorities: Authorities
) -> None:
    """Both keys are accepted, the seed file is replaced, the old key is dropped."""
    keys, old, new = two_keys(tmp_path)
    seed, closed = keys.seed_file("risk"), list[str]()

    async def script() -> None:
        certificates = of(authorities.own)
        server.reload(accounts_of(old))
        clients = [
            await connect(
                server.url, seed, name, 10.0, on_closed=closed.append, certificates=certificates
            )
            for name in ("writer", "reader")
        ]
        flow = Flow(*clients)
        flowing = asyncio.create_task(flow.run())
        await flow.until_more()
        server.reload(accounts_of(old, new))
        await flow.until_more()
        keys.seed_file("new").replace(seed)
        server.reload(accounts_of(new))
        while any(client._public_nkey == old for client in clients):
            await asyncio.sleep(0.01)
        await flow.until_more()
        flowing.cancel()
        assert flow.taken >= set(range(1, flow.sent))
        assert all(client._public_nkey == new for client in clients)
        for client in clients:
            await client.close()

    run(script())
    assert closed == []


def test_whose_key_is_dropped_comes_back_as_soon_as_it_has_the_new_one(
    tmp_path: Path, server: NatsServer, authorities: Authorities
) -> None:
    keys, old, new = two_keys(tmp_path)
    seed, closed = keys.seed_file("risk"), list[str]()

    async def script() -> None:
        own = of(authorities.own)
        server.reload(accounts_of(old))
        client = await connect(
            server.url, seed, "test", 10.0, on_closed=closed.append, certificates=own
        )
        server.reload(accounts_of(new))
        await until(lambda: not client.is_connected)
        keys.seed_file("new").replace(seed)
        await until(lambda: client.is_connected)
        await echo(client)
        await client.close()

    run(script())
    assert closed == []
