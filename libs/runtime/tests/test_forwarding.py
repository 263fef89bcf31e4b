"""A question reaches the owner of its lane through any instance, once, or ends with a sentence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import grpc.aio

from stratvector.runtime.host import AnsweredFrom, Servicer
from stratvector.runtime.ports import Entry
from stratvector.runtime.process.forwarding import Owners, address_of
from stratvector.runtime.process.grpc_server import GrpcPort

HOST = "127.0.0.1"
LANE = "orders.live.1.main"
AWAY = grpc.StatusCode.UNAVAILABLE


class Leases:
    """A bucket with one lease."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.looks = 0

    async def get(self, key: str) -> Entry | None:
        assert key == f"owner.{LANE}"
        self.looks += 1
        return None if self.value is None else Entry(self.value, 1)

    async def all(self) -> Mapping[str, Entry]:
        return {} if self.value is None else {f"owner.{LANE}": Entry(self.value, 1)}

    async def put(self, key: str, value: bytes, revision: int) -> int:
        raise PermissionError(f"who forwards writes nothing, and no {key}")


@dataclass
class Instance:
    """One that says its name; current : whether it may. asked : how often it was."""

    name: str
    leases: Leases
    current: bool = False
    asked: int = 0

    def __post_init__(self) -> None:
        lane_of = lambda request: AnsweredFrom(LANE, self.current)  # noqa: E731
        servicer = Servicer("planted.Service", self._plant, lane_of)
        owners = Owners("planted", self.leases, lambda: self.address)
        self.port = GrpcPort(HOST, 0, [servicer], owners)

    @property
    def address(self) -> str:
        return address_of(HOST, self.port.port)

    async def ask(self, request: bytes = b"who", seconds: float = 5.0) -> str:
        async with grpc.aio.insecure_channel(self.address) as channel:
            call: Any = channel.unary_unary("/planted.Service/Ask")
            return bytes(await call(request, timeout=seconds)).decode()

    def own(self) -> None:
        self.current = True
        self.leases.value = f"{self.name} 7\n{self.address}".encode()

    def _plant(self, server: grpc.aio.Server) -> None:
        method: Any = grpc.unary_unary_rpc_method_handler(self._answer)
        handlers = {"Ask": method}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("planted.Service", handlers),)
        )

    async def _answer(self, request: bytes, context: Any) -> bytes:
        self.asked += 1
        if request == b"refuse":
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such thing")
        return self.name.encode()


Script = Callable[[Instance, Instance], Awaitable[None]]


def play(script: Script) -> None:
    async def run() -> None:
        leases = Leases()
        instances = [Instance(name, leases) for name in ("one", "two")]
        for one in instances:
            await one.port.start()
        await script(*instances)
        for one in instances:
            await one.port.stop(0.1)

    asyncio.run(run())


async def refusal_of(question: Awaitable[str]) -> tuple[grpc.StatusCode, str | None]:
    try:
        raise AssertionError(f"answered {await question}")
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details()


def test_the_owner_answers_through_any_instance_and_refuses_in_its_own_words() -> None:
    async def script(one: Instance, two: Instance) -> None:
        two.own()
        assert [await one.ask(), await two.ask()] == ["two", "two"]
        assert await refusal_of(one.ask(b"refuse")) == (
            grpc.StatusCode.NOT_FOUND,
            "there is no such thing",
        )
        assert (one.asked, two.asked) == (0, 3)

    play(script)


def test_a_question_waits_for_an_owner_that_comes_in_time() -> None:
    async def script(one: Instance, two: Instance) -> None:
        one.leases.value = b"- 6\ntwo"
        asking = asyncio.create_task(one.ask())
        while one.leases.looks < 3:
            await asyncio.sleep(0.01)
        two.own()
        assert await asking == "two"

    play(script)


def test_without_an_owner_a_question_ends_with_a_sentence_while_its_caller_waits() -> None:
    async def script(one: Instance, two: Instance) -> None:
        ask = partial(one.ask, seconds=1.0)
        sentence = f"nobody answers for {LANE} now; ask again"
        assert await refusal_of(ask()) == (AWAY, sentence)
        one.leases.value = f"gone 7\n{HOST}:1".encode()
        assert await refusal_of(ask()) == (AWAY, sentence)

    play(script)


def test_a_question_never_goes_round() -> None:
    """Two that each take the other one for the owner."""

    async def script(one: Instance, two: Instance) -> None:
        one.leases.value = f"two 7\n{two.address}".encode()
        code, _ = await refusal_of(one.ask(seconds=1.0))
        assert code is AWAY
        assert (one.asked, two.asked) == (0, 0)
        looks = one.leases.looks
        await asyncio.sleep(0.2)
        assert one.leases.looks == looks

    play(script)
