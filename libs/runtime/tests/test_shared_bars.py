"""Two portfolios that would read one lane of bars and mean others by it: the second is refused."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from stratvector.runtime.applying import apply
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.documents import Documents, Wish, wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.world import World
from tests.sessions.begun import begin
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.side_by_side import named

SHAPE = Shape(1, 2, 1, closes=6)
FIRST = named(generated_session(1, SHAPE), "first", "replay.a")
ELSE = generated_session(2, SHAPE)  # a universe of the same name, other bars
Script = Callable[[Ports, Documents], Coroutine[Any, Any, None]]


def play(script: Script) -> None:
    world = World(3)

    async def run(ports: Ports) -> None:
        await script(ports, Documents(ports.key_value))

    world.add("script", lambda ports: Tasks([run(ports)]))
    world.run(until=["script"])


def wish(run: str, portfolio: str = "second") -> Wish:
    return wish_of(named(ELSE, portfolio, run), "ada", 7)


@pytest.mark.parametrize("has_begun", [False, True])
def test_the_second_is_refused_and_nothing_is_wanted_of_it(has_begun: bool) -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        await apply(ports.bus, documents, wish_of(FIRST, "ada", 7))
        if has_begun:
            await begin(ports.bus, FIRST)
        with pytest.raises(OtherChapter, match=r"universe .* other bars than replay\.a\.first"):
            await apply(ports.bus, documents, wish("replay.a"))
        assert [one.wish.portfolio for one in await documents.all()] == ["first"]

    play(script)


def test_the_same_bars_and_another_replay_are_applied() -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        await apply(ports.bus, documents, wish_of(FIRST, "ada", 7))
        same = named(FIRST, "same", "replay.a")
        await apply(ports.bus, documents, wish_of(same, "ada", 7))
        await apply(ports.bus, documents, wish("replay.b"))
        assert len(await documents.all()) == 3

    play(script)


def test_live_and_paper_portfolios_share_one_feed() -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        await apply(ports.bus, documents, wish_of(named(FIRST, "first", "live.1"), "ada", 7))
        with pytest.raises(OtherChapter, match=r"the one lane that it has in live\.1"):
            await apply(ports.bus, documents, wish("paper.1"))

    play(script)


def test_what_somebody_began_with_counts_and_not_what_he_wants_since() -> None:
    async def script(ports: Ports, documents: Documents) -> None:
        there = await apply(ports.bus, documents, wish_of(FIRST, "ada", 7))
        await begin(ports.bus, FIRST)
        others = wish("replay.a", "first")
        await documents.put(replace(there.wish, bars=others.bars), there.version)
        with pytest.raises(OtherChapter, match=r"other bars than replay\.a\.first began with"):
            await apply(ports.bus, documents, wish("replay.a"))

    play(script)
