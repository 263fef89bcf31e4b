"""A symbol that is added while a portfolio runs: its universe has another version from a chapter
on, with bars of its own; nobody else notices, wherever anybody dies.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.runtime.bars_places import place_after
from stratvector.runtime.chapter_changes import refuse_wish
from stratvector.runtime.documents import wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Kind, Ports, Stored
from stratvector.runtime.simulation.world import World
from stratvector.trading.bars import Bars
from stratvector.trading.lanes import bars_lane
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import Applying, with_model, with_symbol
from tests.sessions.generated_sessions import DriftStrategy, generated_session
from tests.sessions.late_flow import (
    DEADLINE_SECONDS,
    make_late_from_chapter_two,
    paper_session,
)
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow
from tests.sessions.symbol_flow import (
    NEW,
    SHAPE,
    SLOW,
    STEPS,
    applied,
    crashed,
    parity_of,
    traded,
    wider,
)


def orders_of(flow: Flow, symbol: str) -> list[int]:
    """The closes at which a symbol was ordered."""
    found = [(d.close_time, o.symbol) for d in flow.decisions for o in d.orders]
    return [close for close, one in found if one == symbol]


def test_models_that_are_late_for_chapters_after_a_symbol_was_added_stay_equal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No signals of the new version are used, so no chapter carries a memory over its symbols."""
    session = paper_session(3, SHAPE)
    make_late_from_chapter_two(monkeypatch)
    told = {"closes_per_chapter": 12, "signals_deadline_seconds": DEADLINE_SECONDS}
    flow = applied(session, [wider(session)], **told)
    assert breaches_in_the_log(flow) == []
    assert parity_of(flow).is_equal
    log = log_of(flow.world.bus, session)
    begun = [one.noun.carried for one in log.chapters[1:] if one.noun.carried is not None]
    anew = [
        model
        for carried in begun
        for model in carried.models
        if model.universe == traded(session) and not model.state
    ]
    assert anew
    assert all(model.close_time for model in anew)


def closes_in(flow: Flow, lane: str) -> list[int]:
    stored = [s for s in flow.world.bus.contents(lane) if s.message.kind is Kind.CONTENT]
    return [decode_closed_bars(one.message.payload).close_time for one in stored]


def test_an_added_symbol_is_traded_from_its_chapter_on_over_bars_of_its_own() -> None:
    session = generated_session(3, SHAPE)
    more = wider(session)
    flow = applied(session, [more])
    assert breaches_in_the_log(flow) == []
    assert parity_of(flow).is_equal
    (opened,) = flow.openings
    (chapter,) = log_of(flow.world.bus, session).chapters
    universe = chapter.portfolio.universe(traded(session))
    assert (universe.version, universe.symbols) == (
        2,
        more.portfolio.universe(universe.name).symbols,
    )
    first = bars_lane(session.portfolio, session.portfolio.universe(universe.name))
    second = bars_lane(chapter.portfolio, universe)
    assert second == first.replace(universe.name, f"{universe.name}=2")
    whole = more.histories[universe.name].bars.close_times.tolist()
    assert closes_in(flow, second) == whole, "warm-up first, and no close is missing"
    assert closes_in(flow, first)[-1] >= opened.close_time
    assert len(closes_in(flow, first)) < len(whole), "nobody reads on in the lane before"
    assert min(orders_of(flow, NEW)) > opened.close_time
    assert any(entry.positions.get(NEW) for entry in flow.entries)
    assert chapter.noun.bars_of(universe.name).hash == more.bars_hash(universe.name)


def test_a_model_of_another_universe_says_what_it_would_have_said() -> None:
    """To the bit; and its memory goes on, while that of a model over the new symbol begins anew."""
    session = generated_session(3, SHAPE)
    other = next(u.name for u in session.portfolio.universes if u.name != traded(session))
    model = ModelAllocation("elsewhere", other, 0.3)
    session = with_model(session, model, DriftStrategy(2, 0.001), 0)
    changed = with_symbol(session, _other_than(session, other), NEW, 0)
    flows = [run_flow(session, 3, SLOW), applied(session, [changed])]
    said = [
        [
            (s.close_time, s.rows, s.state)
            for e in flow.entries
            for s in e.signals
            if s.model == model.name
        ]
        for flow in flows
    ]
    assert len(flows[1].openings) == 1
    assert said[0] == said[1]
    assert breaches_in_the_log(flows[1]) == []


def _other_than(session: Session, universe: str) -> str:
    return next(u.name for u in session.portfolio.universes if u.name != universe)


