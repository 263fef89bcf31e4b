"""Rules of universes that come and go, broken one by one: each is caught."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.runtime import chapter_changes, chapters
from stratvector.runtime.simulation.world import SimulationError
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.carried import Carried
from stratvector.trading.chapters import Chapter
from tests.sessions.changed_sessions import with_symbol, without_universe
from tests.sessions.simulated_flow import Flow, breaches_in_the_log
from tests.sessions.symbol_flow import applied
from tests.simulation.test_changed_universes import (
    HELD_SECONDS,
    grown,
    names_in,
    one_by_one,
    whole,
)

REAL_VERSIONED = chapter_changes.versioned
REAL_CARRIED = PortfolioAccount.carried


def caught(name: str, run: Callable[[], Flow], say: Callable[[str], None]) -> None:
    try:
        (breach, *_) = breaches_in_the_log(run()) or [""]
    except (SimulationError, AssertionError) as error:
        breach = str(error).splitlines()[0]
    say(f"planted: {name}, caught by {breach[:200]}")
    assert breach


def there_and_back() -> Flow:
    session = whole()
    name = session.portfolio.universes[-1].name
    less = without_universe(session, name)
    back = with_symbol(grown(less, name, session), name, "NEW")
    return one_by_one(session, [less, back])


def test_without_a_fault_nothing_is_caught() -> None:
    flow = there_and_back()
    assert breaches_in_the_log(flow) == []
    assert len(names_in(flow)[-1]) == len(whole().portfolio.universes)


def test_a_universe_that_comes_back_into_its_old_lane_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    def forgetful(standing: Chapter, wanted: Chapter) -> Chapter:
        return REAL_VERSIONED(replace(standing, gone=()), wanted)

    monkeypatch.setattr(chapters, "versioned", forgetful)
    flow = there_and_back()
    say("planted: a universe that comes back into its old lane, refused by market_data")
    assert breaches_in_the_log(flow) == []
    assert len(names_in(flow)[-1]) < len(whole().portfolio.universes)


def test_a_held_universe_that_goes_at_once_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    session = whole()
    less = without_universe(session, session.portfolio.universes[-1].name)
    monkeypatch.setattr(chapter_changes, "_closing", lambda *_: {})
    caught("a held universe that goes at once", lambda: applied(session, [less], HELD_SECONDS), say)


def test_a_chapter_that_remembers_when_a_gone_universe_closes_next_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    seen = dict[str, int]()

    def carried(self: PortfolioAccount, *parts: object) -> Carried:
        found = REAL_CARRIED(self, *parts)  # type: ignore[arg-type]
        seen.update({name: seen.get(name, at) for name, at in found.next_closes.items()})
        return replace(found, next_closes={**seen, **found.next_closes})

    monkeypatch.setattr(PortfolioAccount, "carried", carried)
    caught("a chapter that remembers a gone universe's next close", there_and_back, say)
