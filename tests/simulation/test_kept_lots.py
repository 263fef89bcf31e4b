"""Removed models whose lots `manual` keeps, on the bus: they change hands at the mark, nobody
trades for it, and they stay until a document says otherwise, wherever anybody dies.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from stratvector.runtime.chapters import ChapterWriter
from stratvector.runtime.documents import wish_of
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import SimulationError
from stratvector.trading.carried import Carried
from stratvector.trading.meaning import means
from stratvector.trading.portfolio import ModelAllocation, RiskLimits
from stratvector.trading.roles import MANUAL, SELL
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import (
    Applying,
    keeping,
    with_fate,
    with_model,
    without_model,
    without_symbol,
)
from tests.sessions.generated_sessions import DriftStrategy, generated_session
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow
from tests.sessions.symbol_flow import SHAPE, SLOW, applied, crashed, first_model, parity_of

HELD_SECONDS = 1.2  # by then every model holds something
# Whose death meets a hand-over, and at which of its steps.
STEPS = [
    ("risk", "publish CHAPTERS"),
    ("risk", "publish ORDERS"),
    ("execution", "publish FILLS"),
    ("ledger", "store commit"),
]


def unlimited(seed: int = 3) -> Session:
    """Nothing that would cut what is kept."""
    session = generated_session(seed, SHAPE)
    return replace(session, portfolio=replace(session.portfolio, limits=RiskLimits()))


def lots_of(flow: Flow, name: str) -> dict[int, Mapping[str, int]]:
    """By close, the lots of a model."""
    return {
        entry.close_time: model.positions
        for entry in flow.entries
        for model in entry.models
        if model.model == name
    }


def given_up(flow: Flow, name: str) -> dict[str, int]:
    """By symbol, what a model handed over, and nothing of it was sold."""
    found = dict[str, int]()
    for entry in flow.entries:
        names = [one.model for one in entry.models]
        for cross in entry.decision.crosses:
            parts = dict(zip(names, cross.parts, strict=True))
            if MANUAL in parts and parts[name]:
                assert cross.symbol not in found
                found[cross.symbol] = -parts[name]
    return found


def test_what_a_removed_model_holds_changes_hands_and_stays() -> None:
    """With what was on order for it when it was removed."""
    session = unlimited()
    name = first_model(session)
    flow = applied(session, [keeping(session, name)], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    assert parity_of(flow).is_equal
    handed, last = given_up(flow, name), flow.entries[-1].close_time
    assert any(handed.values())
    assert lots_of(flow, MANUAL)[last] == handed
    assert lots_of(flow, name)[last] == {}
    (opened,) = flow.openings
    for entry in (one for one in flow.entries if one.close_time > opened.close_time):
        names = [one.model for one in entry.models]
        for order in entry.decision.orders:
            parts = dict(zip(names, order.parts, strict=True))
            assert parts[name] == parts[MANUAL] == 0


def test_it_is_sold_when_a_document_says_so() -> None:
    session = unlimited()
    kept = keeping(session, first_model(session))
    flow = applied(session, [kept, with_fate(kept, MANUAL, SELL)], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    lots = list(lots_of(flow, MANUAL).values())
    assert any(lots)
    assert lots[-1] == {}


def test_a_model_that_is_removed_with_nothing_said_is_sold() -> None:
    session = unlimited()
    flow = applied(session, [without_model(session, first_model(session))], HELD_SECONDS)
    assert lots_of(flow, MANUAL) == {}
    assert list(lots_of(flow, first_model(session)).values())[-1] == {}


def test_a_symbol_that_is_removed_is_sold_whoever_keeps_it() -> None:
    session = unlimited()
    kept = keeping(session, first_model(session))
    universe = session.portfolio.universe(session.portfolio.models[0].universe)
    fewer = without_symbol(kept, universe.symbols[0])
    flow = applied(session, [kept, fewer], HELD_SECONDS)
    assert breaches_in_the_log(flow) == []
    lots = list(lots_of(flow, MANUAL).values())
    assert {symbol for one in lots for symbol in one} == set(universe.symbols)
    assert set(lots[-1]) == set(universe.symbols[1:])


@pytest.mark.parametrize("seed", range(6))
def test_in_storms_and_small_chapters_parity_holds(seed: int) -> None:
    session = generated_session(seed, replace(SHAPE, models=3, accounts=1 + seed % 2))
    first, second = (one.name for one in session.portfolio.models[:2])
    kept = keeping(session, first)
    later = [kept, keeping(kept, second), with_fate(keeping(kept, second), MANUAL, SELL)]
    faults = replace(Faults.stormy(), delay_seconds_max=0.05)
    flow = applied(
        session,
        later,
        0.8,
        seed=seed,
        faults=faults,
        instances=1 + seed % 2,
        closes_per_chapter=(3, 5_000)[seed % 2],
    )
    assert breaches_in_the_log(flow) == []


@pytest.mark.parametrize(("service", "effect"), STEPS, ids=lambda part: part.replace(" ", "-"))
def test_a_death_at_any_step_loses_no_lot(
    service: str, effect: str, request: pytest.FixtureRequest
) -> None:
    session = unlimited()
    name = first_model(session)
    for flow in crashed(session, keeping(session, name), service, effect, request):
        last = flow.entries[-1].close_time
        if MANUAL in [one.model for one in flow.entries[-1].models]:
            assert lots_of(flow, MANUAL)[last] == given_up(flow, name)


def test_execution_lets_a_model_trade_beside_what_is_kept() -> None:
    """Its means are what the document's budgets allow, and the lots that are kept."""
    flow = _side_by_side()
    assert breaches_in_the_log(flow) == []
    assert any(lots_of(flow, MANUAL).values())


