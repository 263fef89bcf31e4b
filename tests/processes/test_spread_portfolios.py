"""Eight portfolios: risk and execution go from one process to three and back while all trade."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from stratvector.trading.lanes import fills_lane, orders_lane
from tests.processes.house import House
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.side_by_side import named

PORTFOLIOS = 8
SHAPE = Shape(1, 2, 1, closes=2_000)  # what has ended does not move any more
SESSIONS = [
    named(generated_session(50 + n, SHAPE), "spread", f"replay.{n}") for n in range(PORTFOLIOS)
]
LANES = {
    "risk": [orders_lane(session.portfolio) for session in SESSIONS],
    "execution": [
        fills_lane(session.portfolio, session.portfolio.account_names[0]) for session in SESSIONS
    ],
}
CLOSES_PER_S = 8.0
LEASE_SECONDS = 3.0
PATIENCE_SECONDS = 600.0


@pytest.mark.long
def test_portfolios_are_shared_by_three_processes_of_risk_and_execution(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    with ExitStack() as stack:
        house = House(tmp_path)
        house.start(stack, LEASE_SECONDS, CLOSES_PER_S)
        for session in SESSIONS:
            house.apply(session)
        for session in SESSIONS:
            house.until_recording(session)
        others = [
            stack.enter_context(house.process(service, f"{service}-{number}"))
            for service in LANES
            for number in (2, 3)
        ]
        seen = [until_owned(house, service, [2, 3, 3]) for service in LANES]
        assert [process.stop() for process in others] == [0] * len(others)
        seen += [until_owned(house, service, [PORTFOLIOS]) for service in LANES]
        for session in SESSIONS:
            house.until_recorded(session, PATIENCE_SECONDS)
        for session in SESSIONS:
            equal, complete, orders = house.parity(session)
            assert (equal, complete) == (True, True)
            assert orders
    say(f"{PORTFOLIOS} portfolios, lanes of one to three processes and back: {'; '.join(seen)}")


def until_owned(house: House, service: str, counts: Sequence[int]) -> str:
    """Wait until the lanes of a service are spread like this, by whichever instances."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        owned = asyncio.run(house.owners(LANES[service]))
        if sorted(owned.values()) == list(counts) and "-" not in owned:
            return f"{service} {sorted(owned.values())}"
        assert time.monotonic() < deadline, f"the lanes of {service} are owned as {owned}"
        time.sleep(0.2)
