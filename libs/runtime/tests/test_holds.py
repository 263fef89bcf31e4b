"""A lane whose portfolio is held is taken by nobody; what can't be read holds."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import structlog.testing

from stratvector.runtime.holds import EVERYTHING, HeldLane, Hold, Holds, UnreadableHold
from stratvector.runtime.lane import Lane
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.key_value import SimulatedKeyValue
from stratvector.runtime.simulation.world import World
from stratvector.trading.lanes import fills_lane
from stratvector.trading.portfolio import Portfolio
from tests.sessions.generated_sessions import Shape, generated_session

Play = Callable[..., World]
PORTFOLIO: Portfolio = generated_session(3, Shape(closes=10)).portfolio
KEY = f"{PORTFOLIO.run}.{PORTFOLIO.name}"
LANE = fills_lane(PORTFOLIO, PORTFOLIO.account_names[0])
MADE_AT = 1_767_582_000_123_456_789  # 2026-01-05 03:00:00.123… UTC
HELD = Hold(KEY, "digest", MADE_AT, MADE_AT + 1)


def holding(ports: Ports) -> tuple[Ports, Holds]:
    kept = SimulatedKeyValue()
    return replace(ports, holds=kept), Holds(kept)


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


def test_a_held_lane_is_taken_once_it_is_released_and_not_before(play: Play) -> None:
    told = list[tuple[float, str]]()

    async def script(ports: Ports) -> None:
        ports, holds = holding(ports)
        await holds.put(HELD)
        lane = Lane(ports, LANE)
        held, asked = HeldLane(ports, PORTFOLIO, lane, yes), list[str]()

        async def look(seconds: float) -> None:
            asked.append(lane.held_back)
            await ports.clock.sleep(seconds)
            if len(asked) == 40:
                assert await holds.release(KEY, "ann", 7) == HELD

        begun = ports.clock.monotonic_seconds()
        await lane.acquire(look, held.may_take)
        told.append((ports.clock.monotonic_seconds() - begun, asked[0]))
        assert len(asked) >= 40
        assert all(asked)
        assert (lane.epoch, lane.held_back) == (1, "")
        assert (await holds.all())[KEY] == replace(HELD, released_by="ann", released_at=7)
        assert await holds.release(KEY, "bob", 8) is None

    with structlog.testing.capture_logs() as lines:
        play(script)
    ((_, why),) = told
    assert why == (
        "held: restored from a backup of 2026-01-05T03:00:00Z; compare the broker's orders and "
        f"positions with the ledger, then `stratvector portfolios release {KEY}`"
    )
    assert [line["event"] for line in lines if line["event"] in ("held", "released")] == [
        "held",
        "released",
    ]


def test_an_unfinished_restore_holds_every_portfolio(play: Play) -> None:
    async def script(ports: Ports) -> None:
        ports, holds = holding(ports)
        await holds.put(replace(HELD, key=EVERYTHING))
        found = await holds.of(KEY)
        assert found is not None
        assert found.sentence().endswith("is not finished; run it again")
        assert not await HeldLane(ports, PORTFOLIO, Lane(ports, LANE), yes).may_take()
        await holds.release(EVERYTHING, "ann", 7)
        assert await holds.of(KEY) is None

    play(script)


def test_after_a_restore_what_the_backup_did_not_know_is_held_too_but_for_replays(
    play: Play,
) -> None:
    async def script(ports: Ports) -> None:
        _, holds = holding(ports)
        assert await holds.of("live.1.late") is None
        await holds.put(replace(HELD, key=EVERYTHING))
        await holds.release(EVERYTHING, "ann", 7)
        late = await holds.of("live.1.late")
        assert late is not None
        assert late.sentence().endswith("`stratvector portfolios release live.1.late`")
        assert await holds.of("replay.1.late") is None
        assert await holds.release("live.1.late", "ann", HELD.at + 9) == late
        assert await holds.of("live.1.late") is None
        assert await holds.released_at("live.1.late") == HELD.at + 9
        assert await holds.released_at("live.1.never") == 0

    play(script)


def test_without_a_hold_it_is_whoever_else_decides(play: Play) -> None:
    async def script(ports: Ports) -> None:
        held_ports, holds = holding(ports)
        await holds.put(replace(HELD, key="replay.1.another"))
        for those in (ports, held_ports):
            lane = Lane(those, LANE)
            assert await HeldLane(those, PORTFOLIO, lane, yes).may_take()
            assert not await HeldLane(those, PORTFOLIO, lane, no).may_take()
            assert lane.held_back == ""

    play(script)


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b"{}", json.dumps({"key": "other", "backup": "", "made_at": 1, "at": 1}).encode()],
)
def test_what_can_not_be_read_holds(play: Play, value: bytes) -> None:
    async def script(ports: Ports) -> None:
        ports, holds = holding(ports)
        assert ports.holds is not None
        await ports.holds.put(KEY, value, 0)
        with pytest.raises(UnreadableHold, match=f"the hold of {KEY} can't be read"):
            await holds.of(KEY)
        lane = Lane(ports, LANE)
        assert not await HeldLane(ports, PORTFOLIO, lane, yes).may_take()
        assert "can't be read" in lane.held_back

    play(script)


def test_a_hold_that_is_put_again_is_the_same(play: Play) -> None:
    async def script(ports: Ports) -> None:
        ports, holds = holding(ports)
        for _ in range(2):
            await holds.put(HELD)
        assert ports.holds is not None
        entry = await ports.holds.get(KEY)
        assert entry is not None
        assert entry.revision == 1

    play(script)
