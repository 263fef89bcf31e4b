"""A replica by hand: it hears what is said on the bus, and asks and answers as it is told."""

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from stratvector.contracts.v1.monte_carlo_shards_pb2 import ComputeShardRequest, RunAnnouncement
from stratvector.runtime.jetstream.server import NatsServer
from tests.processes.service_process import PATIENCE_SECONDS

RUNS = "montecarlo.runs"
SHARDS = "montecarlo.shards"
LOOK_SECONDS = 0.5
T = TypeVar("T")


@dataclass
class PlantedReplica:
    """A context. overhears : all that is said, which makes it a responder to everything.

    heard : subject, reply and payload of each message, in the server's order.
    """

    server: NatsServer
    overhears: bool = False
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)

    def __enter__(self) -> "PlantedReplica":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._announced: asyncio.Queue[RunAnnouncement] = asyncio.Queue()
        self._client = self._done(self._connected())
        return self

    def __exit__(self, *_: object) -> None:
        self._done(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def announced(self) -> RunAnnouncement:
        """The next announcement, waited for."""
        return self._done(self._announced.get())

    def asked(self, address: str) -> tuple[ComputeShardRequest, str]:
        """What a run gives, and where the answer goes; nowhere if it gives nothing."""
        message = self._done(self._client.request(address, b"", PATIENCE_SECONDS))
        return ComputeShardRequest.FromString(message.data), message.reply

    def until_gone(self, address: str) -> None:
        """Ask until the server knows nobody there, which is some time after a process has ended."""
        self._done(self._gone(address))

    async def _gone(self, address: str) -> None:
        while True:
            try:
                await self._client.request(address, b"", LOOK_SECONDS)
            except NoRespondersError:
                return
            except NatsTimeout:
                continue

    def announce(self, **told: Any) -> None:
        """Say that there is a run."""
        self.publish(RUNS, RunAnnouncement(**told).SerializeToString())

    def publish(self, subject: str, payload: bytes) -> None:
        """Say something."""
        self._done(self._said(subject, payload))

    async def _said(self, subject: str, payload: bytes) -> None:
        await self._client.publish(subject, payload)
        await self._client.flush()

    async def _connected(self) -> Client:
        client = await nats.connect(self.server.url)
        for subject in ("montecarlo.>", "_INBOX.>") if self.overhears else (RUNS,):
            await client.subscribe(subject, cb=self._hear)
        await client.flush()
        return client

    async def _hear(self, message: Msg) -> None:
        self.heard.append((message.subject, message.reply, message.data))
        if message.subject == RUNS:
            self._announced.put_nowait(RunAnnouncement.FromString(message.data))

    def _done(self, wanted: Coroutine[Any, Any, T]) -> T:
        waited = asyncio.run_coroutine_threadsafe(wanted, self._loop)
        return waited.result(PATIENCE_SECONDS)
