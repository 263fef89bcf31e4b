"""A world is fair, deterministic, and says what is wrong."""

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import LostOwnership, Message, Ports
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import ProcessFailed, Stalled, World

SUBJECT = "bars.crypto.4H"


def message(id: str) -> Message:
    return Message(SUBJECT, id, b"", epoch=1)


def test_without_faults_nothing_takes_time_and_everybody_gets_a_turn() -> None:
    turns: list[str] = []

    async def work(ports: Ports, name: str) -> None:
        for _ in range(3):
            turns.append(name)
            await ports.bus.last(SUBJECT)
        assert ports.clock.monotonic_seconds() == 0.0

    world = World()
    world.add("a", lambda ports: Tasks([work(ports, "a")]))
    world.add("b", lambda ports: Tasks([work(ports, "b")]))
    world.run(until=["a", "b"])
    assert turns == ["a", "b"] * 3
    assert world.effects == {("a", "bus last"): 3, ("b", "bus last"): 3}


def test_time_passes_when_everybody_waits_for_it() -> None:
    woken: list[float] = []

    async def work(ports: Ports, seconds: float) -> None:
        await ports.clock.sleep(seconds)
        woken.append(ports.clock.monotonic_seconds())

    world = World()
    world.add("all", lambda ports: Tasks([work(ports, seconds) for seconds in (5.0, 1.0, 3.0)]))
    world.run(until=["all"])
    assert woken == [1.0, 3.0, 5.0]
    assert world.now == 5.0


def test_keepers_end_with_the_main_tasks() -> None:
    def service(ports: Ports) -> Tasks:
        lane = Lane(ports, SUBJECT)
        return Tasks([lane.acquire()], [lane])

    world = World()
    world.add("one", service)
    world.run(until=["one"])
    assert world.now == 0.0


def test_an_error_of_a_process_ends_the_run_with_its_name() -> None:
    async def broken(ports: Ports) -> None:
        await ports.clock.sleep(1.0)
        raise KeyError("bars")

    world = World()
    world.add("risk", lambda ports: Tasks([broken(ports)]))
    with pytest.raises(ProcessFailed, match="risk-1: KeyError") as failed:
        world.run(until=["risk"])
    assert isinstance(failed.value.error, KeyError)


def test_a_standstill_says_what_every_process_waits_for() -> None:
    async def waits(ports: Ports) -> None:
        arrivals = await ports.bus.arrivals(SUBJECT)
        while await arrivals.next(5.0) is None:
            continue

    world = World(horizon_seconds=60.0)
    world.add("risk", lambda ports: Tasks([waits(ports)]))
    with pytest.raises(Stalled, match="risk-1 waits for next bars"):
        world.run(until=["risk"])


def test_a_loop_that_stores_nothing_is_a_standstill() -> None:
    async def spins(ports: Ports) -> None:
        while True:
            await ports.bus.last(SUBJECT)

    world = World(effects_max=1_000)
    world.add("risk", lambda ports: Tasks([spins(ports)]))
    with pytest.raises(Stalled, match="no progress in 1,000 effects"):
        world.run(until=["risk"])


def test_a_service_that_was_never_added_is_a_standstill() -> None:
    with pytest.raises(Stalled, match="nothing is left to happen"):
        World().run(until=["risk"])


def test_a_process_that_lost_its_lane_starts_anew_under_another_name() -> None:
    instances: list[str] = []

    async def loses_twice(ports: Ports) -> None:
        instances.append(ports.instance)
        await ports.clock.sleep(1.0)
        if len(instances) < 3:
            raise LostOwnership("the lane")

    world = World()
    world.add("risk", lambda ports: Tasks([loses_twice(ports)]))
    world.run(until=["risk"])
    assert instances == ["risk-1", "risk-2", "risk-3"]
    assert world.losses == {"risk": 2}


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_crash_comes_before_or_after_the_effect(when: str, stored: int) -> None:
    counts: list[int] = []

    async def work(ports: Ports) -> None:
        counts.append(len(await ports.bus.read(SUBJECT, 0)))
        if len(counts) == 1:
            await ports.bus.publish(message("a"), 0)
            raise AssertionError("the crash came too late")

    world = World(plans=[CrashPlan("risk", "publish BARS", 1, when)])  # type: ignore[arg-type]
    world.add("risk", lambda ports: Tasks([work(ports)]))
    world.run(until=["risk"])
    assert counts == [0, stored]
    assert world.crashes == {("risk", "publish BARS", when): 1}


def test_a_request_outlives_its_process() -> None:
    """It left before the crash and lands after the restart."""
    counts: list[int] = []

    async def publishes(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)

    async def works(ports: Ports) -> None:
        counts.append(len(await ports.bus.read(SUBJECT, 0)))
        await ports.clock.sleep(10.0)
        counts.append(len(await ports.bus.read(SUBJECT, 0)))

    def service(ports: Ports) -> Tasks:
        work = [works(ports)]
        return Tasks([*work, publishes(ports)] if ports.instance == "risk-1" else work)

    slow = FaultPlan("risk", "publish BARS", 1, Fate(out_seconds=1.0))
    world = World(plans=[slow, CrashPlan("risk", "sleep", 1)])
    world.add("risk", service)
    world.run(until=["risk"])
    assert counts == [0, 0, 1]


def test_a_paused_process_runs_nothing_until_it_is_continued() -> None:
    times: list[float] = []

    async def ticks(ports: Ports) -> None:
        for _ in range(3):
            await ports.clock.sleep(1.0)
            times.append(ports.clock.monotonic_seconds())

    async def reads(ports: Ports) -> None:
        await ports.clock.sleep(1.5)
        await ports.bus.last(SUBJECT)

    pause = FaultPlan("risk", "bus last", 1, Fate(pause_seconds=10.0, pause="after"))
    world = World(plans=[pause])
    world.add("risk", lambda ports: Tasks([ticks(ports), reads(ports)]))
    world.run(until=["risk"])
    first = times[0]
    assert [time - first for time in times] == pytest.approx([0.0, 10.5, 11.5])


def test_no_two_instances_share_a_clock_in_a_storm() -> None:
    readings: list[float] = []

    async def reads(ports: Ports) -> None:
        readings.append(ports.clock.monotonic_seconds())

    world = World(seed=1, faults=Faults.stormy())
    world.add("risk", lambda ports: Tasks([reads(ports)]), instances=2)
    world.add("other", lambda ports: Tasks([reads(ports)]), start_seconds=1.0)
    world.run(until=["risk", "other"])
    assert len({round(reading) for reading in readings}) == 3
