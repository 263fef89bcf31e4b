"""Documents that change while a portfolio runs: each becomes a chapter, nothing else changes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from stratvector.runtime.applying import apply, closing_for, stop, unloadable
from stratvector.runtime.chapter_changes import OtherChapter
from stratvector.runtime.confirmations import Confirmations
from stratvector.runtime.documents import Documents, Wish, wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import Stalled
from stratvector.services.strategy.model_lane import ModelLane
from stratvector.trading.bars import ClosedBars
from stratvector.trading.logged import Logged
from stratvector.trading.portfolio import Account, Costs, ModelAllocation, Portfolio, RiskLimits
from stratvector.trading.session import Session
from tests.sessions.changed_sessions import (
    Applying,
    with_model,
    without_model,
)
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.random_changes import changed
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow

SEEDS_MIN = 12  # three storms of each batch take a change
SHAPE = Shape(universes=2, symbols=2, models=2, closes=60, warmup=2)
SLOW = Faults(delay_seconds_max=0.05)
STORMY = replace(Faults.stormy(), delay_seconds_max=0.05)


def storm_of_changes(
    seed: int,
    faults: Faults,
    count: int = 8,
    shape: Shape = SHAPE,
    patience_seconds: float = 0.0,
) -> tuple[Flow, list[Wish]]:
    """A run into which documents are applied, and these. patience_seconds : how long each is waited
    for; 0 applies the next one after a pause, whatever became of the one before.
    """
    session, random = generated_session(seed, shape), np.random.default_rng(seed)
    wishes, sessions = list[Wish](), [session]
    for number in range(count):
        sessions.append(changed(sessions[-1], number, random, session))
        wishes.append(wish_of(sessions[-1], "ada", number))
    pause_seconds = 0.1 if patience_seconds else float(random.uniform(0.5, 2.0))
    applying = Applying(wishes, pause_seconds, [], patience_seconds=patience_seconds)
    chapters = (7, 5_000)[seed % 2]
    instances, later = 1 + seed % 2, sessions[1:]
    flow = run_flow(session, seed, faults, (), None, instances, chapters, applying, later=later)
    assert applying.refusals == []
    return flow, wishes


def taken_of(flow: Flow, wishes: Sequence[Wish]) -> list[int]:
    """The wishes that became chapters, by when they were made, as a whole or but for symbols that
    are still to be sold; one may say what an earlier one said.
    """
    log, applied = log_of(flow.world.bus, flow.session), {wish.document for wish in wishes}
    chapters = [logged.noun for logged in log.chapters]
    found = [
        one.applied_at
        for one in chapters
        if one.document in applied or any(closing_for(one, wish) for wish in wishes)
    ]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("batch", range(4))
def test_changes_under_flow_keep_every_invariant(
    batch: int, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    chapters = taken = 0
    for seed in range(batch, max(SEEDS_MIN, request.config.getoption("--seeds") // 16), 4):
        flow, wishes = storm_of_changes(seed, STORMY if seed % 3 else SLOW)
        assert breaches_in_the_log(flow) == [], f"seed {seed}"
        # Superseded ones may be passed over, but their order is kept.
        places = taken_of(flow, wishes)
        assert places == sorted(places)
        chapters, taken = chapters + len(flow.openings), taken + len(places)
    say(f"changes, batch {batch}: {chapters} chapters, {taken} changed documents")
    assert taken > 6


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_fifty_documents_one_after_the_other(seed: int, say: Callable[[str], None]) -> None:
    shape = replace(SHAPE, closes=600)
    flow, wishes = storm_of_changes(seed, STORMY if seed % 2 else SLOW, 50, shape, 40.0)
    assert breaches_in_the_log(flow) == []
    taken = taken_of(flow, wishes)
    models = len(flow.entries[-1].models)
    say(f"50 documents, seed {seed}: {len(taken)} held, {models} models in the books")
    assert len(taken) >= 45  # strategy may be away when one is proposed, or the bars end


def test_a_decision_obeys_the_document_of_its_chapter() -> None:
    """The cap halves in the middle: everything before is above it, nothing after is."""
    session = generated_session(3, SHAPE)
    tight = replace(session.portfolio, limits=RiskLimits(gross=0.02))
    applying = Applying([wish_of(replace(session, portfolio=tight), "ada", 1)], 1.5, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    (opened,) = flow.openings
    log = log_of(flow.world.bus, session)
    assert json.loads(log.chapters[0].noun.document)["portfolio"]["limits"]["gross"] == 0.02
    for decision in flow.decisions:
        after = decision.close_time > opened.close_time
        assert decision.chapter == 1 + after
    assert breaches_in_the_log(flow) == []
    assert max(d.gross_exposure / d.equity for d in flow.decisions if d.chapter == 1) > 0.1
    assert flow.decisions[-1].gross_exposure / flow.decisions[-1].equity < 0.03


def richer(portfolio: Portfolio) -> tuple[Account, ...]:
    first, *others = portfolio.accounts
    return (replace(first, initial_cash=first.initial_cash + 1), *others)


def test_what_may_not_change_is_refused_and_the_portfolio_goes_on() -> None:
    session = generated_session(3, SHAPE)
    portfolio = session.portfolio
    (first, *others) = portfolio.models
    models = (replace(first, universe=_other_universe(session, first.universe)), *others)
    other_models = replace(portfolio, models=models)
    other_cash = replace(portfolio, accounts=richer(portfolio))
    wishes = [
        wish_of(replace(session, portfolio=other_models), "ada", 1),
        wish_of(replace(session, portfolio=other_cash), "ada", 2),
    ]
    applying = Applying(wishes, 1.0, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    assert len(applying.refusals) == 2
    assert f"portfolio.models.{first.name}.universe differs" in applying.refusals[0]
    assert "portfolio.accounts differs" in applying.refusals[1]
    assert "its limits, costs, models, their budgets and strategies" in applying.refusals[0]
    assert flow.openings == []
    assert breaches_in_the_log(flow) == []


def _other_universe(session: Session, name: str) -> str:
    return next(u.name for u in session.portfolio.universes if u.name != name)


def added(session: Session, name: str) -> Session:
    """With one more model, which trades at each close."""
    universe = session.portfolio.universes[0].name
    return with_model(session, ModelAllocation(name, universe, 0.4), DriftStrategy(1, 0.0), 1)


def test_an_added_model_trades_from_its_chapter_on_and_a_removed_one_sells_what_it_holds() -> None:
    session = generated_session(3, SHAPE)
    removed = session.portfolio.models[0].name
    more = added(session, "added")
    fewer = without_model(more, removed)
    applying = Applying([wish_of(more, "ada", 1), wish_of(fewer, "ada", 2)], 0.6, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    assert breaches_in_the_log(flow) == []
    first, second = (one.close_time for one in flow.openings)
    held: dict[str, list[tuple[int, int]]] = {name: [] for name in (removed, "added")}
    for entry in flow.entries:
        for model in entry.models:
            if model.model in held:
                held[model.model].append(
                    (entry.close_time, sum(map(abs, model.positions.values())))
                )
    assert min(close for close, _ in held["added"]) > first
    assert any(lots for _, lots in held["added"])
    assert any(lots for close, lots in held[removed] if close <= second)
    assert held[removed][-1] == (flow.entries[-1].close_time, 0)
    assert {s.model for e in flow.entries if e.close_time > second for s in e.signals} == {
        model.name for model in fewer.portfolio.models
    }


def test_a_removed_models_name_is_not_used_again() -> None:
    session = generated_session(3, SHAPE)
    removed = session.portfolio.models[0].name
    wishes = [wish_of(without_model(session, removed), "ada", 1), wish_of(session, "ada", 2)]
    applying = Applying(wishes, 0.6, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    assert (breaches_in_the_log(flow), len(flow.openings)) == ([], 1)
    assert f"model {removed} was removed" in applying.refusals[0]


def test_a_document_that_strategy_reads_too_would_be_seen(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    """The planted bug: a model ends when a document drops it, before a chapter does; risk waits."""
    session = generated_session(3, SHAPE)
    fewer = wish_of(without_model(session, session.portfolio.models[0].name), "ada", 1)
    real = ModelLane._on_bars

    async def follow_documents(self: ModelLane, received: Logged[ClosedBars]) -> None:
        assert self._ports.documents is not None
        wished = await Documents(self._ports.documents).of(fewer.key)
        names = session.portfolio.model_names
        if wished is not None:
            names = wished.wish.session().portfolio.model_names
        if self._name in names:
            await real(self, received)

    monkeypatch.setattr(ModelLane, "_on_bars", follow_documents)
    with pytest.raises(Stalled) as stalled:
        run_flow(session, 3, SLOW, beside=Applying([fewer], 0.4, []))
    say(f"planted: a document read by two services, caught: {str(stalled.value).splitlines()[0]}")


@pytest.mark.parametrize("says", ["refuses", "is silent"])
def test_a_model_that_strategy_cant_load_changes_nothing(
    says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chapter that follows has the document of the one before it."""
    session = generated_session(3, SHAPE)
    wish = wish_of(added(session, "added"), "ada", 1)

    async def say(self: Confirmations, chapter_id: str, refused: str = "") -> None:
        if says == "refuses":
            await original(self, chapter_id, "model added: no such thing")

    original = Confirmations.say
    monkeypatch.setattr(Confirmations, "say", say)
    told = list[tuple[str, str] | None]()

    async def look(ports: Ports) -> None:
        while True:
            await ports.clock.sleep(0.1)
            told.append(await unloadable(ports.bus, ports.key_value, wish))

    applying = Applying([wish], 0.6, [])

    def script(ports: Ports) -> Tasks:
        return Tasks([applying.run(ports), look(ports)])

    flow = run_flow(session, 3, SLOW, beside=script)
    why = ("strategy", "model added: no such thing")
    assert told[-1] == (why if says == "refuses" else None)
    assert breaches_in_the_log(flow) == []
    log = log_of(flow.world.bus, session)
    assert [one.noun.document for one in log.chapters] == [wish_of(session, "ada", 1).document]


