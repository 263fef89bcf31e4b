"""Parity of a log: what ran is equal whatever crashed, and a planted difference is found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratvector.contracts.codecs import (
    decode_closed_bars,
    decode_decision,
    decode_fills_report,
    decode_positions,
    decode_signals,
    encode_closed_bars,
    encode_decision,
    encode_fills_report,
    encode_positions,
    encode_signals,
)
from stratvector.runtime.ports import Kind, Stored
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.fills import FillKind
from stratvector.trading.orders import LATE, Decision
from stratvector.trading.parity import Difference, Parity, check
from stratvector.trading.session import Session
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.rewritten_log import Change, as_stored, log_of, rewritten
from tests.sessions.simulated_flow import Flow, run_flow

CODECS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "bars": (decode_closed_bars, encode_closed_bars),
    "signals": (decode_signals, encode_signals),
    "orders": (decode_decision, encode_decision),
    "fills": (decode_fills_report, encode_fills_report),
    "positions": (decode_positions, encode_positions),
}
SHAPE = Shape(universes=2, symbols=2, models=2, closes=14, warmup=2)


@pytest.fixture(scope="module")
def flow() -> Flow:
    """A calm run in which orders are filled."""
    return run_flow(generated_session(8, SHAPE))


def parity_of(flow: Flow, change: Change = as_stored, stop: int | None = None) -> Parity:
    """The check of a run's log after a change."""
    bus = rewritten(flow.world.bus.journal, change, stop)
    return check(log_of(bus, flow.session), flow.session, flow.session)


def planted(noun: str, choose: Callable[[Any], bool], change: Callable[[Any], Any]) -> Change:
    """Let the first chosen message of a noun say something else; None leaves it out."""
    decode, encode = CODECS[noun]
    done: list[str] = []

    def payload(stored: Stored) -> bytes | None:
        message = stored.message
        if message.subject.split(".")[0] != noun or message.kind is not Kind.CONTENT:
            return message.payload
        content = decode(message.payload)
        if done or not choose(content):
            return message.payload
        done.append(message.id)
        other = change(content)
        return None if other is None else encode(other)

    return payload


def first_of(parity: Parity) -> Difference:
    assert not parity.is_equal
    assert parity.first is not None
    return parity.first


def ordering(flow: Flow, at_least: int = 1) -> Decision:
    """The first decision that orders."""
    return next(d for d in flow.decisions if len(d.orders) >= at_least)


@given(
    seed=st.integers(0, 2**32 - 1),
    universes=st.integers(1, 3),
    models=st.integers(1, 3),
    instances=st.integers(1, 2),
)
@settings(max_examples=25, deadline=None)
def test_generated_sessions_are_equal_whatever_crashed(
    seed: int, universes: int, models: int, instances: int
) -> None:
    session = generated_session(seed, Shape(universes, 2, models, closes=8, warmup=2))
    flow = run_flow(session, seed, Faults.stormy(), instances=instances)
    parity = check(log_of(flow.world.bus, session), session, session)
    assert parity.first is None
    assert parity.is_complete
    assert parity.notes == ()
    assert parity.orders == sum(len(d.orders) for d in flow.decisions)
    assert parity.fills == sum(e.kind is FillKind.FILLED for n in flow.entries for e in n.events)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("identity", Identity)
def test_decisions_on_fills_of_a_venue_are_equal_too(identity: Identity, seed: int) -> None:
    session = generated_session(seed, SHAPE)
    flow = run_flow(session, seed, Faults.stormy(), identity=identity)
    log = log_of(flow.world.bus, session)
    parity = check(log, session, session, simulated_broker=False)
    assert parity.first is None
    assert parity.notes == ("not compared with a backtest: the fills are a venue's",)


def test_an_unfinished_session_is_equal_as_far_as_it_goes(flow: Flow) -> None:
    for stop in range(1, len(flow.world.bus.journal), 11):
        parity = parity_of(flow, stop=stop)
        assert parity.first is None
        assert not parity.is_complete
        assert (parity.last_close is None) == (parity.closes == 0)


def test_without_its_bars_a_session_is_compared_with_its_log_alone(flow: Flow) -> None:
    parity = check(log_of(flow.world.bus, flow.session), flow.session)
    assert parity.is_equal
    assert parity.notes == ("not compared with a backtest: the session's bars are not at hand",)


