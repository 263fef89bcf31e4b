"""A model's new version under its name: what it holds, earned and said last stays, its memory
begins anew, and nobody else notices, wherever anybody dies.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from stratvector.runtime.documents import wish_of
from stratvector.runtime.session_document import canonical
from stratvector.trading.carried import CarriedModel
from stratvector.trading.logged import LoggedChapter
from stratvector.trading.parity import check
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import (
    Applying,
    with_strategy,
    with_symbol,
    without_model,
)
from tests.sessions.followed_drift import assert_drift_follows
from tests.sessions.generated_sessions import DriftStrategy, generated_session
from tests.sessions.late_flow import (
    DEADLINE_SECONDS,
    CountingStrategy,
    make_late_from_chapter_two,
    paper_session,
)
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow
from tests.sessions.symbol_flow import (
    NEW,
    SHAPE,
    SLOW,
    applied,
    crashed,
    first_model,
    parity_of,
    traded,
)

HELD_SECONDS = 1.2  # by then the model holds something
# Whose death meets a new version, and at which of its steps.
STEPS = [
    ("risk", "publish CHAPTERS"),
    ("risk", "publish ORDERS"),
    ("strategy", "kv put"),
    ("strategy", "publish SIGNALS"),
    ("ledger", "store commit"),
]


@dataclass(frozen=True)
class SecondCounting(CountingStrategy):
    """Another class, of another version, with a parameter more."""

    extra: int = 7

    name = "second_counting"
    version = "2.0"


def counting(session: Session) -> Session:
    """Its first model counts the closes that it has seen."""
    return with_strategy(session, first_model(session), CountingStrategy(2))


def renewed(session: Session, window: int = 3) -> Session:
    return with_strategy(session, first_model(session), CountingStrategy(window))


def chapter_of(flow: Flow) -> LoggedChapter:
    (chapter,) = log_of(flow.world.bus, flow.session).chapters
    return chapter


def carried_of(flow: Flow, name: str) -> CarriedModel:
    carried = chapter_of(flow).noun.carried
    assert carried is not None
    own = carried.model(name)
    assert own is not None
    return own


def counts_of(flow: Flow, name: str) -> list[tuple[int, float]]:
    """Close and the closes seen, of the signals that were used."""
    return [
        (signals.close_time, signals.state[0])
        for entry in flow.entries
        for signals in entry.signals
        if signals.model == name
    ]


@pytest.mark.parametrize("window", [2, 3, 1])
def test_its_memory_begins_anew_and_its_lots_cash_and_weights_stay(window: int) -> None:
    session = counting(generated_session(3, SHAPE))
    name = first_model(session)
    later = with_strategy(session, name, SecondCounting(window))
    flow, calm = applied(session, [later], HELD_SECONDS), run_flow(session, 3, SLOW)
    assert breaches_in_the_log(flow) == []
    found = check(log_of(flow.world.bus, session), session, session)
    assert found.is_equal
    assert found.notes == ("not compared with a backtest: chapters 2 have another document",)
    (opened,) = flow.openings
    before, after = (
        [one for one in counts_of(flow, name) if (one[0] > opened.close_time) is is_later]
        for is_later in (False, True)
    )
    assert before == counts_of(calm, name)[: len(before)]
    assert [count for _, count in after] == [float(n + 1) for n in range(len(after))]
    assert len(after) > 3
    own = carried_of(flow, name)
    assert own.state == ()
    assert own.close_time == opened.close_time
    (entry,) = [e for e in flow.entries if e.close_time == opened.close_time]
    account = next(one for one in entry.models if one.model == name)
    assert any(account.positions.values())
    assert own.exact_cash == account.cash
    lots = {
        one.symbol: cell.lots
        for one in _carried_symbols(flow)
        for cell in one.cells
        if cell.model == name and cell.lots
    }
    assert lots == {symbol: lots for symbol, lots in account.positions.items() if lots}
    assert {s.version for e in flow.entries for s in e.signals if s.model == name} == {
        CountingStrategy.version,
        "2.0",
    }


def _carried_symbols(flow: Flow):  # type: ignore[no-untyped-def]
    carried = chapter_of(flow).noun.carried
    assert carried is not None
    return carried.symbols


def test_other_models_say_what_they_would_have_said() -> None:
    session = counting(generated_session(3, SHAPE))
    other = session.portfolio.models[1].name
    flow, calm = applied(session, [renewed(session)]), run_flow(session, 3, SLOW)
    said = [
        [
            (s.close_time, s.rows, s.state)
            for e in one.entries
            for s in e.signals
            if s.model == other
        ]
        for one in (flow, calm)
    ]
    assert len(flow.openings) == 1
    assert said[0] == said[1]


def test_drift_compares_a_new_version_with_its_own_beginning() -> None:
    session = counting(generated_session(3, replace(SHAPE, closes=120)))
    flow = applied(session, [renewed(session)])
    assert len(flow.openings) == 1
    assert_drift_follows(flow)


@pytest.mark.parametrize("closes_per_chapter", [1, 2, 7])
def test_versions_follow_each_other_and_come_back_in_small_chapters(
    closes_per_chapter: int,
) -> None:
    """Also before a close of the version before, and before a universe's first close."""
    for seed in range(4):
        session = counting(generated_session(seed, SHAPE))
        later = [renewed(session, 1 + number % 3) for number in range(6)]
        flow = applied(
            session, later, 0.02 + seed / 8, seed=seed, closes_per_chapter=closes_per_chapter
        )
        assert breaches_in_the_log(flow) == [], f"seed {seed}"
        chapters = log_of(flow.world.bus, session).chapters
        names = [one.renewed for one in chapters if one.renewed]
        assert names, f"seed {seed}"
        assert set(names) == {(first_model(session),)}


