"""The UTC of a run: the machine's, a mapped one, and in the simulated world each host's own."""

from collections.abc import Callable

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.run_clock import RunClock, TimeMap
from stratvector.runtime.simulation.clock import UTC_ORIGIN
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World

SECOND = 10**9


def test_a_run_without_a_map_lives_in_the_hosts_utc(play: Callable[..., World]) -> None:
    async def script(ports: Ports) -> None:
        clock = RunClock(ports.clock)
        assert clock.now() == UTC_ORIGIN
        await clock.sleep(5.0)
        assert clock.now() == UTC_ORIGIN + 5 * SECOND

    play(script)


def test_a_mapped_run_passes_its_seconds_at_its_rate(play: Callable[..., World]) -> None:
    times = TimeMap(origin=1_000 * SECOND, at=UTC_ORIGIN + 2 * SECOND, rate=60.0)

    async def script(ports: Ports) -> None:
        clock = RunClock(ports.clock, times)
        assert clock.now() == (1_000 - 120) * SECOND
        await clock.sleep(120.0)
        assert ports.clock.monotonic_seconds() == 2.0
        assert clock.now() == 1_000 * SECOND

    play(script)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="0 < rate <= 100000 must hold"):
        TimeMap(0, 0, rate)


def test_a_map_reads_back_what_it_wrote_and_refuses_what_it_did_not() -> None:
    times = TimeMap(5, 7, 2.5)
    assert TimeMap.from_document(times.document()) == times
    with pytest.raises(ValueError, match="must be whole nanoseconds"):
        TimeMap.from_document({"origin": "5", "at": 7, "rate": 2.5})


def test_each_host_of_a_stormy_world_has_a_utc_of_its_own_within_the_bound() -> None:
    world, skews = World(3, Faults.stormy(), skew_seconds_max=2.0), list[float]()

    async def note(ports: Ports) -> None:
        skews.append((ports.clock.utc_now() - UTC_ORIGIN) / SECOND - world.now)

    for number in range(6):
        world.add(f"host {number}", lambda ports: Tasks([note(ports)]))
    world.run(until=[f"host {number}" for number in range(6)])
    assert len({round(skew, 6) for skew in skews}) == len(skews)
    assert all(-2.0 <= skew <= 2.0 for skew in skews)
    assert max(skews) - min(skews) > 0.5
