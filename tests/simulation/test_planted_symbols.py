"""Rules of added symbols broken one by one: each is caught."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.runtime.bars_reader import UniverseReader
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.market_data.universe_watch import UniverseWatch
from stratvector.trading.carried import CarriedModel
from stratvector.trading.live_model import LiveModel
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import with_model
from tests.sessions.generated_sessions import DriftStrategy, generated_session
from tests.sessions.simulated_flow import breaches_in_the_log
from tests.sessions.symbol_flow import NEW, SHAPE, applied, parity_of, traded, wider


def test_a_reader_that_stays_on_the_old_lane_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    session, real = generated_session(3, SHAPE), UniverseReader.__init__

    def stay(self, ports, portfolio, universe, *rest, **named):  # type: ignore[no-untyped-def]
        real(self, ports, portfolio, replace(universe, version=1), *rest, **named)

    monkeypatch.setattr(UniverseReader, "__init__", stay)
    _caught(session, "a reader that stays on the old lane", say)


def test_a_model_that_keeps_its_memory_over_other_symbols_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """The state of the first symbols of the list before, for the first ones of the new list."""
    session = generated_session(3, SHAPE)
    slow = ModelAllocation("slow", traded(session), 0.3)
    session = with_model(session, slow, DriftStrategy(1, 0.002), 1)

    from stratvector.services.strategy import model_lane

    class Keeping(LiveModel):
        def hold(self, carried: CarriedModel) -> None:
            super().hold(carried)
            state = carried.state[: self._state.size]
            self._state[: len(state)] = state

    monkeypatch.setattr(model_lane, "LiveModel", Keeping)
    _caught(session, "a model that keeps its memory over other symbols", say)


def test_a_lane_that_begins_with_its_chapter_and_no_warm_up_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    from stratvector.services.market_data import replay

    session, real = generated_session(3, SHAPE), replay.ReplayLane._begin

    def begin(self, standing):  # type: ignore[no-untyped-def]
        published = real(self, standing)
        carried = None if standing is None else standing.carried
        return published if carried is None else max(published, carried.close_time)

    monkeypatch.setattr(replay.ReplayLane, "_begin", begin)
    found = parity_of(applied(session, [wider(session)]))
    say(f"planted: a new lane without a warm-up, caught: {found.first}")
    assert found.first is not None
    assert found.first.what in ("closes", "hash")


def test_bars_of_a_proposal_that_never_opened_are_not_published(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """The planted bug: the lane begins when it is proposed; another proposal has other symbols."""
    session = generated_session(3, SHAPE)
    real = UniverseWatch._prepare
    tried = list[str]()

    async def prepare(self, proposed):  # type: ignore[no-untyped-def]
        tried.append(proposed.id)
        if len(set(tried)) > 1:
            await real(self, proposed)
            return
        await self._take_up(proposed)
        await self._confirmations.say(proposed.id, "no such bars")

    monkeypatch.setattr(UniverseWatch, "_prepare", prepare)
    later = [wider(session, "ONE"), wider(session, "TWO")]
    try:
        broken = breaches_in_the_log(applied(session, later, 0.6))
    except SimulationError as error:
        broken = [str(error).splitlines()[0]]
    say(f"planted: bars published before the opening, caught: {broken[0] if broken else None}")
    assert broken


def _caught(session: Session, what: str, say: Callable[[str], None]) -> None:
    try:
        broken = breaches_in_the_log(applied(session, [wider(session, NEW, 0)]))
    except SimulationError as error:
        broken = [str(error).splitlines()[0]]
    say(f"planted: {what}, caught: {broken[0] if broken else None}")
    assert broken
