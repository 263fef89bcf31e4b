"""Documents that are applied while a universe is absent: models come and go at once, its symbols
when it is back.
"""

import pytest

from stratvector.runtime.documents import wish_of
from stratvector.runtime.logged_session import FEED_DEADLINE_SECONDS
from stratvector.trading.portfolio import ModelAllocation
from tests.sessions.changed_sessions import Applying, with_model, without_model
from tests.sessions.late_flow import CountingStrategy, paper_session
from tests.sessions.rewritten_log import log_of
from tests.sessions.silent_flow import (
    SHAPE,
    SILENT_SECONDS,
    SLOW,
    Silence,
    absences,
    late_bars,
    misjudged,
    paced,
    session_of,
    universes_of,
)
from tests.sessions.simulated_flow import breaches_in_the_log, run_flow
from tests.sessions.symbol_flow import NEW, applied, parity_of, traded, wider
from tests.sessions.symbol_flow import SHAPE as WIDE

DEADLINES = SILENT_SECONDS / FEED_DEADLINE_SECONDS


def test_models_come_and_go_while_their_universe_is_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An added one begins after the bars that were used, and meets late ones like the others."""
    for seed in (1, 2, 4):
        silent = universes_of(seed)[0]
        paced(monkeypatch, [Silence(silent, 4.0, 22.0)])
        session = session_of(seed, SHAPE, counts=True)
        more = with_model(session, ModelAllocation("added", silent, 0.3), CountingStrategy(2))
        wishes = [wish_of(more, "ada", 1), wish_of(without_model(more, "model_0"), "ada", 2)]
        applying = Applying(wishes, 13.0, [])
        flow = run_flow(
            session,
            seed,
            SLOW,
            closes_per_chapter=3,
            beside=applying,
            absent_after_deadlines=DEADLINES,
        )
        assert applying.refusals == []
        assert breaches_in_the_log(flow) == [], f"seed {seed}"
        assert misjudged(flow) == []
        assert late_bars(flow)
        chapters = log_of(flow.world.bus, session).chapters
        begun = next(one.noun for one in chapters if "added" in one.portfolio.model_names)
        absent = {close for _, close in absences(flow)}
        assert begun.carried is not None
        assert begun.carried.close_time in absent


def test_a_symbol_is_added_to_an_absent_universe_when_that_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seed in (3, 5):
        session = paper_session(seed, WIDE)
        silent = traded(session)
        paced(monkeypatch, [Silence(silent, 4.0, 24.0)])
        flow = applied(session, [wider(session)], 14.0, absent_after_deadlines=DEADLINES)
        assert breaches_in_the_log(flow) == []
        assert parity_of(flow).is_equal
        log = log_of(flow.world.bus, session)
        carried = next(one.noun.carried for one in log.chapters if NEW in one.portfolio.symbols)
        assert carried is not None
        assert carried.bars_until(silent) == carried.close_time
        assert carried.close_time > max(close for _, close in absences(flow))
        assert late_bars(flow)
