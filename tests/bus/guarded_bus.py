"""A real server with accounts, a client per user, and a look at everything that it keeps."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NoAnswer

from stratvector.runtime.free_ports import free_port
from stratvector.runtime.jetstream.accounts import ON_FLOW, PROVISIONER, USERS
from stratvector.runtime.jetstream.connection import connect
from stratvector.runtime.jetstream.keys import KeyFolder
from stratvector.runtime.jetstream.provisioner import provision
from stratvector.runtime.jetstream.server import NatsServer
from stratvector.runtime.jetstream.server_config import ServerSettings
from stratvector.trading.flow import FLOW, SERVICES
from stratvector.trading.portfolio import Portfolio
from tests.bus.lanes import lanes

ANSWER_SECONDS = 10.0
SETTLE_SECONDS = 0.05
POLL_SECONDS = 0.005
Accounts = Callable[[Mapping[str, str]], str]
State = dict[tuple[str, str], Any]


class GuardedBus:
    """What a test asks. clients : one connection per user."""

    def __init__(self, portfolio: Portfolio, clients: Mapping[str, Client]) -> None:
        self.portfolio = portfolio
        self.clients = clients

    async def attempt(
        self,
        user: str,
        subject: str,
        payload: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> str:
        """Ask as a user. "yes", or what the server answers instead."""
        client = self.clients[user]
        before = client.last_error
        asking = asyncio.ensure_future(
            client.request(subject, payload, ANSWER_SECONDS, headers=headers)
        )
        while not asking.done():
            if client.last_error is not before:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                return "permissions violation"
            await asyncio.wait({asking}, timeout=POLL_SECONDS)
        try:
            answer = await asking
        except NoRespondersError:
            return "no responders"
        except NoAnswer:
            return "no answer"
        status = (answer.headers or {}).get("Status")
        if status is not None:
            return f"status {status}"
        return _error_in(answer.data) or "yes"

    async def state(self) -> State:
        """Everything that the server keeps, as its owner sees it."""
        found: State = {}
        for stream in (await self._ask("STREAM.NAMES"))["streams"] or ():
            info = await self._ask(f"STREAM.INFO.{stream}", {"subjects_filter": ">"})
            kept = info["state"]
            found["settings", stream] = info["config"]
            if not stream.startswith("KV_"):
                found["oldest", stream] = (kept["first_seq"], kept.get("num_deleted", 0))
            for subject, count in kept.get("subjects", {}).items():
                found["messages", subject] = count
                if stream.startswith("KV_"):
                    found["messages", subject] = await self._newest(stream, subject)
            for consumer in (await self._ask(f"CONSUMER.LIST.{stream}"))["consumers"]:
                place = f"{stream}.{consumer['name']}"
                found["settings", place] = consumer["config"]
                found["place", place] = (consumer["delivered"], consumer["ack_floor"])
        return found

    async def settled(self) -> State:
        """The state when nothing is under way any more."""
        for client in self.clients.values():
            await client.flush()
        after = await self.state()
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            before, after = after, await self.state()
            if before == after:
                return after

    async def _ask(self, call: str, request: object = None) -> dict[str, Any]:
        payload = b"" if request is None else json.dumps(request).encode()
        answer = await self.clients[PROVISIONER].request(f"$JS.API.{call}", payload, ANSWER_SECONDS)
        return dict(json.loads(answer.data))

    async def _newest(self, stream: str, subject: str) -> int:
        found = await self._ask(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
        return int(found["message"]["seq"])


@asynccontextmanager
async def guarded_bus(
    folder: Path, portfolio: Portfolio, accounts: Accounts
) -> AsyncIterator[GuardedBus]:
    """A server with those accounts and some messages in every lane and every key."""
    keys = KeyFolder(folder / "keys")
    text = accounts({user: keys.ensure(user) for user in USERS})
    settings = ServerSettings(folder / "store", free_port())
    server = NatsServer(settings, folder, folder / "nats.log", accounts=text)
    server.start()
    clients: dict[str, Client] = {}
    try:
        for user in USERS:
            clients[user] = await connect(server.url, keys.seed_file(user), user, 10.0)
        await provision(clients[PROVISIONER])
        await _fill(clients[PROVISIONER], portfolio)
        yield GuardedBus(portfolio, clients)
    finally:
        for client in clients.values():
            await client.close()
        server.kill()


async def _fill(provisioner: Client, portfolio: Portfolio) -> None:
    """Something everywhere that an attack could remove, deliver or overwrite."""
    for one in FLOW:
        for lane in lanes(one, portfolio):
            for payload in (b"content", b'{"seq":1}', b""):
                await provisioner.request(lane, payload, ANSWER_SECONDS)
            await provisioner.request(f"$KV.owners.owner.{lane}", b"one 1", ANSWER_SECONDS)
    wish = f"$KV.documents.{portfolio.run}.{portfolio.name}"
    await provisioner.request(wish, b"wanted", ANSWER_SECONDS)
    for service in ON_FLOW:
        await provisioner.request(f"$KV.quarantine.{service}.BARS.7", b"why", ANSWER_SECONDS)
    for service in SERVICES:
        member = f"$KV.members.{service}.{service}-host-7-0a"
        await provisioner.request(member, b"here", ANSWER_SECONDS)


def _error_in(answer: bytes) -> str:
    try:
        told = json.loads(answer)
    except ValueError:
        return ""
    error = told.get("error") if isinstance(told, dict) else None
    return f"error {error.get('code')} {error.get('description')}" if error else ""
