"""What only the simulated bus can show: its virtual time and its faults. The rest of its
semantics is in test_bus_conformance.py.
"""

from collections.abc import Callable

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Message, Ports, Published, Stored, WrongRevision
from stratvector.runtime.simulation.fate import CrashPlan, Fate, FaultPlan
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World

SUBJECT = "orders.main.paper"
OTHER = "orders.other.paper"
Play = Callable[..., World]


def message(id: str, subject: str = SUBJECT) -> Message:
    return Message(subject, id, b"", epoch=1)


def test_deduplication_ends_with_its_window(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        await ports.clock.sleep(120.0)
        assert await ports.bus.publish(message("a"), 1) == Published(2, duplicate=False)

    play(script)


def test_two_that_listen_hear_the_same(play: Play) -> None:
    async def script(ports: Ports) -> None:
        both = [await ports.bus.arrivals(SUBJECT) for _ in range(2)]
        await ports.bus.publish(message("a"), 0)
        await ports.bus.publish(message("b", OTHER), 0)
        await ports.bus.publish(message("c"), 1)
        for arrivals in both:
            heard = [await arrivals.next(1.0) for _ in range(3)]
            assert [one and one.message.id for one in heard] == ["a", "c", None]

    play(script)


def test_what_a_process_did_not_take_ends_with_it() -> None:
    world, heard = World(plans=[CrashPlan("reader", "sleep", 1, "after")]), list[Stored | None]()

    async def reader(ports: Ports) -> None:
        arrivals = await ports.bus.arrivals(SUBJECT)
        await ports.clock.sleep(5.0)
        heard.append(await arrivals.next(0.5))

    async def writer(ports: Ports) -> None:
        await ports.clock.sleep(1.0)
        await ports.bus.publish(message("a"), 0)

    world.add("reader", lambda ports: Tasks([reader(ports)]))
    world.add("writer", lambda ports: Tasks([writer(ports)]))
    world.run(until=["reader"])
    assert heard == [None]


def test_arrivals_are_lost_delayed_and_repeated_but_stay_in_order() -> None:
    world, heard = World(seed=3, faults=Faults(0.5, arrival_lost=0.3, arrival_twice=0.3)), []

    async def script(ports: Ports) -> None:
        arrivals = await ports.bus.arrivals(SUBJECT)
        for sequence in range(60):
            await ports.bus.publish(message(f"{sequence}"), sequence)
        while (stored := await arrivals.next(5.0)) is not None:
            heard.append(stored.sequence)

    world.add("script", lambda ports: Tasks([script(ports)]))
    world.run(until=["script"])
    assert heard == sorted(heard)
    assert 30 < len(set(heard)) < 55
    assert len(heard) > len(set(heard))


def test_a_swap_whose_answer_got_lost_is_refused_but_done(play: Play) -> None:
    async def script(ports: Ports) -> None:
        with pytest.raises(WrongRevision):
            await ports.key_value.put("k", b"1", 0)
        assert await ports.key_value.get("k") is not None

    play(script, [FaultPlan("script", "kv put", 1, Fate(loss="answer"))])
