"""What the gateway knows from the lanes is what the lanes say, however they are cut into pages."""

import json
from collections.abc import Callable
from decimal import Decimal

from stratvector.contracts.codecs import decode_closed_bars
from stratvector.services.gateway.causes import UNKNOWN, WAITING_MAX, Causes
from stratvector.services.gateway.events import Hub
from stratvector.services.gateway.live import HAPPENINGS_MAX, TOLD, LiveSession
from stratvector.services.gateway.marks import Marks
from stratvector.trading.fills import FillEvent, FillKind
from stratvector.trading.lanes import bars_lane, fills_lane, orders_lane
from tests.sessions.simulated_flow import Flow

CAUSE = ("models", "reason", "stage")
Fill = Callable[[LiveSession, Flow], None]


def live_of(flow: Flow) -> LiveSession:
    return LiveSession(flow.session.portfolio, len(flow.session.schedule), Hub())


def test_the_lanes_give_the_account_its_holdings_marks_and_counts(
    recorded_flow: Flow, fill_live: Fill
) -> None:
    live, last = live_of(recorded_flow), recorded_flow.entries[-1]
    fill_live(live, recorded_flow)
    assert live.decision == recorded_flow.decisions[-1]
    assert live.curve.value == recorded_flow.decisions[-1].equity
    assert live.curve.closes == live.closes == len(recorded_flow.entries)
    assert live.positions is not None
    assert live.positions.positions == last.positions
    executed = [e for e in recorded_flow.events if e.kind is FillKind.FILLED]
    assert live.counts["fills"] == len(executed)
    assert live.counts["orders"] == sum(len(d.orders) for d in recorded_flow.decisions)
    for universe in recorded_flow.session.portfolio.universes:
        lane = bars_lane(recorded_flow.session.portfolio, universe)
        sections = [
            decode_closed_bars(s.message.payload) for s in recorded_flow.world.bus.contents(lane)
        ]
        for column, symbol in enumerate(universe.symbols):
            known = [s for s in sections if s.close[column] == s.close[column]]
            mark = live.marks.of(symbol)
            assert mark is not None
            assert mark.price == float(live.instruments[symbol].price(known[-1].close[column]))
            assert mark.close_time == known[-1].close_time


def test_one_message_at_a_time_comes_to_the_same_as_one_page(
    recorded_flow: Flow, fill_live: Fill
) -> None:
    whole, single = live_of(recorded_flow), live_of(recorded_flow)
    fill_live(whole, recorded_flow)
    portfolio, bus = recorded_flow.session.portfolio, recorded_flow.world.bus
    for universe in portfolio.universes:
        lane = bars_lane(portfolio, universe)
        for stored in bus.contents(lane):
            single.take_bars([stored])
    for stored in bus.contents(orders_lane(portfolio)):
        single.take_decisions([stored])
    for stored in bus.contents(fills_lane(portfolio, portfolio.account_names[0])):
        single.take_fills([stored])
    assert single.curve.points() == whole.curve.points()
    assert list(single.happenings) == list(whole.happenings)
    assert len(whole.happenings) <= HAPPENINGS_MAX
    for symbol in portfolio.symbols:
        assert single.marks.of(symbol) == whole.marks.of(symbol)


def test_a_state_is_told_once_per_page_and_each_order_and_fill_by_itself(
    recorded_flow: Flow, fill_live: Fill
) -> None:
    hub = Hub()
    live = LiveSession(recorded_flow.session.portfolio, 1, hub)
    with hub.subscribed(queue_max=10_000) as client:
        fill_live(live, recorded_flow)
        told = [json.loads(event.text) for event in client._queue]
    by_type = {one["type"]: [o for o in told if o["type"] == one["type"]] for one in told}
    assert len(by_type["equity"]) == len(by_type["positions"]) == 1
    assert len(by_type["bars"]) == len(recorded_flow.session.portfolio.universes)
    decided = [d for d in recorded_flow.decisions if d.orders or d.cancels]
    assert len(by_type["orders"]) == len(decided)
    approved = sum(len(one["orders"]) for one in by_type["orders"])
    assert approved == live.counts["orders"] > 0
    for one, decision in zip(by_type["orders"], decided, strict=True):
        for told, order in zip(one["orders"], decision.orders, strict=True):
            assert sum(map(Decimal, told["models"].values())) == live.instruments[
                order.symbol
            ].quantity(order.lots)
            assert set(told) >= {"reason", "stage", "order_id"}
    executed = [one for one in by_type["fills"] if one["event"] == "filled"]
    assert len(executed) == live.counts["fills"] > 0
    causes = {o["order_id"]: o for one in by_type["orders"] for o in one["orders"]}
    for one in by_type["fills"]:
        order = causes[one["order_id"]]
        assert [one[key] for key in CAUSE] == [order[key] for key in CAUSE]
    assert by_type["equity"][0]["skipped"] == len(recorded_flow.decisions) - 1


def test_a_fill_that_is_read_before_its_decision_is_told_after_it_with_its_cause(
    recorded_flow: Flow,
) -> None:
    portfolio, bus, hub = recorded_flow.session.portfolio, recorded_flow.world.bus, Hub()
    live = LiveSession(portfolio, 1, hub)
    with hub.subscribed(queue_max=10_000) as client:
        for universe in portfolio.universes:
            lane = bars_lane(portfolio, universe)
            live.take_bars(bus.contents(lane))
        live.take_fills(bus.contents(fills_lane(portfolio, portfolio.account_names[0])))
        before = [json.loads(event.text)["type"] for event in client._queue]
        for stored in bus.contents(orders_lane(portfolio)):
            live.take_decisions([stored])
        fills = [json.loads(event.text) for event in client._queue]
    fills = [one for one in fills if one["type"] == "fills"]
    assert "fills" not in before
    assert len(fills) == sum(event.kind in TOLD for event in recorded_flow.events) > 0
    assert all(one["models"] and one["reason"] and one["stage"] for one in fills)
    assert not live._causes._waiting
    assert len(live._causes._causes) <= len(portfolio.symbols)


def test_a_fill_of_an_order_that_no_decision_approved_is_told_without_a_cause() -> None:
    causes = Causes({}, ())
    stray = FillEvent(FillKind.FILLED, "o1", "A", lots=1, known_time=5)
    causes.wait(stray, 5)
    assert list(causes.told()) == []
    causes._decided = 5
    assert list(causes.told()) == [(stray, 5, UNKNOWN)]
    for number in range(WAITING_MAX + 1):
        causes.wait(stray, 6 + number)
    assert [close_time for _, close_time, _ in causes.told()] == [6]


def test_a_missing_bar_leaves_the_mark_before_it(recorded_flow: Flow) -> None:
    universe = recorded_flow.session.portfolio.universes[0]
    lane = bars_lane(recorded_flow.session.portfolio, universe)
    sections = [
        decode_closed_bars(s.message.payload) for s in recorded_flow.world.bus.contents(lane)
    ]
    for section in sections[-1:]:
        section.close[0] = float("nan")
    instruments = {one.symbol: one for one in recorded_flow.session.portfolio.instruments}
    marks = Marks(instruments)
    marks.take(reversed(sections))
    mark = marks.of(universe.symbols[0])
    known = [s for s in sections[:-1] if s.close[0] == s.close[0]]
    assert mark is not None
    price = instruments[universe.symbols[0]].price(known[-1].close[0])
    assert (mark.price, mark.close_time) == (float(price), known[-1].close_time)
    assert marks.of("none") is None
