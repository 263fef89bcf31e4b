"""Documents that change while a portfolio runs: each becomes a chapter, nothing else changes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from stratvector.runtime.applying import apply, stop
from stratvector.runtime.chapters import OtherChapter
from stratvector.runtime.documents import Documents, Wish, wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.portfolio import Costs, Portfolio, RiskLimits
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log, run_flow

SEEDS_MIN = 12  # three storms of each batch take a change
SHAPE = Shape(universes=2, symbols=2, models=2, closes=60, warmup=2)
SLOW = Faults(delay_seconds_max=0.05)
STORMY = replace(Faults.stormy(), delay_seconds_max=0.05)


@dataclass
class Applying:
    """Applies changed sessions one after the other, and notes what came of each. applied : how many
    so far, which outlives a crash.
    """

    wishes: Sequence[Wish]
    pause_seconds: float
    refusals: list[str]
    applied: int = 0

    def __call__(self, ports: Ports) -> Tasks:
        return Tasks([self._apply(ports)])

    async def _apply(self, ports: Ports) -> None:
        assert ports.documents is not None
        documents = Documents(ports.documents)
        while self.applied < len(self.wishes):
            await ports.clock.sleep(self.pause_seconds)
            try:
                await apply(ports.bus, documents, self.wishes[self.applied])
            except OtherChapter as error:
                self.refusals.append(str(error))
            self.applied += 1


def changed(portfolio: Portfolio, random: np.random.Generator) -> Portfolio:
    """Other limits, costs or budgets."""
    models = portfolio.models
    match int(random.integers(0, 3)):
        case 0:
            caps = np.sort(random.uniform(0.05, 1.0, 2)).round(3).tolist()
            limits = RiskLimits(symbol=caps[0], asset=caps[1], gross=2 * caps[1])
            return replace(portfolio, limits=limits)
        case 1:
            costs = Costs(*random.uniform(0, 0.01, 2).round(5).tolist())
            return replace(portfolio, costs=costs)
        case _:
            budgets = random.uniform(0.1, 0.5, len(models)).round(3).tolist()
            pairs = zip(models, budgets, strict=True)
            return replace(portfolio, models=tuple(replace(m, budget_fraction=b) for m, b in pairs))


def storm_of_changes(seed: int, faults: Faults, count: int = 8) -> tuple[Flow, list[Wish]]:
    """A run into which documents are applied, and these."""
    session, random = generated_session(seed, SHAPE), np.random.default_rng(seed)
    wishes, portfolio = list[Wish](), session.portfolio
    for number in range(count):
        portfolio = changed(portfolio, random)
        wishes.append(wish_of(replace(session, portfolio=portfolio), "ada", number))
    applying = Applying(wishes, float(random.uniform(0.5, 2.0)), [])
    flow = run_flow(session, seed, faults, (), None, 1 + seed % 2, (7, 5_000)[seed % 2], applying)
    assert applying.refusals == []
    return flow, wishes


def documents_of(flow: Flow) -> list[str]:
    """The documents of the chapters that opened, each once."""
    log = log_of(flow.world.bus, flow.session)
    found = [one.noun.document for one in log.chapters]
    return [one for n, one in enumerate(found) if n == 0 or one != found[n - 1]]


@pytest.mark.parametrize("batch", range(4))
def test_changes_under_flow_keep_every_invariant(
    batch: int, say: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    chapters = taken = 0
    for seed in range(batch, max(SEEDS_MIN, request.config.getoption("--seeds") // 16), 4):
        flow, wishes = storm_of_changes(seed, STORMY if seed % 3 else SLOW)
        assert breaches_in_the_log(flow) == [], f"seed {seed}"
        applied = [wish.document for wish in wishes]
        found = [one for one in documents_of(flow) if one in applied]
        # Superseded ones may be passed over, but their order is kept.
        places = [applied.index(one) for one in found]
        assert places == sorted(places)
        chapters, taken = chapters + len(flow.openings), taken + len(places)
    say(f"changes, batch {batch}: {chapters} chapters, {taken} changed documents")
    assert taken > 6


def test_a_decision_obeys_the_document_of_its_chapter() -> None:
    """The cap halves in the middle: everything before is above it, nothing after is."""
    session = generated_session(3, SHAPE)
    tight = replace(session.portfolio, limits=RiskLimits(gross=0.02))
    applying = Applying([wish_of(replace(session, portfolio=tight), "ada", 1)], 1.0, [])
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


def test_what_may_not_change_is_refused_and_the_portfolio_goes_on() -> None:
    session = generated_session(3, SHAPE)
    portfolio = session.portfolio
    other_models = replace(portfolio, models=portfolio.models[:1])
    other_cash = replace(portfolio, initial_cash=portfolio.initial_cash + 1)
    wishes = [
        wish_of(replace(session, portfolio=other_models), "ada", 1),
        wish_of(replace(session, portfolio=other_cash), "ada", 2),
    ]
    applying = Applying(wishes, 1.0, [])
    flow = run_flow(session, 3, SLOW, beside=applying)
    assert len(applying.refusals) == 2
    assert "portfolio.models differs" in applying.refusals[0]
    assert "portfolio.initial_cash differs" in applying.refusals[1]
    assert "its limits, costs, budgets of models" in applying.refusals[0]
    assert flow.openings == []
    assert breaches_in_the_log(flow) == []


def test_a_document_that_nobody_checked_leaves_the_portfolio_as_it_was() -> None:
    """Written past `apply`: risk refuses it by itself."""
    session = generated_session(3, SHAPE)
    cash = replace(session.portfolio, initial_cash=session.portfolio.initial_cash + 1)
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
