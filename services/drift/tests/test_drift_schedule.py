"""The watch on the simulated bus: checked at the first close at or after each multiple of hours."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.drift import DriftRules
from stratvector.runtime.documents import wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.inbox import Inbox
from stratvector.runtime.ports import Ports, Stored
from stratvector.runtime.purging import kept_chapter, purge_log
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World
from stratvector.services.drift.session_watch import SessionWatch, UnknownModel
from stratvector.trading.portfolio import ModelAllocation
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import Applying, with_model, with_strategy, without_model
from tests.sessions.drift_stage import HOUR, expected_checks
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.hand_fed import feed_bars, feed_decisions, feed_signals
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, run_flow


def watched(session: Session, rules: DriftRules) -> tuple[SessionWatch, World]:
    """A watch after the whole session."""
    world, made = World(), list[SessionWatch]()
    feed_bars(world, session)
    feed_signals(world, session)
    feed_decisions(world, session)
    before = len(world.bus.journal)

    def follow(ports: Ports) -> Tasks:
        made.append(SessionWatch(ports, session.portfolio, session.start, rules))
        return Tasks([made[-1].run()])

    world.add("drift", follow)
    world.run(until=["drift"])
    assert len(world.bus.journal) == before, "a follower published something"
    return made[-1], world


@pytest.mark.parametrize("closes_per_chapter", [7, 50])
def test_chapters_change_no_score(closes_per_chapter: int) -> None:
    """Models say again, in the new chapter, what they had said ahead; each close counts once."""
    session = generated_session(3, Shape(universes=2, symbols=2, models=2, closes=300))
    rules, made = DriftRules(every_hours=6, reference_closes=100, window_closes=100), []
    world = run_flow(session, closes_per_chapter=closes_per_chapter).world

    def follow(ports: Ports) -> Tasks:
        made.append(SessionWatch(ports, session.portfolio, session.start, rules))
        return Tasks([made[-1].run()])

    world.add("drift", follow)
    world.run(until=["drift"])
    for record in made[-1].board.records():
        expected = expected_checks(session, rules)[record.model]
        assert [close for close, _ in record.history] == [one.close_time for one in expected]
        assert [repr(score) for _, score in record.history] == [repr(one.score) for one in expected]


def changing_flow(session: Session) -> Flow:
    """A model is added, then another one removed, and one gets a new version."""
    universe = session.portfolio.universes[0].name
    more = with_model(session, ModelAllocation("added", universe, 0.2), DriftStrategy(2, 0.0))
    fewer = without_model(more, session.portfolio.model_names[0])
    newer = with_strategy(fewer, session.portfolio.model_names[1], DriftStrategy(1, 0.0))
    wishes = [wish_of(one, "ada", n) for n, one in enumerate((more, fewer, newer), 1)]
    applying = Applying(wishes, 1.0, [], patience_seconds=60.0)
    flow = run_flow(
        session, 5, Faults(delay_seconds_max=0.05), closes_per_chapter=90, beside=applying
    )
    assert len(flow.entries[-1].models) == len(session.portfolio.models) + 1
    assert any(one.renewed for one in log_of(flow.world.bus, session).chapters)
    return flow


def steady_flow(session: Session) -> Flow:
    return run_flow(session, closes_per_chapter=90)


@pytest.mark.parametrize(
    ("shape", "make"),
    [
        (Shape(2, 2, 2, closes=300), steady_flow),
        (Shape(1, 3, 3, closes=280), steady_flow),
        (Shape(2, 2, 2, closes=300), changing_flow),
    ],
)
def test_who_starts_in_the_newest_chapter_finds_what_who_read_everything_finds(
    shape: Shape, make: Callable[[Session], Flow], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, read = generated_session(5, shape), Counter[str]()
    rules = DriftRules(every_hours=6, reference_closes=100, window_closes=100)
    flow, made = make(session), list[SessionWatch]()
    real_next = Inbox.next

    async def counted(self: Inbox) -> Stored:
        read[self.subject] += 1
        return await real_next(self)

    monkeypatch.setattr(Inbox, "next", counted)

    def follow(ports: Ports) -> Tasks:
        made.append(SessionWatch(ports, session.portfolio, session.start, rules))
        return Tasks([made[-1].run()])

    counts = []
    for name in ("first", "second"):
        flow.world.add(name, follow)
        flow.world.run(until=[name])
        counts.append(sum(read.values()))
        read.clear()
    first, second = made
    assert repr(second.board.records()) == repr(first.board.records())
    assert repr(second.check("")) == repr(first.check(""))
    assert second.board.checks == first.board.checks
    assert counts[1] < counts[0] / 2
    made.clear()
    other = replace(rules, bins=rules.bins + 1)

    def follow_otherwise(ports: Ports) -> Tasks:
        made.append(SessionWatch(ports, session.portfolio, session.start, other))
        return Tasks([made[-1].run()])

    flow.world.add("other", follow_otherwise)
    flow.world.run(until=["other"])
    assert sum(read.values()) == counts[0], "scores by other rules go on from nothing"


def test_a_purged_log_without_a_kept_state_is_watched_from_its_oldest_chapter_on() -> None:
    session = generated_session(5, Shape(2, 2, 2, closes=300))
    rules = DriftRules(every_hours=6, reference_closes=100, window_closes=100)
    flow, made = run_flow(session, closes_per_chapter=90), list[SessionWatch]()
    bus, portfolio, begins = flow.world.bus, session.portfolio, list[int]()

    async def purge(ports: Ports) -> None:
        kept = await kept_chapter(bus, portfolio.run, portfolio.name, 2**62)
        assert kept is not None
        assert kept.carried is not None
        await purge_log(bus, bus.purge, kept, portfolio, {})
        begins.append(kept.carried.close_time)

    def follow(ports: Ports) -> Tasks:
        made.append(SessionWatch(ports, portfolio, session.start, rules))
        return Tasks([made[-1].run()])

    flow.world.add("purge", lambda ports: Tasks([purge(ports)]))
    flow.world.run(until=["purge"])
    flow.world.add("drift", follow)
    flow.world.run(until=["drift"])
    for record in made[0].board.records():
        expected = [one.close_time for one in expected_checks(session, rules)[record.model]]
        later = [close for close in expected if close > begins[0] + 6 * HOUR]
        assert [close for close, _ in record.history][-len(later) :] == later
        assert record.drift is not None
        assert record.drift.features[0].reference.first > begins[0]


@pytest.mark.parametrize("seed", [1, 3, 5, 11])
@pytest.mark.parametrize("every_hours", [1, 6, 24])
def test_checks_are_made_on_the_schedule_and_find_what_the_log_says(
    seed: int, every_hours: int
) -> None:
    session = generated_session(seed, Shape(universes=2, symbols=2, models=3, closes=300))
    rules = DriftRules(every_hours=every_hours, reference_closes=100, window_closes=100)
    watch, _ = watched(session, rules)
    expected = expected_checks(session, rules)
    for record in watch.board.records():
        found = expected[record.model]
        assert [close for close, _ in record.history] == [one.close_time for one in found]
        assert [repr(score) for _, score in record.history] == [repr(one.score) for one in found]
    assert watch.board.checks == sum(map(len, expected.values()))


def test_a_check_is_made_at_most_once_between_two_multiples() -> None:
    session = generated_session(3, Shape(universes=2, symbols=1, models=3, closes=120))
    watch, _ = watched(session, DriftRules(every_hours=6))
    for record in watch.board.records():
        numbers = [close // (6 * HOUR) for close, _ in record.history]
        assert numbers == sorted(numbers)
        # A slow universe's newest close may lie before the multiple at which it was looked at.
        assert all(numbers.count(number) <= 2 for number in numbers)


def test_models_that_were_never_checked_are_left_out_and_unknown_ones_refused() -> None:
    session = generated_session(1, Shape(closes=40))
    world = World()

    def follow(ports: Ports) -> Tasks:
        watch = SessionWatch(ports, session.portfolio, session.start, DriftRules())
        assert watch.scores("") == ()
        checked = watch.check("")
        assert [drift.model for drift in checked] == list(session.portfolio.model_names)
        assert all(math.isnan(drift.score) and drift.close_time == 0 for drift in checked)
        assert "there are 0 signals; 200 are needed" in checked[0].reason
        with pytest.raises(UnknownModel, match="there is no model 'other' in this session"):
            watch.scores("other")
        return Tasks([ports.clock.sleep(0.0)])

    world.add("drift", follow)
    world.run(until=["drift"])
