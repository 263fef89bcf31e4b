"""Portfolios and runs of one platform never meet: each is equal to its backtest to the bit."""

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.logged_session import LoggedSession
from stratvector.runtime.ports import Bus, Ports
from stratvector.runtime.session_document import BadSession
from stratvector.runtime.session_in_log import read_logged_session
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World
from stratvector.trading.logged import SessionLog
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.side_by_side import named, run_side_by_side
from tests.sessions.simulated_flow import breaches_of

SHAPE = Shape(2, 2, 3, closes=40)
MAIN, OTHER = generated_session(3, SHAPE), generated_session(8, SHAPE)
SESSIONS = (
    named(MAIN, "main", "replay.a"),
    named(MAIN, "main", "replay.b"),
    named(OTHER, "other", "replay.c"),
)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_two_portfolios_and_two_replays_of_one_at_once_are_each_equal_to_the_backtest(
    seed: int | None,
) -> None:
    faults, instances = (None, 1) if seed is None else (Faults.stormy(), 2)
    flows = run_side_by_side(SESSIONS, seed or 0, faults, instances)
    assert [breaches_of(flow) for flow in flows] == [[], [], []]
    orders = [{o.order_id for d in flow.decisions for o in d.orders} for flow in flows]
    assert all(orders)
    assert len(set.union(*orders)) == sum(map(len, orders))  # no id comes twice
    first, second, _ = flows
    assert [e.equity for e in first.entries] == [e.equity for e in second.entries]
    assert [{e.run for e in flow.entries} for flow in flows] == [
        {"replay.a"},
        {"replay.b"},
        {"replay.c"},
    ]


def read_from(bus: Bus, *asked: str) -> tuple[LoggedSession, SessionLog] | str:
    """What a reader in a calm world of its own finds, or why it finds nothing."""
    found: list[tuple[LoggedSession, SessionLog] | str] = []

    async def read(ports: Ports) -> None:
        try:
            answer = await read_logged_session(bus, *asked)
            assert answer is not None
            found.append(answer)
        except BadSession as error:
            found.append(str(error))

    world = World()
    world.add("reader", lambda ports: Tasks([read(ports)]))
    world.run(until=["reader"])
    return found[0]


def test_a_log_with_several_sessions_is_read_by_portfolio_and_run() -> None:
    bus = run_side_by_side(SESSIONS)[0].world.bus
    for asked, run in ((("main", "replay.b"), "replay.b"), (("other",), "replay.c")):
        found = read_from(bus, *asked)
        assert not isinstance(found, str)
        session, log = found
        assert (session.portfolio.name, session.portfolio.run) == (asked[0], run)
        assert log.is_complete
    there = "main in replay.a, main in replay.b, other in replay.c"
    many = f"the log has more than one portfolio, name one and its run: {there}"
    assert read_from(bus) == many
    assert read_from(bus, "main") == many
    unknown = f"the log has no portfolio 'main' in replay.c; there is {there}"
    assert read_from(bus, "main", "replay.c") == unknown