def test_a_new_version_with_an_added_symbol_begins_over_it_at_once() -> None:
    session = counting(generated_session(3, SHAPE))
    later = renewed(with_symbol(session, traded(session), NEW, 0))
    flow = applied(session, [later])
    assert breaches_in_the_log(flow) == []
    chapter = chapter_of(flow)
    assert chapter.renewed == (first_model(session),)
    assert chapter.portfolio.universe(traded(session)).version == 2
    after = [c for t, c in counts_of(flow, first_model(session)) if t > flow.openings[0].close_time]
    assert after[:3] == [1.0, 2.0, 3.0]


def test_a_new_version_that_is_late_is_computed_from_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No signals of it are used, so no chapter carries a memory; its weights before are kept as
    long as those of any model that is late.
    """
    session = counting(paper_session(3, SHAPE))
    make_late_from_chapter_two(monkeypatch)
    told = {"closes_per_chapter": 12, "signals_deadline_seconds": DEADLINE_SECONDS}
    flow = applied(session, [renewed(session)], **told)
    assert breaches_in_the_log(flow) == []
    assert parity_of(flow).is_equal
    chapters = log_of(flow.world.bus, session).chapters
    assert [one.renewed for one in chapters if one.renewed] == [(first_model(session),)]
    (begun,) = [one.noun.carried for one in chapters if one.renewed]
    assert begun is not None
    closes = {one.noun.carried.model(first_model(session)).close_time for one in chapters[1:]}  # type: ignore[union-attr]
    assert closes
    assert min(closes) >= begun.close_time


@pytest.mark.parametrize(("service", "effect"), STEPS)
def test_a_crash_at_every_step_of_a_new_version_changes_nothing_else(
    service: str, effect: str, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    session = counting(generated_session(1, replace(SHAPE, closes=16)))
    flows = crashed(session, renewed(session), service, effect, request)
    opened = [len(flow.openings) > 0 for flow in flows]
    say(f"crashes of {service} at {effect}: {sum(opened)} of {len(opened)} took it up")
    assert any(opened)


def test_a_version_that_strategy_does_not_have_is_refused_and_the_old_one_goes_on() -> None:
    session = counting(generated_session(3, SHAPE))
    name = first_model(session)
    for key, value, why in (
        ("class", "tests.sessions.late_flow:NoSuchStrategy", "can't be imported"),
        ("version", "99.0", "the installed version is"),
        ("source", "0123456789abcdef", "is not what the document was made with"),
    ):
        wish = wish_of(renewed(session), "ada", 1)
        document = json.loads(wish.document)
        document["strategies"][name][key] = value
        wanted = replace(wish, document=canonical(document))
        said = _refused(session, wanted)
        assert why in said


def _refused(session: Session, wish):  # type: ignore[no-untyped-def]
    """Past `apply`, which looks at the code here itself: why strategy refuses."""
    from stratvector.runtime.applying import unloadable
    from stratvector.runtime.documents import Documents
    from stratvector.runtime.host import Tasks
    from stratvector.runtime.ports import Ports

    told = list[tuple[str, str] | None]()

    async def write(ports: Ports) -> None:
        assert ports.documents is not None
        await ports.clock.sleep(0.6)
        await Documents(ports.documents).put(wish, 0)
        while True:
            await ports.clock.sleep(0.1)
            told.append(await unloadable(ports.bus, ports.key_value, wish))

    flow = run_flow(session, 3, SLOW, beside=lambda ports: Tasks([write(ports)]))
    assert breaches_in_the_log(flow) == []
    chapter = chapter_of(flow)
    assert chapter.noun.document == wish_of(session, "ada", 1).document
    assert chapter.renewed == ()
    counts = [count for _, count in counts_of(flow, first_model(session))]
    assert counts == [counts[0] + n for n in range(len(counts))], "its memory goes on"
    assert told[-1] is not None
    assert told[-1][0] == "strategy"
    return told[-1][1]


def test_a_removed_models_name_stays_taken_whatever_its_strategy() -> None:
    session = counting(generated_session(3, SHAPE))
    name = first_model(session)
    wishes = [
        wish_of(without_model(session, name), "ada", 1),
        wish_of(with_strategy(session, name, DriftStrategy(1, 0.0)), "ada", 2),
    ]
    applying = Applying(wishes, 0.6, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    assert breaches_in_the_log(flow) == []
    assert f"model {name} was removed" in applying.refusals[0]
