"""Rules of a model's new version broken one by one: each is caught."""

from collections.abc import Callable, Collection

import pytest

from stratvector.runtime.signals_reader import SignalsReader
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.strategy.roster import Roster
from stratvector.trading.carried import Carried
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import with_strategy
from tests.sessions.generated_sessions import generated_session
from tests.sessions.late_flow import CountingStrategy
from tests.sessions.simulated_flow import breaches_in_the_log
from tests.sessions.symbol_flow import SHAPE, applied


def counting(window: int) -> Session:
    session = generated_session(3, SHAPE)
    return with_strategy(session, session.portfolio.models[0].name, CountingStrategy(window))


def test_a_lane_that_goes_on_with_the_old_strategy_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    real = Roster.strategy

    def first(self, standing, model):  # type: ignore[no-untyped-def]
        return real(self, None if model in self._session.strategies else standing, model)

    monkeypatch.setattr(Roster, "strategy", first)
    _caught("a lane that goes on with the old strategy", say, drifts=True)


def test_a_chapter_that_carries_the_old_memory_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """By risk alone: parity knows what must be carried."""
    from stratvector.runtime.chapters import ChapterWriter

    real = ChapterWriter.propose

    async def propose(self, orders, before, carried, wanted):  # type: ignore[no-untyped-def]
        class Kept(Carried):
            def begun_anew(self, models: Collection[str]) -> Carried:
                return self

        kept = Kept(**{name: getattr(carried, name) for name in carried.__dataclass_fields__})
        return await real(self, orders, before, kept, wanted)

    monkeypatch.setattr(ChapterWriter, "propose", propose)
    _caught("a chapter that carries the memory of the version before", say)


def test_signals_of_the_old_version_that_were_published_ahead_are_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """The planted bug: a reader takes what was said in the chapter before for the new one."""
    real = SignalsReader._current

    def current(self, close_time, received):  # type: ignore[no-untyped-def]
        if received.noun.chapter < self._chapter and received.noun.close_time == close_time:
            return received
        return real(self, close_time, received)

    monkeypatch.setattr(SignalsReader, "_current", current)
    _caught("signals of the old version that were published ahead", say)


def _caught(what: str, say: Callable[[str], None], drifts: bool = False) -> None:
    session = counting(2)
    name = session.portfolio.models[0].name
    later = counting(3)
    if drifts:
        later = with_strategy(later, name, generated_session(3, SHAPE).strategies[name])
    try:
        broken = breaches_in_the_log(applied(session, [later]))
    except SimulationError as error:
        broken = [str(error).splitlines()[0]]
    say(f"planted: {what}, caught: {broken[0] if broken else None}")
    assert broken
