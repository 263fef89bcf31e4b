"""Chapters are told as the orders lane opens them, and what each says holds at its own closes."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from stratvector.contracts.codecs import decode_chapter, decode_signals, encode_signals
from stratvector.runtime.applying import apply
from stratvector.runtime.change_words import lines
from stratvector.runtime.chapters import chapter_message, first_chapter
from stratvector.runtime.documents import Documents, wish_of
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import World
from stratvector.services.gateway.console import chapters as card
from stratvector.services.gateway.console.chapters import SHOWN_MAX, chapters
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.live import LiveSession
from stratvector.trading.lanes import chapters_lane, fills_lane, orders_lane, signals_lane
from stratvector.trading.portfolio import RiskLimits
from stratvector.trading.session import Session
from stratvector.trading.timestamps import utc_text
from stratvector.trading.unfit import Absurd
from tests.sessions.engine_flow import NEW, SHAPE, rolled, run_engines
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.late_flow import paper_session
from tests.sessions.scripted_sessions import Script, scripted_session
from tests.sessions.simulated_flow import Flow, run_flow

Follow = Callable[[LiveSession, Flow], None]
SLOW = Faults(delay_seconds_max=0.05)
APPLIED_AT = 1_600_000_000_000_000_000
CLOSES, LENGTH = 60, 20


def live_of(session: Session, hub: Hub | None = None) -> LiveSession:
    return LiveSession(session.portfolio, len(session.schedule), hub or Hub())


def changed_flow(session: Session, limits: RiskLimits, closes_per_chapter: int = LENGTH) -> Flow:
    """A run into which other limits are applied."""
    changed = replace(session, portfolio=replace(session.portfolio, limits=limits))
    wish = wish_of(changed, "ada", APPLIED_AT)

    async def change(ports: Ports) -> None:
        assert ports.documents is not None
        await ports.clock.sleep(1.0)
        await apply(ports.bus, Documents(ports.documents), wish)

    def beside(ports: Ports) -> Tasks:
        return Tasks([change(ports)])

    return run_flow(session, 3, SLOW, closes_per_chapter=closes_per_chapter, beside=beside)


@pytest.fixture(scope="module")
def changed() -> Flow:
    """Chapters that open by their length, and one by a cap that is cut down."""
    session = generated_session(3, Shape(2, 2, 2, closes=CLOSES, warmup=2))
    flow = changed_flow(session, RiskLimits(gross=0.02))
    assert len(flow.openings) >= 2
    return flow


def test_the_api_tells_every_chapter_that_opened_from_which_close_and_what_changed(
    in_house: Callable[..., None], changed: Flow
) -> None:
    async def ask(house: Any) -> None:
        answer = await house.client.get("/api/chapters")
        assert answer.status_code == 200, answer.text
        told, decisions = answer.json()["chapters"], changed.decisions
        assert [one["chapter"] for one in told] == list(range(1, len(changed.openings) + 2))
        opened = [utc_text(opening.close_time) for opening in changed.openings]
        assert [one["after"] for one in told] == [None, *opened]
        for one in told:
            closes = [d.close_time for d in decisions if d.chapter == one["chapter"]]
            assert one["closes"] == len(closes)
            assert one["first_close"] == (utc_text(closes[0]) if closes else None)
            assert one["engine_hash"] == first_chapter(changed.session).engine_hash
        assert sum(one["closes"] for one in told) == CLOSES
        (cut,) = [one for one in told if one["changes"]]
        gross = {one["place"]: one for one in cut["changes"]}["portfolio.limits.gross"]
        assert gross["after"] == "0.02"
        assert gross["before"] == json.dumps(changed.session.portfolio.limits.gross)
        assert (cut["by"], cut["at"]) == ("ada", "2020-09-13T12:26:40Z")
        assert (told[0]["by"], told[0]["at"]) == ("", None)
        refused = await house.client.get("/api/chapters", params={"portfolio": "nobody"})
        assert refused.status_code == 404

    in_house(ask, flow=changed)


def test_another_engine_is_a_change_of_its_chapter(in_house: Callable[..., None]) -> None:
    """Service by service replaced: each lane is read to its end, and the console tells it."""
    flow = run_engines(paper_session(0, SHAPE), rolled(("execution", "risk", "strategy")))

    async def ask(house: Any) -> None:
        told = (await house.client.get("/api/chapters")).json()["chapters"]
        began = first_chapter(flow.session).engine_hash  # of the session that the house is told
        assert [one["engine_hash"] for one in told] == [began, NEW]
        change = {"place": "engine_hash", "before": json.dumps(began), "after": json.dumps(NEW)}
        assert [one["changes"] for one in told] == [[], [change]]
        assert [one["closes"] > 0 for one in told] == [True, True]
        assert sum(one["closes"] for one in told) == len(flow.decisions)

    in_house(ask, flow=flow)


def test_a_chapter_that_was_proposed_and_never_opened_is_not_told(
    changed: Flow, follow_live: Follow
) -> None:
    session, bus = changed.session, changed.world.bus
    lane = chapters_lane(session.portfolio)
    expected = [1, *(opening.number for opening in changed.openings)]
    newest = decode_chapter(bus.contents(lane)[-1].message.payload)
    stray = replace(newest, number=newest.number + 1, applied_by="mallory")

    async def propose(ports: Ports) -> None:
        await bus.publish(chapter_message(stray, 1), bus.contents(lane)[-1].sequence)

    world, before = World(), len(bus.contents(lane))
    world.add("sleeper", lambda ports: Tasks([propose(ports)]))
    world.run(until=["sleeper"])
    live = live_of(session)
    follow_live(live, changed)
    assert len(bus.contents(lane)) == before + 1
    assert [row.number for row in live.chapters.rows] == expected
    assert all(row.applied_by != "mallory" for row in live.chapters.rows)


def test_the_portfolio_that_is_shown_is_the_newest_chapters(
    in_house: Callable[..., None],
) -> None:
    session = generated_session(3, Shape(2, 2, 2, closes=CLOSES, warmup=2))
    (first, *others) = session.portfolio.models
    smaller = replace(session.portfolio, models=(replace(first, budget_fraction=0.01), *others))
    wish = wish_of(replace(session, portfolio=smaller), "ada", APPLIED_AT)

    async def change(ports: Ports) -> None:
        assert ports.documents is not None
        await ports.clock.sleep(1.0)
        await apply(ports.bus, Documents(ports.documents), wish)

    flow = run_flow(session, 3, SLOW, beside=lambda ports: Tasks([change(ports)]))

    async def ask(house: Any) -> None:
        models = (await house.client.get("/api/portfolio")).json()["models"]
        assert [one["budget_fraction"] for one in models] == [
            0.01, *(one.budget_fraction for one in others)
        ]  # fmt: skip

    in_house(ask, flow=flow)


def test_a_halt_names_the_limit_of_the_chapter_that_it_began_in(follow_live: Follow) -> None:
    """Nearer by a document that came before the fall; no other limit would have halted it."""
    closes = [10.0] * 40 + [12.0, 10.5, 10.5, 10.5]
    script = Script(
        {"A": closes},
        {"model": {"A": [1.0] * len(closes)}},
        limits=RiskLimits(gross=1.0, drawdown_halt=0.5),
    )
    session = scripted_session(script)
    flow = changed_flow(session, RiskLimits(gross=1.0, drawdown_halt=0.1), 5_000)
    assert flow.decisions[-1].halted
    live = live_of(session)
    follow_live(live, flow)
    (halt,) = live.account.halts
    assert (halt.rule, halt.limit) == ("drawdown_halt", 0.1)


def test_a_halt_whose_fills_are_read_late_keeps_the_limit_that_tripped_it() -> None:
    """Its decision waits for fills; a chapter that opens meanwhile is none of its own."""
    closes = [10.0] * 4 + [12.0, 9.0, 9.0, 9.0]
    script = Script(
        {"A": closes},
        {"model": {"A": [1.0] * len(closes)}},
        limits=RiskLimits(gross=1.0, drawdown_halt=0.1),
    )
    session = scripted_session(script)
    flow, live, first = run_flow(session), live_of(session), first_chapter(session)
    bus, portfolio = flow.world.bus, session.portfolio
    live.open_chapter(first)
    live.take_decisions(bus.contents(orders_lane(portfolio)))
    assert not live.account.halts
    document = json.loads(first.document)
    document["portfolio"]["limits"]["drawdown_halt"] = 0.5
    live.open_chapter(replace(first, number=2, document=json.dumps(document)))
    live.take_fills(bus.contents(fills_lane(portfolio, portfolio.account_names[0])))
    (halt,) = live.account.halts
    assert halt.limit == 0.1


def test_weights_are_held_against_what_their_own_chapter_lets_the_portfolio_borrow() -> None:
    """The lanes are read one by one: an older or a newer chapter is no reason to halt."""
    session = scripted_session(
        Script({"A": [10.0] * 3}, {"model": {"A": [1.0] * 3}}, limits=RiskLimits(gross=2.0))
    )
    live, first = live_of(session), first_chapter(session)
    live.open_chapter(first)
    lane = signals_lane(session.portfolio, "model")
    stored = run_flow(session).world.bus.contents(lane)[-1]
    said = decode_signals(stored.message.payload)

    def taken(chapter: int, weight: float) -> None:
        other = replace(said, chapter=chapter, rows=(replace(said.rows[0], weight=weight),))
        message = replace(stored.message, payload=encode_signals(other))
        live.take_signals([replace(stored, message=message)])

    document = json.loads(first.document)
    document["portfolio"]["limits"]["gross"] = 1.0
    taken(1, 1.8)
    taken(2, 1.8)  # its chapter is still to be read
    live.open_chapter(replace(first, number=2, document=json.dumps(document)))
    taken(1, 1.8)
    with pytest.raises(Absurd, match=r"weight of A by model model is 1\.8"):
        taken(2, 1.8)


def test_sockets_are_told_that_a_chapter_opens_once(changed: Flow, follow_live: Follow) -> None:
    hub = Hub()
    live = live_of(changed.session, hub)
    with hub.subscribed(queue_max=10_000) as client:
        follow_live(live, changed)
        told = [json.loads(event.text) for event in client._queue]
    opened = [one for one in told if one["type"] == "chapters"]
    assert [one["chapter"] for one in opened] == list(range(1, len(changed.openings) + 2))
    assert "close_time" not in opened[0]
    times = [utc_text(one.close_time) for one in changed.openings]
    assert [one["close_time"] for one in opened[1:]] == times
    assert sum(bool(one["changes"]) for one in opened) == 1


def test_the_card_has_the_newest_first_with_what_changed_and_says_where_nothing_did(
    changed: Flow, follow_live: Follow
) -> None:
    live = live_of(changed.session)
    context: Any = SimpleNamespace(live=live)
    assert "No chapter yet" in chapters(context)
    follow_live(live, changed)
    html = chapters(context)
    numbers = re.findall(r'data-testid="chapter-(\d+)"', html)
    assert numbers == [str(n) for n in range(len(changed.openings) + 1, 0, -1)]
    by_length = [row for row in live.chapters.rows[1:] if not row.changes]
    assert by_length
    for row in by_length:
        line = html.split(f'data-testid="chapter-{row.number}"')[1].split("</tr>")[0]
        assert f"no change, {row.closes} close" in line
    words = re.sub("<[^>]+>", "", html)
    assert "portfolio.limits.gross" in words
    assert "→ 0.02" in words
    assert words.count("by ada, 2020-09-13 12:26") == 1


def test_the_card_shows_ten_chapters_and_escapes_who_and_what(changed: Flow) -> None:
    live, first = live_of(changed.session), first_chapter(changed.session)
    evil, document = "<script>alert(1)</script>", json.loads(first.document)
    for number in range(1, SHOWN_MAX + 3):
        document["caveats"] = {evil: [evil * number] * 10}
        text = json.dumps(document)
        said = replace(first, number=number, applied_by=evil, applied_at=APPLIED_AT, document=text)
        live.open_chapter(replace(said, document=first.document) if number == 1 else said)
    html = chapters(SimpleNamespace(live=live))  # type: ignore[arg-type]
    assert html.count('data-testid="chapter-') == SHOWN_MAX
    assert "2 older ones" in html
    assert "and 5 more" in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_model_that_comes_or_goes_is_one_line_of_the_card() -> None:
    """As `portfolios history` tells it; its whole strategy, source included, is the API's."""
    model, place = '{"budget_fraction": 0.25, "universe": "us"}', "portfolio.models[trend]"
    strategy = '{"class": "a.b:New", "parameters": {"fast": 10}, "source": "", "version": "2"}'
    changes = (
        {"place": place, "before": model, "after": "absent"},
        {"place": "portfolio.models[new.one]", "before": "absent", "after": model},
        {"place": "portfolio.models[kept].budget_fraction", "before": "0.1", "after": "0.2"},
        {"place": "strategies.trend", "before": strategy, "after": "absent"},
        {"place": "strategies.new.one", "before": "absent", "after": strategy},
        {"place": "strategies.kept.parameters.window", "before": "1", "after": "2"},
    )
    told = list(card._lines(changes))
    assert len(told) == 4
    assert "model trend<br><b>removed</b>" in told[0]
    said = re.sub("<[^>]+>", "", told[1].replace("<br>", ": "))
    assert said == "model new.one: added, New 2 (fast 10), budget 25 % of universe us"
    assert list(lines(changes))[:2] == ["model trend: removed", said]
    assert "0.1 → 0.2" in told[2]
    assert "model kept: window" in told[3]
    assert "<b>1 → 2</b>" in told[3]


def test_a_symbol_that_is_added_is_one_line_of_the_card() -> None:
    changes = (
        {
            "place": "portfolio.universes[coins].instruments[NEW]",
            "before": "absent",
            "after": '{"symbol": "NEW"}',
        },
        {"place": "sources.coins.load.symbols[2]", "before": "absent", "after": '"NEW"'},
        {"place": "sources.coins.load.symbols[1]", "before": '"A"', "after": '"B"'},
    )
    (line,) = card._lines(changes)
    assert "symbol NEW in universe coins" in line
    assert "<b>added</b>" in line
