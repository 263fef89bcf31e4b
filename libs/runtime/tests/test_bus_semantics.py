"""What only the simulated bus can show: its virtual time and its faults. The rest of its
semantics is in test_bus_conformance.py.
"""

from collections.abc import Callable

import pytest

from stratvector.runtime.ports import Message, Ports, Published, WrongRevision
from stratvector.runtime.simulation.fate import Fate, FaultPlan
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


def test_a_delivery_is_repeated_until_it_is_acknowledged(play: Play) -> None:
    async def script(ports: Ports) -> None:
        for sequence, id in enumerate("ab"):
            await ports.bus.publish(message(id), sequence)
        consumer = ports.bus.consumer("execution", SUBJECT)
        assert (await consumer.next(1.0)).message.id == "a"  # type: ignore[union-attr]
        assert await consumer.next(29.0) is None
        assert (await consumer.next(2.0)).message.id == "a"  # type: ignore[union-attr]
        await consumer.ack(1)
        assert (await consumer.next(0.0)).message.id == "b"  # type: ignore[union-attr]

    play(script)


def test_a_durable_serves_one_of_two_that_wait_and_then_the_other(play: Play) -> None:
    async def script(ports: Ports) -> None:
        consumer = ports.bus.consumer("execution", SUBJECT)
        assert await consumer.next(1.0) is None
        await ports.bus.publish(message("a"), 0)
        assert await consumer.next(1.0) is not None
        assert await ports.bus.consumer("execution", SUBJECT).next(1.0) is None

    play(script)


def test_a_durable_reads_one_subject(play: Play) -> None:
    async def script(ports: Ports) -> None:
        ports.bus.consumer("execution", SUBJECT)
        with pytest.raises(ValueError, match="execution"):
            ports.bus.consumer("execution", OTHER)

    play(script)


def test_a_swap_whose_answer_got_lost_is_refused_but_done(play: Play) -> None:
    async def script(ports: Ports) -> None:
        with pytest.raises(WrongRevision):
            await ports.key_value.put("k", b"1", 0)
        assert await ports.key_value.get("k") is not None

    play(script, [FaultPlan("script", "kv put", 1, Fate(loss="answer"))])
