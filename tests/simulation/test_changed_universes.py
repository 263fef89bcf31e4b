"""Universes that come and go while a portfolio runs: an added one is traded from its chapter on;
one that is held is sold before it goes; and each that comes back has bars of its own.
"""

from collections.abc import Sequence
from dataclasses import replace

from stratvector.runtime.documents import wish_of
from stratvector.trading.chapters import GoneUniverse
from stratvector.trading.logged import LoggedChapter
from stratvector.trading.roles import Role
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import Applying, with_model, with_universe, without_universe
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow
from tests.sessions.symbol_flow import SLOW, applied, parity_of

SHAPE = Shape(universes=3, symbols=2, models=3, closes=60, warmup=2)
HELD_SECONDS = 1.2


def chapters_of(flow: Flow) -> Sequence[LoggedChapter]:
    return log_of(flow.world.bus, flow.session).chapters


def names_in(flow: Flow) -> list[list[str]]:
    return [[u.name for u in one.portfolio.universes] for one in chapters_of(flow)]


def versions_in(flow: Flow, name: str) -> list[int]:
    """Of a universe, by chapter that has it."""
    universes = [u for one in chapters_of(flow) for u in one.portfolio.universes]
    return [one.version for one in universes if one.name == name]


def whole(seed: int = 3, shape: Shape = SHAPE) -> Session:
    """With a model in each universe."""
    session = generated_session(seed, shape)
    for universe in session.portfolio.universes:
        traded = {model.universe for model in session.portfolio.models}
        if universe.name not in traded:
            first = session.portfolio.models[0]
            model = replace(first, name=f"of_{universe.name}", universe=universe.name)
            session = with_model(session, model, DriftStrategy(2, 0.0))
    return session


def one_by_one(session: Session, later: Sequence[Session], seed: int = 3, **told: object) -> Flow:
    """Each is wanted when the one before holds."""
    wishes = [wish_of(one, "ada", number) for number, one in enumerate(later, 1)]
    applying = Applying(wishes, 0.1, [], patience_seconds=20.0)
    parts: dict[str, object] = {"faults": SLOW} | told
    flow = run_flow(session, seed, beside=applying, later=later, **parts)  # type: ignore[arg-type]
    assert applying.refusals == []
    return flow


def grown(session: Session, name: str, other: Session, model: str = "new") -> Session:
    return with_universe(session, other, name, {model: DriftStrategy(2, 0.0)})


def test_an_added_universe_is_traded_from_its_chapter_on() -> None:
    every = whole()
    for number, name in enumerate(one.name for one in every.portfolio.universes):
        session = without_universe(every, name)
        more = grown(session, name, every)
        flow = applied(session, [more], 0.6, seed=number)
        assert breaches_in_the_log(flow) == []
        assert parity_of(flow).is_equal
        (chapter,) = chapters_of(flow)
        assert chapter.portfolio.universe(name).version == 1
        assert chapter.noun.document == wish_of(more, "ada", 1).document
        symbols = set(more.portfolio.universe(name).symbols)
        ordered = [d.close_time for d in flow.decisions for o in d.orders if o.symbol in symbols]
        assert min(ordered) > flow.openings[0].close_time
        assert flow.decisions[-1].close_time == more.last_close


def test_a_held_universe_is_sold_and_then_goes_by_itself() -> None:
    session = whole()
    for number, name in enumerate(one.name for one in session.portfolio.universes):
        less = without_universe(session, name)
        flow = applied(session, [less], HELD_SECONDS, seed=number)
        assert breaches_in_the_log(flow) == []
        assert parity_of(flow).is_equal
        symbols = set(session.portfolio.universe(name).symbols)
        sold, gone = chapters_of(flow)
        assert set(sold.portfolio.closing_symbols) == symbols
        assert name not in [one.name for one in gone.portfolio.universes]
        assert gone.noun.document == wish_of(less, "ada", 1).document
        held = {e.close_time: symbols & set(e.positions) for e in flow.entries}
        _, second = (one.close_time for one in flow.openings)
        assert sold.noun.carried is not None
        assert sold.noun.carried.held & symbols
        assert not any(those for close, those in held.items() if close >= second)
        lost = {one.name for one in session.portfolio.models if one.universe == name}
        closing = {
            one.name: one.universe for one in gone.portfolio.models if one.role is Role.CLOSING
        }
        assert closing == dict.fromkeys(lost, "")
        assert lost <= {one.model for one in flow.entries[-1].models}, "their lines stay"


def test_a_universe_that_comes_back_has_its_next_version() -> None:
    session = whole()
    for number, name in enumerate(one.name for one in session.portfolio.universes):
        less = without_universe(session, name)
        again = [grown(less, name, session, f"back_{n}") for n in range(2)]
        flow = one_by_one(session, [less, again[0], less, again[1]], number)
        assert breaches_in_the_log(flow) == []
        assert parity_of(flow).is_equal
        assert sorted(set(versions_in(flow, name))) == [1, 2, 3]
        away = [one.noun.gone for one in chapters_of(flow) if one.noun.gone]
        assert away[-1] == (GoneUniverse(name, 2),)
