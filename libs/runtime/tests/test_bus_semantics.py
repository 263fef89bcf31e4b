"""The simulated bus refuses, de-duplicates and delivers as JetStream was measured to."""

from collections.abc import Callable

import pytest

from stratvector.runtime.ports import Message, Ports, Published, WrongRevision, WrongSequence
from stratvector.runtime.simulation.fate import Fate, FaultPlan
from stratvector.runtime.simulation.world import World

SUBJECT = "orders.main.paper"
OTHER = "orders.other.paper"
Play = Callable[..., World]


def message(id: str, subject: str = SUBJECT) -> Message:
    return Message(subject, id, b"", epoch=1)


def test_a_stale_expected_sequence_is_refused_before_deduplication(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        with pytest.raises(WrongSequence) as refused:
            await ports.bus.publish(message("a"), 0)
        assert (refused.value.expected, refused.value.actual) == (0, 1)

    play(script)


def test_an_id_is_deduplicated_over_the_whole_stream(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        assert await ports.bus.publish(message("a", OTHER), 0) == Published(1, duplicate=True)
        assert await ports.bus.last(OTHER) is None

    play(script)


def test_deduplication_ends_with_its_window(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        await ports.clock.sleep(120.0)
        assert await ports.bus.publish(message("a"), 1) == Published(2, duplicate=False)

    play(script)


def test_sequences_count_per_stream_and_expectations_per_subject(play: Play) -> None:
    async def script(ports: Ports) -> None:
        await ports.bus.publish(message("a"), 0)
        await ports.bus.publish(message("b", OTHER), 0)
        assert await ports.bus.publish(message("c"), 1) == Published(3, duplicate=False)
        assert [(s.sequence, s.previous) for s in await ports.bus.read(SUBJECT, 0)] == [
            (1, 0),
            (3, 1),
        ]
        assert [s.sequence for s in await ports.bus.read(SUBJECT, 1)] == [3]

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


def test_a_swap_needs_the_current_revision(play: Play) -> None:
    async def script(ports: Ports) -> None:
        first = await ports.key_value.put("k", b"1", 0)
        second = await ports.key_value.put("k", b"2", first)
        with pytest.raises(WrongRevision):
            await ports.key_value.put("k", b"3", first)
        entry = await ports.key_value.get("k")
        assert entry is not None
        assert (entry.value, entry.revision) == (b"2", second)
        assert await ports.key_value.get("absent") is None

    play(script)


def test_a_swap_whose_answer_got_lost_is_refused_but_done(play: Play) -> None:
    async def script(ports: Ports) -> None:
        with pytest.raises(WrongRevision):
            await ports.key_value.put("k", b"1", 0)
        assert await ports.key_value.get("k") is not None

    play(script, [FaultPlan("script", "kv put", 1, Fate(loss="answer"))])