def test_a_changed_order_lot_is_found_with_the_stages_that_led_to_it(flow: Flow) -> None:
    decision = ordering(flow)
    order = decision.orders[0]
    model = next(n for n, part in enumerate(order.parts) if part)
    more = 1 if order.lots > 0 else -1
    parts = tuple(part + more * (n == model) for n, part in enumerate(order.parts))
    other = replace(order, lots=order.lots + more, parts=parts)

    def change(decision: Decision) -> Decision:
        return replace(decision, orders=(other, *decision.orders[1:]))

    parity = parity_of(flow, planted("orders", lambda d: bool(d.orders), change))
    found = first_of(parity)
    assert (found.noun, found.close_time) == ("orders", decision.close_time)
    assert (found.subject, found.what) == (order.symbol, "orders.lots")
    assert (found.logged, found.replayed) == (str(other.lots), str(order.lots))
    facts = {fact.what: (fact.logged, fact.replayed) for fact in found.facts}
    assert facts["outcome"] == ("ordered", "ordered")
    assert facts["order lots"] == (found.logged, found.replayed)
    assert "stage netted" in facts
    used = {name.split()[0] for name in found.messages}
    assert used == {"bars", "signals", "fills", "orders"}


def test_one_bit_of_equity_is_found(flow: Flow) -> None:
    close = flow.decisions[3].close_time
    changed = planted(
        "orders",
        lambda d: d.close_time == close,
        lambda d: replace(d, equity=float(np.nextafter(d.equity, np.inf))),
    )
    found = first_of(parity_of(flow, changed))
    assert (found.noun, found.close_time, found.what) == ("orders", close, "equity")
    assert found.replayed == repr(flow.decisions[3].equity)
    assert found.logged != found.replayed
    assert "drawdown_factor" in {fact.what for fact in found.facts}


def test_a_missing_decision_is_found_with_what_it_should_have_been(flow: Flow) -> None:
    decision = ordering(flow)
    found = first_of(parity_of(flow, planted("orders", lambda d: bool(d.orders), lambda d: None)))
    assert (found.noun, found.close_time, found.what) == ("orders", decision.close_time, "message")
    assert f"asked for close {decision.close_time}" in found.logged
    assert found.replayed.startswith(f"a decision with {len(decision.orders)} orders")
    assert found.replayed.endswith(repr(decision.equity))
    assert [fact.replayed for fact in found.facts] == [f"{o.lots} lots" for o in decision.orders]


def test_a_changed_signal_weight_is_found_in_its_model(flow: Flow) -> None:
    def known(signals: Any) -> bool:
        return bool(signals.rows[0].weight > 0)

    def change(signals: Any) -> Any:
        row = replace(signals.rows[0], weight=signals.rows[0].weight / 2)
        return replace(signals, rows=(row, *signals.rows[1:]))

    first = next(s for e in flow.entries for s in e.signals if known(s))
    found = first_of(parity_of(flow, planted("signals", known, change)))
    assert (found.noun, found.close_time) == ("signals", first.close_time)
    assert (found.subject, found.what) == (first.rows[0].symbol, "rows.weight")
    assert (float(found.logged), float(found.replayed)) == (
        first.rows[0].weight / 2,
        first.rows[0].weight,
    )
    assert found.facts[0].logged == first.model


def test_a_changed_memory_of_a_model_is_found_once(flow: Flow) -> None:
    def change(signals: Any) -> Any:
        return replace(signals, state=tuple(-n for n in signals.state))

    parity = parity_of(flow, planted("signals", lambda s: any(s.state), change))
    assert (first_of(parity).noun, first_of(parity).what) == ("signals", "state")


def test_a_changed_fill_price_is_found_with_order_and_bar(flow: Flow) -> None:
    def filled(report: Any) -> bool:
        return any(e.kind is FillKind.FILLED for e in report.events)

    def change(report: Any) -> Any:
        events = [
            replace(e, price=e.price + 1) if e.kind is FillKind.FILLED else e for e in report.events
        ]
        return replace(report, events=tuple(events))

    event = next(e for e in flow.events if e.kind is FillKind.FILLED)
    found = first_of(parity_of(flow, planted("fills", filled, change)))
    assert (found.noun, found.close_time) == ("fills", event.known_time)
    assert (found.subject, found.what) == (event.symbol, "filled.price")
    assert (found.logged, found.replayed) == (str(event.price + 1), str(event.price))
    assert [fact.what for fact in found.facts] == ["order", "bar open", "bar volume"]
    assert {"orders", *(name for name in found.messages if name.startswith("bars"))} <= set(
        found.messages
    )


@pytest.mark.parametrize("part", ["bars", "signals"])
def test_a_cut_that_names_a_foreign_id_is_found(flow: Flow, part: str) -> None:
    def change(decision: Any) -> Any:
        named = dict(getattr(decision.cut, part))
        changes: dict[str, Any] = {part: named | {next(iter(named)): "f" * 32}}
        return replace(decision, cut=replace(decision.cut, **changes))

    changed = planted("orders", lambda d: bool(getattr(d.cut, part)), change)
    found = first_of(parity_of(flow, changed))
    assert (found.noun, found.what, found.logged) == ("orders", f"cut.{part}", "f" * 32)
    assert found.replayed == found.messages[f"{part} {found.subject}"]