def test_what_strategy_could_not_load_is_tried_once_more_when_it_is_applied_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Strategy was upgraded meanwhile."""
    session = generated_session(3, SHAPE)
    wish, tried = wish_of(added(session, "added"), "ada", 1), list[str]()
    original = Confirmations.say

    async def say(self: Confirmations, chapter_id: str, refused: str = "") -> None:
        tried.append(chapter_id)
        await original(self, chapter_id, "no such thing" if chapter_id == tried[0] else refused)

    async def script(ports: Ports) -> None:
        assert ports.documents is not None
        documents = Documents(ports.documents)
        wanted = await apply(ports.bus, documents, wish)
        while not await unloadable(ports.bus, ports.key_value, wanted.wish):
            await ports.clock.sleep(0.05)
        same = await apply(ports.bus, documents, replace(wish, at=2))
        assert same == wanted
        await apply(ports.bus, documents, replace(wish, at=3), again=True)

    monkeypatch.setattr(Confirmations, "say", say)
    flow = run_flow(session, 3, SLOW, beside=lambda ports: Tasks([script(ports)]))
    assert breaches_in_the_log(flow) == []
    assert taken_of(flow, [wish]) == [3]


def test_a_document_that_nobody_checked_leaves_the_portfolio_as_it_was() -> None:
    """Written past `apply`: risk refuses it by itself."""
    session = generated_session(3, SHAPE)
    cash = replace(session.portfolio, accounts=richer(session.portfolio))
    wish = wish_of(replace(session, portfolio=cash), "mallory", 1)

    async def write(ports: Ports) -> None:
        assert ports.documents is not None
        await ports.clock.sleep(1.0)
        await Documents(ports.documents).put(wish, 0)

    flow = run_flow(session, 3, SLOW, beside=lambda ports: Tasks([write(ports)]))
    assert flow.openings == []
    assert breaches_in_the_log(flow) == []


def test_orders_keep_the_costs_of_the_chapter_that_they_were_decided_in() -> None:
    session = generated_session(3, SHAPE)
    dear = replace(session.portfolio, costs=Costs(commission=0.01, slippage=0.0))
    applying = Applying([wish_of(replace(session, portfolio=dear), "ada", 1)], 1.0, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    (opened,) = flow.openings
    decided_at = {o.order_id: o.decided_at for d in flow.decisions for o in d.orders}
    sizes = {i.symbol: i.lot_size for i in session.portfolio.instruments}
    seen = set()
    for event in flow.events:
        if event.execution_id:
            rate = event.commission / (abs(event.lots) * sizes[event.symbol] * event.price)
            is_later = decided_at[event.order_id] > opened.close_time
            costs = dear.costs if is_later else session.portfolio.costs
            assert abs(float(rate) - costs.commission) < 1e-4
            seen.add(is_later)
    assert seen == {False, True}


@dataclass
class Stopping:
    """Stops the portfolio after some time, as `stratvector portfolios stop` does."""

    wish: Wish
    pause_seconds: float

    def __call__(self, ports: Ports) -> Tasks:
        return Tasks([self._stop(ports)])

    async def _stop(self, ports: Ports) -> None:
        assert ports.documents is not None
        documents = Documents(ports.documents)
        there = await documents.of(self.wish.key)
        if there is not None and there.wish.stopped:
            return  # by this script, before it crashed
        wanted = await apply(ports.bus, documents, self.wish)
        await ports.clock.sleep(self.pause_seconds)
        await stop(documents, wanted, "ada", 9)


@pytest.mark.parametrize("closes_per_chapter", [4, 5_000])
def test_a_stopped_portfolio_cancels_what_works_orders_nothing_and_ends(
    closes_per_chapter: int, say: Callable[[str], None]
) -> None:
    """In storms, with standbys: every service comes to its end, and parity holds to the last."""
    ended = []
    for seed in range(8):
        session = generated_session(seed, SHAPE)
        stopping = Stopping(wish_of(session, "ada", 1), 0.4 + seed / 8)
        faults = STORMY if seed % 2 else SLOW
        flow = run_flow(session, seed, faults, (), None, 1 + seed % 2, closes_per_chapter, stopping)
        assert breaches_in_the_log(flow) == [], f"seed {seed}"
        decisions = flow.decisions
        first = next((n for n, d in enumerate(decisions) if d.stopping), len(decisions))
        assert all(d.stopping and not d.orders for d in decisions[first:])
        assert [d.ended for d in decisions[:-1]] == [False] * (len(decisions) - 1)
        if first < len(decisions):
            assert decisions[-1].ended or decisions[-1].close_time == session.last_close
            assert flow.entries[-1].decision == decisions[-1]
            log = log_of(flow.world.bus, session)
            assert log.is_complete
            ended.append(len(decisions))
    say(f"stopped after {ended} of {SHAPE.closes} closes")
    assert min(ended) < SHAPE.closes


def test_what_was_stopped_is_not_taken_up_again() -> None:
    session = generated_session(3, SHAPE)
    wish, refusals = wish_of(session, "ada", 1), list[str]()
    again = replace(wish, at=2)

    async def script(ports: Ports) -> None:
        assert ports.documents is not None
        documents = Documents(ports.documents)
        wanted = await apply(ports.bus, documents, wish)
        await stop(documents, wanted, "bob", 9)
        try:
            await apply(ports.bus, documents, again)
        except OtherChapter as error:
            refusals.append(str(error))

    flow = run_flow(session, 3, SLOW, beside=lambda ports: Tasks([script(ports)]))
    assert len(refusals) == 1
    assert "was stopped by bob" in refusals[0]
    assert flow.decisions[-1].ended
