"""The ledger's store keeps what was committed, whoever crashes."""

from decimal import Decimal

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.fate import CrashPlan, When
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import World
from stratvector.trading.ledger import LedgerEntry
from stratvector.trading.orders import Decision


def entry(close_time: int, portfolio: str = "main") -> LedgerEntry:
    decision = Decision(portfolio, close_time, 1.0, 0.0, 1.0, False, False, (), (), (), ())
    one = Decimal(1)
    return LedgerEntry(
        portfolio, close_time, (), decision, (), (), {}, one, one, (), run="replay.1"
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_each_close_is_committed_once_through_a_crash(when: When) -> None:
    store = MemoryLedgerStore()
    began_at: list[int | None] = []

    async def commits(ports: Ports) -> None:
        began_at.append(await store.last_close("replay.1", "main"))
        for close_time in range((began_at[-1] or 0) + 1, 5):
            await store.commit(entry(close_time))

    world = World(plans=[CrashPlan("ledger", "store commit", 3, when)])
    world.add("ledger", lambda ports: Tasks([commits(ports)]))
    world.run(until=["ledger"])
    assert list(store.entries) == [1, 2, 3, 4]
    assert began_at == [None, 2 if when == "before" else 3]


def test_a_close_that_is_committed_again_changes_nothing() -> None:
    store = MemoryLedgerStore()
    first = entry(1)

    async def commits(ports: Ports) -> None:
        await store.commit(first)
        await store.commit(entry(1))

    world = World()
    world.add("ledger", lambda ports: Tasks([commits(ports)]))
    world.run(until=["ledger"])
    assert store.entries[1] is first


def test_a_store_keeps_one_portfolio() -> None:
    store = MemoryLedgerStore()

    async def commits(ports: Ports) -> None:
        await store.commit(entry(1))
        assert await store.last_close("replay.1", "other") is None
        with pytest.raises(ValueError, match=r"this store keeps main in replay\.1, not other"):
            await store.commit(entry(1, "other"))

    world = World()
    world.add("ledger", lambda ports: Tasks([commits(ports)]))
    world.run(until=["ledger"])