@pytest.mark.parametrize("sequence", [1, 10**6])
def test_a_cut_that_names_another_place_of_the_fills_is_found(flow: Flow, sequence: int) -> None:
    close = flow.decisions[4].close_time
    changed = planted(
        "orders",
        lambda d: d.close_time == close,
        lambda d: replace(d, cut=replace(d.cut, fills_sequence=sequence)),
    )
    found = first_of(parity_of(flow, changed))
    assert (found.noun, found.close_time) == ("orders", close)
    assert (found.what, found.logged) == ("cut.fills_sequence", str(sequence))
    assert found.replayed == str(flow.decisions[4].cut.fills_sequence)


def test_a_changed_bar_is_found_against_the_recording(flow: Flow) -> None:
    start = flow.session.start

    def change(bars: Any) -> Any:
        return replace(bars, volume=bars.volume + 1.0)

    def there(bars: Any) -> bool:
        return bool(bars.close_time >= start and not np.isnan(bars.volume[0]))

    found = first_of(parity_of(flow, planted("bars", there, change)))
    assert (found.noun, found.what, found.against) == ("bars", "volume", "recording")
    assert float(found.logged) == float(found.replayed) + 1.0


def test_an_order_that_was_never_claimed_is_found(flow: Flow) -> None:
    def claims(report: Any) -> bool:
        return any(e.kind is FillKind.SENDING for e in report.events)

    def change(report: Any) -> Any:
        return replace(report, events=())

    found = first_of(parity_of(flow, planted("fills", claims, change)))
    assert (found.noun, found.what, found.logged, found.replayed) == ("fills", "claims", "0", "1")


def test_an_execution_of_an_unknown_order_is_found(flow: Flow) -> None:
    def filled(report: Any) -> bool:
        return any(e.kind is FillKind.FILLED for e in report.events)

    def change(report: Any) -> Any:
        events = (replace(e, order_id="x") if e.execution_id else e for e in report.events)
        return replace(report, events=tuple(events))

    parity = parity_of(flow, planted("fills", filled, change))
    found = first_of(parity)
    event = next(e for e in flow.events if e.kind is FillKind.FILLED)
    assert (found.noun, found.close_time) == ("fills", event.known_time)
    assert (found.what.split(".")[1], found.logged) == ("order_id", "x")
    assert parity.others > 0


def test_changed_positions_are_found(flow: Flow) -> None:
    def change(positions: Any) -> Any:
        return replace(positions, cash=positions.cash + 1)

    found = first_of(parity_of(flow, planted("positions", lambda p: True, change)))
    assert (found.noun, found.what) == ("positions", "cash")


def test_a_message_that_can_not_be_read_is_a_difference(flow: Flow) -> None:
    third = flow.decisions[2].close_time

    def spoil(stored: Stored) -> bytes:
        message = stored.message
        fits = message.subject.startswith("orders.") and message.kind is Kind.CONTENT
        if fits and decode_decision(message.payload).close_time == third:
            return b"\xff"
        return message.payload

    found = first_of(parity_of(flow, spoil))
    assert (found.noun, found.close_time) == ("orders", third)
    assert found.logged.startswith("bad orders message: ")


def test_only_the_first_difference_is_told_and_it_does_not_cascade(flow: Flow) -> None:
    """The replay adopts what was logged: one difference is no new session."""
    closes = [flow.decisions[2].close_time, flow.decisions[5].close_time]
    decode, encode = CODECS["orders"]

    def change(stored: Stored) -> bytes:
        message = stored.message
        if message.subject.startswith("orders.") and message.kind is Kind.CONTENT:
            decision = decode(message.payload)
            if decision.close_time in closes:
                return encode(replace(decision, gross_exposure=decision.gross_exposure + 1.0))
        return message.payload

    parity = parity_of(flow, change)
    assert (first_of(parity).close_time, first_of(parity).what) == (closes[0], "gross_exposure")
    assert parity.others == 3  # the second one, and both against the backtest


def decided_late(session: Session, flow: Flow) -> Parity:
    """The log of a risk service that went without the first model's signals at the last close."""
    last, model = flow.decisions[-1].close_time, session.portfolio.models[0].name
    changed = planted(
        "orders",
        lambda d: d.close_time == last and model in d.cut.signals,
        lambda d: replace(d, cut=replace(d.cut, signals={**d.cut.signals, model: LATE})),
    )
    return parity_of(flow, changed)


def test_late_signals_are_replayed_as_late() -> None:
    """With a cut that says late, the replay keeps the weight where the decision did not."""
    session = generated_session(8, Shape(1, 1, 1, closes=14, warmup=2))
    flow = run_flow(session)
    parity = decided_late(session, flow)
    assert parity.notes[0].startswith("not compared with a backtest: 1 decisions went without")
    found = first_of(parity)
    assert (found.noun, found.close_time) == ("orders", flow.decisions[-1].close_time)
    facts = {fact.what: (fact.logged, fact.replayed) for fact in found.facts}
    assert ("fresh", "kept") in facts.values()
