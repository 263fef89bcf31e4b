"""A paper run whose execution, risk and strategy are replaced, one after the other and under flow,
by processes of another version: the same code with one more comment in the engine.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stratvector.cli.paper_wish import paper_wish
from stratvector.config import read_configuration
from stratvector.runtime.documents import Wish
from stratvector.trading.engine.compiling import engine_hash
from stratvector.trading.flow import COMPUTING
from stratvector.trading.logged import SessionLog
from stratvector.trading.parity import check
from tests.exchange.prices import NANOSECONDS_PER_SECOND
from tests.processes.another_version import another_version
from tests.processes.house import House
from tests.sessions.paper_flow import configure, exchange

ORIGIN = 1_699_156_800 * NANOSECONDS_PER_SECOND
RATE = 30.0  # a minute's close every two seconds
LEASE_SECONDS = 3.0
PATIENCE_SECONDS = 240.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        made = House(tmp_path)
        made.start(stack, LEASE_SECONDS, signals_deadline_seconds=PATIENCE_SECONDS)
        yield made


@pytest.mark.long
def test_each_service_is_replaced_under_flow_and_each_chapter_is_equal(
    house: House, tmp_path: Path, say: Callable[[str], None]
) -> None:
    version = another_version(tmp_path / "another")
    with exchange() as venue, ExitStack() as stack:
        at = time.time_ns() // NANOSECONDS_PER_SECOND * NANOSECONDS_PER_SECOND
        config = configure(tmp_path / "config", venue.urls(), ORIGIN, at, RATE)
        venue.live(ORIGIN + round((time.time_ns() - at) * RATE), RATE)
        wish = asyncio.run(paper_wish(read_configuration(config), "paper.1", None, 10.0))
        asyncio.run(house.want(wish))
        until_more(house, wish, 3)
        for service in ("execution", "risk", "strategy"):
            replace(house, stack, service, version)
            log = until_more(house, wish, 3)
        session, log = house.log(wish.session())
        history = house.command("portfolios", "history", wish.key)
    engines = [session.chapter.engine_hash, *(one.noun.engine_hash for one in log.chapters)]
    assert len(engines) == 2
    assert engines[0] == engine_hash() != engines[1]
    assert f"engine {engines[0]} → {engines[1]}" in history
    parity = check(log, session, session.whole(log), chapter=session.chapter)
    assert parity.is_equal, parity.first
    assert all(closes and not differences for closes, differences in parity.by_chapter)
    # Execution was first, so some of what the old engine decided was matched by the new one.
    assert {(one.chapter, one.noun) for one in log.other_engines} >= {(1, "fills")}
    assert parity.orders
    closes = [closes for closes, _ in parity.by_chapter]
    say(f"paper run over two engines: {closes} closes, {parity.orders} orders, parity equal")


def replace(house: House, stack: ExitStack, service: str, version: dict[str, str]) -> None:
    """The new process stands by, then the old one is asked to stop."""
    assert service in COMPUTING
    told = {"signals_deadline_seconds": PATIENCE_SECONDS} if service == "risk" else {}
    new = house.process(service, f"{service}-new", version, **told)
    stack.enter_context(new)
    new.until_state("standby")
    assert house.services[service].stop() == 0
    house.services[service] = new


def until_more(house: House, wish: Wish, closes: int) -> SessionLog:
    """Wait until so many more are complete."""
    deadline, before = time.monotonic() + PATIENCE_SECONDS, -1
    while True:
        try:
            _, log = house.log(wish.session())
        except AssertionError:
            log = None  # it has not begun
        if log is not None:
            before = len(log.closes) if before < 0 else before
            if len(log.closes) >= before + closes:
                return log
        assert time.monotonic() < deadline, house.services["risk"].out.read_text()[-3000:]
        time.sleep(0.5)
