"""Scripts: one coroutine that plays every part, on a world of its own."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.fate import Plan
from stratvector.runtime.simulation.world import World

Script = Callable[[Ports], Coroutine[Any, Any, None]]
Play = Callable[..., World]


@pytest.fixture
def play() -> Play:
    def run(script: Script, plans: Sequence[Plan] = ()) -> World:
        world = World(plans=plans)
        world.add("script", lambda ports: Tasks([script(ports)]))
        world.run(until=["script"])
        return world

    return run