def test_execution_that_forgets_what_is_kept_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """The planted bug: it refuses what is right, and nothing goes on."""
    monkeypatch.setattr(means, "most_kept", lambda portfolio, carried: {})
    _caught("execution that forgets what is kept", _side_by_side, say)


def test_a_chapter_that_forgets_what_is_kept_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    real = ChapterWriter.propose

    async def propose(self, orders, before, carried: Carried, wanted):  # type: ignore[no-untyped-def]
        symbols = tuple(replace(one, kept=0) for one in carried.symbols)
        return await real(self, orders, before, replace(carried, symbols=symbols), wanted)

    monkeypatch.setattr(ChapterWriter, "propose", propose)
    session = unlimited()
    later = [keeping(session, first_model(session))]
    _caught(
        "a chapter that forgets what is kept",
        lambda: applied(session, later, HELD_SECONDS, closes_per_chapter=4),
        say,
    )


def _side_by_side() -> Flow:
    """All that there was is kept, and one new model has a tenth of a budget in the same symbols."""
    session = unlimited()
    first, second = session.portfolio.models
    small = ModelAllocation("small", first.universe, first.budget_fraction / 10)
    kept = keeping(keeping(session, first.name), second.name)
    return applied(session, [with_model(kept, small, DriftStrategy(1, 0.0))], HELD_SECONDS)


def _caught(what: str, play: Callable[[], Flow], say: Callable[[str], None]) -> None:
    try:
        broken = breaches_in_the_log(play())
    except SimulationError as error:
        broken = [str(error).splitlines()[0]]
    say(f"planted: {what}, caught: {broken[0] if broken else None}")
    assert broken


def test_a_name_that_the_run_never_had_is_refused() -> None:
    session = unlimited()
    name = first_model(session)
    typed_wrong = with_fate(without_model(session, name), f"{name}x", MANUAL)
    applying = Applying([wish_of(typed_wrong, "ada", 1)], 0.6, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    assert flow.openings == []
    assert applying.refusals == [
        f"on_removal names model {name}x, which this run never had; did you mean {name}?"
    ]
