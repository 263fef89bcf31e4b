"""States that are kept, and one that is too large."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog.testing

from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.world import World
from stratvector.runtime.snapshots import BYTES_MAX, Snapshots
from stratvector.trading.portfolio import Portfolio
from tests.sessions.generated_sessions import Shape, generated_session

Play = Callable[..., World]
PORTFOLIO: Portfolio = generated_session(3, Shape(closes=10)).portfolio


@dataclass(frozen=True)
class State:
    text: str


def snapshots_of(ports: Ports) -> Snapshots[State]:
    return Snapshots(ports, "drift", PORTFOLIO, State, "fold 1", "log 1")


def test_a_state_that_is_too_large_is_told_once_and_the_one_before_stays(play: Play) -> None:
    loaded = list[State | None]()

    async def script(ports: Ports) -> None:
        snapshots = snapshots_of(ports)
        assert await snapshots.keep(State("small"))
        # Digits of chance, so that they can't be compressed below the limit.
        large = State(random.Random(1).randbytes(BYTES_MAX + 100_000).hex())
        assert not await snapshots.keep(large)
        assert not await snapshots.keep(large)
        loaded.append(await snapshots_of(ports).load())

    with structlog.testing.capture_logs() as lines:
        play(script)
    assert loaded == [State("small")]
    (told,) = [line for line in lines if line["event"].startswith("not kept")]
    assert told["snapshot"] == f"drift.{PORTFOLIO.run}.{PORTFOLIO.name}"
    assert told["size_bytes"] > told["size_bytes_max"]