def test_symbols_are_added_again_and_again_also_before_a_close_of_the_version_before() -> None:
    """Chapters follow each other so closely that some version has no close of its own."""
    for seed in range(4):
        session = generated_session(seed, SHAPE)
        later = [wider(session, "NEW0", 0)]
        for number in range(1, 5):
            later.append(wider(later[-1], f"NEW{number}", number % 3))
        flow = applied(
            session, later, 0.02 + seed / 50, seed=seed, closes_per_chapter=(1, 2)[seed % 2]
        )
        assert breaches_in_the_log(flow) == [], f"seed {seed}"
        chapters = log_of(flow.world.bus, session).chapters
        assert chapters[-1].portfolio.universe(traded(session)).version > 1


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_of_a_new_version_changes_nothing(
    service: str, effect: str, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    session = generated_session(1, replace(SHAPE, closes=16))
    flows = crashed(session, wider(session), service, effect, request)
    opened = [len(flow.openings) > 0 for flow in flows]
    say(f"crashes of {service} at {effect}: {sum(opened)} of {len(opened)} took it up")
    assert any(opened)


def test_bars_that_close_otherwise_are_refused_and_the_portfolio_goes_on() -> None:
    session = generated_session(3, SHAPE)
    name = traded(session)
    more = wider(session)
    history = more.histories[name]
    times = history.bars.close_times.copy()
    times[-3] -= 1_000
    moved = replace(history, bars=_at(history.bars, times))
    other = replace(more, histories={**more.histories, name: moved})
    flow = _refused(session, other)
    assert "its bars close at" in flow
    assert "other symbols may not change its closes" in flow


def test_bars_that_market_data_does_not_have_are_refused_and_the_portfolio_goes_on() -> None:
    session = generated_session(3, SHAPE)
    assert "are not in memory" in _refused(session, wider(session), later=[])


def _refused(session: Session, wanted: Session, later: Sequence[Session] | None = None) -> str:
    """Why market_data refuses; the next chapter has the document of the one before."""
    from stratvector.runtime.applying import unloadable

    wish, said = wish_of(wanted, "ada", 1), list[tuple[str, str] | None]()
    applying = Applying([wish], 0.6, [])

    async def look(ports: Ports) -> None:
        while True:
            await ports.clock.sleep(0.1)
            said.append(await unloadable(ports.bus, ports.key_value, wish))

    def script(ports: Ports) -> Tasks:
        return Tasks([applying.run(ports), look(ports)])

    known = [wanted] if later is None else later
    flow = run_flow(session, 3, SLOW, beside=script, later=known)
    assert breaches_in_the_log(flow) == []
    (chapter,) = log_of(flow.world.bus, session).chapters
    assert chapter.noun.document == wish_of(session, "ada", 1).document
    assert chapter.portfolio.universes == session.portfolio.universes
    found = said[-1]
    assert found is not None
    assert found[0] == "market_data"
    return found[1]


def _at(bars: Bars, times: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Bars:
    return Bars(bars.symbols, times, bars.open, bars.high, bars.low, bars.close, bars.volume)


def test_changed_terms_are_refused_in_one_sentence() -> None:
    session = generated_session(3, SHAPE)
    more = wider(session)
    name = traded(session)
    universe = more.portfolio.universe(name)
    dear = tuple(
        replace(one, price_precision=9) if one.symbol != NEW else one
        for one in universe.instruments
    )
    terms = replace(
        more.portfolio,
        universes=tuple(
            replace(one, instruments=dear) if one.name == name else one
            for one in more.portfolio.universes
        ),
    )
    wanted = replace(more, portfolio=terms)
    chapters = [wish_of(one, "ada", 1).chapter() for one in (session, wanted)]
    with pytest.raises(Exception, match="price_precision differs") as refused:
        refuse_wish(*chapters)
    assert "\n" not in str(refused.value)


def test_a_version_is_counted_by_risk_and_by_nobody_else() -> None:
    """A document that names one is none; what a wish says of it is counted anew."""
    session = generated_session(3, SHAPE)
    wish = wish_of(session, "mallory", 1)
    document = json.loads(wish.document)
    document["portfolio"]["universes"][0]["version"] = 7
    with pytest.raises(Exception, match="has a version; only chapters count them"):
        _ = replace(wish, document=json.dumps(document)).session().portfolio
    more = wish_of(wider(session), "ada", 2)
    bars = tuple(replace(one, earlier_versions=5) for one in more.bars)
    applying = Applying([replace(more, bars=bars)], 0.6, [])
    flow = run_flow(session, 3, SLOW, beside=applying, later=[wider(session)])
    (chapter,) = log_of(flow.world.bus, session).chapters
    assert [one.version for one in chapter.portfolio.universes].count(2) == 1
    assert sum(one.version for one in chapter.portfolio.universes) == 3


def test_the_place_in_a_new_lane_is_found_in_a_few_looks() -> None:
    """By the log of the number of messages, at any close, and in a lane with owner's marks."""
    session = generated_session(2, replace(SHAPE, closes=400))
    more = wider(session)
    flow = applied(session, [more], instances=2, seed=1)
    (chapter,) = log_of(flow.world.bus, session).chapters
    lane = bars_lane(chapter.portfolio, chapter.portfolio.universe(traded(session)))
    contents, reads, found = flow.world.bus.contents(lane), list[int](), dict[int, int | None]()
    closes = {decode_closed_bars(s.message.payload).close_time: s.sequence for s in contents}
    bus = flow.world.bus
    real = bus.read

    async def read(subject: str, after: int, limit: int = 256) -> Sequence[Stored]:
        reads[-1] += 1
        return await real(subject, after, limit)

    async def search(ports: Ports) -> None:
        bus.read = read  # type: ignore[method-assign]
        for close_time in (0, *closes):
            reads.append(0)
            found[close_time] = await place_after(bus, lane, close_time)

    world = World()
    world.add("search", lambda ports: Tasks([search(ports)]))
    world.run(until=["search"])
    assert {close: place for close, place in found.items() if close} == closes
    assert max(reads) <= 4 * len(contents).bit_length()


# Planted bugs, each of which some invariant catches.
