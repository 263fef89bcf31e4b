"""A gRPC port under TLS: who may ask, who may not, and certificates that change meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stratvector.cli.certificates import ensure_certificates
from stratvector.runtime.host import Servicer
from stratvector.runtime.peer import OPTIONS, Failed, Peer
from stratvector.runtime.process.callers import callers_of
from stratvector.runtime.process.grpc_server import GrpcPort
from stratvector.runtime.process.transport import ServiceChannel, Transport, use_transport
from tests.security.authorities import LOCAL, Authorities, files_of, health_of, take

HOST = "127.0.0.1"
SECONDS = 10.0


@asynccontextmanager
async def served(transport: Transport) -> AsyncIterator[str]:
    """The address of a port of the transport's service."""
    port = GrpcPort(HOST, 0, [Servicer("planted", lambda server: None)], transport=transport)
    await port.start()
    try:
        yield f"{HOST}:{port.port}"
    finally:
        await port.stop(1.0)


async def ask(channel: ServiceChannel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel.now())
    await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)


def play(script: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(script(), 60.0)

    asyncio.run(run())


def answer_to(
    authorities: Authorities, presented: Any, asked: str = "risk", trusted: Path | None = None
) -> tuple[str, str]:
    """What risk's port says to a new connection."""
    found = list[tuple[str, str]]()

    async def script() -> None:
        ca = trusted or authorities.own / "ca.crt"
        async with served(authorities.transport("risk")) as address:
            found.append(await asyncio.to_thread(health_of, address, asked, ca, presented, 3.0))

    play(script)
    return found[0]


@pytest.mark.parametrize("identity", ["gateway", "cli", "risk"])
def test_who_may_ask_is_answered(authorities: Authorities, identity: str) -> None:
    assert answer_to(authorities, files_of(authorities.own, identity)) == ("OK", "")


@pytest.mark.parametrize("identity", ["strategy", "monte-carlo", "nats", "prometheus"])
def test_another_identity_is_denied(authorities: Authorities, identity: str) -> None:
    code, words = answer_to(authorities, files_of(authorities.own, identity))
    assert code == "PERMISSION_DENIED"
    assert words == f"risk answers to cli, gateway, risk, not to {identity}"


def test_no_certificate_is_refused(authorities: Authorities) -> None:
    assert answer_to(authorities, None)[0] == "UNAVAILABLE"


def test_a_certificate_of_another_authority_is_refused(authorities: Authorities) -> None:
    assert answer_to(authorities, files_of(authorities.stranger, "gateway"))[0] == "UNAVAILABLE"


def test_an_expired_certificate_is_refused(
    authorities: Authorities, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = files_of(authorities.expired(monkeypatch), "gateway")
    assert answer_to(authorities, expired)[0] == "UNAVAILABLE"


def test_a_client_refuses_a_server_of_another_authority_or_name(authorities: Authorities) -> None:
    own = files_of(authorities.own, "gateway")
    stranger = authorities.stranger / "ca.crt"
    assert answer_to(authorities, own, trusted=stranger)[0] == "UNAVAILABLE"
    assert answer_to(authorities, own, asked="ledger")[0] == "UNAVAILABLE"


def test_every_service_answers_to_its_replicas_and_the_command_line() -> None:
    assert callers_of("market_data") == {"market-data", "cli"}
    assert callers_of("monte_carlo") == {"monte-carlo", "cli", "gateway", "risk"}


def test_a_peer_that_is_denied_says_so(authorities: Authorities) -> None:
    async def script() -> None:
        use_transport(authorities.transport("drift"))
        async with served(authorities.transport("risk")) as address, Peer("risk", address) as peer:
            stub: Any = health_pb2_grpc.HealthStub(peer.channel())
            with pytest.raises(Failed, match=r"^risk refused the question: risk answers to cli, "):
                await peer.ask(stub.Check, health_pb2.HealthCheckRequest())

    try:
        play(script)
    finally:
        use_transport(None)


def test_a_plain_client_is_refused(authorities: Authorities) -> None:
    async def script() -> None:
        async with served(authorities.transport("risk")) as address:
            reader, writer = await asyncio.open_connection(*address.split(":"))
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            said = await asyncio.wait_for(reader.read(), SECONDS)
            assert b"\x00\x00\x00\x04" not in said[:4]
            writer.close()

    play(script)


def test_a_renewed_certificate_and_a_new_authority_are_taken_up_while_calls_go_on(
    authorities: Authorities,
) -> None:
    """Old authority, both, new leaves, new authority alone: at each step old and new channels."""
    own = authorities.own
    new = authorities.stranger
    former = Path(shutil.copytree(own, own.with_name("former")))
    both = (own / "ca.crt").read_bytes() + (new / "ca.crt").read_bytes()

    async def step(address: str, channel: ServiceChannel) -> None:
        await ask(channel)
        fresh = ServiceChannel("risk", address, OPTIONS, authorities.transport("gateway"))
        await ask(fresh)
        await fresh.close()

    async def script() -> None:
        client = authorities.transport("gateway")
        async with served(authorities.transport("risk")) as address:
            channel = ServiceChannel("risk", address, OPTIONS, client)
            before = channel.now()
            await step(address, channel)
            authorities.renew()
            await step(address, channel)
            assert channel.now() is not before
            (own / "ca.crt").write_bytes(both)
            ensure_certificates(own, LOCAL)
            await step(address, channel)
            for identity in ("risk", "gateway"):
                for name in ("tls.key", "tls.crt"):
                    take((new / identity / name).read_bytes(), own / identity / name)
                await step(address, channel)
            for identity in ("risk", "gateway"):
                take((new / "ca.crt").read_bytes(), own / identity / "ca.crt")
            await step(address, channel)
            asked = address, "risk", new / "ca.crt"
            told = await asyncio.to_thread(health_of, *asked, files_of(former, "gateway"), 3.0)
            assert told[0] == "UNAVAILABLE"
            await channel.close()

    play(script)
