"""The session log: what the readers of the lanes read, close by close, while and after it runs."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from stratvector.contracts.codecs import (
    decode_closed_bars,
    decode_decision,
    decode_fills_report,
    encode_fills_report,
)
from stratvector.runtime.ports import Kind, Stored
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.ledger import LedgerEntry
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.hand_fed import bars_lane, fills_lane, orders_lane, signals_lane
from tests.sessions.rewritten_log import as_stored, log_of, rewritten
from tests.sessions.simulated_flow import Flow, run_flow

SHAPE = Shape(universes=2, symbols=2, models=2, closes=10, warmup=2)


def calm(seed: int = 5) -> Flow:
    return run_flow(generated_session(seed, SHAPE))


def told(entries: Sequence[LedgerEntry]) -> list[str]:
    """In words, so that an unknown weight equals itself."""
    return list(map(repr, entries))


@pytest.mark.parametrize("seed", range(6))
def test_its_entries_are_the_ledgers_whatever_crashed(seed: int) -> None:
    flow = run_flow(generated_session(seed, SHAPE), seed, Faults.stormy(), instances=1 + seed % 2)
    log = log_of(flow.world.bus, flow.session)
    assert told(log.entries) == told(flow.entries)
    assert [close.decision.noun for close in log.closes] == flow.decisions
    assert log.is_complete
    assert log.halts == ()


def test_it_counts_messages_from_the_start_on_and_keeps_the_warm_up_apart() -> None:
    flow = calm()
    session, log = flow.session, log_of(flow.world.bus, flow.session)
    closes = {u: session.schedule.closes_of(u) for u in session.schedule.universes}
    assert log.bars == sum(len(own) for own in closes.values())
    assert log.signals == sum(len(closes[m.universe]) for m in session.portfolio.models)
    for universe, early in log.warmup.items():
        times = [logged.noun.close_time for logged in early]
        history = session.histories[universe].bars.close_times
        assert times == history[history < session.start].tolist()


def test_each_noun_has_the_id_and_place_of_its_message() -> None:
    flow = calm()
    stored = {s.message.id: s for s in flow.world.bus.journal}
    for close in log_of(flow.world.bus, flow.session).closes:
        for universe, bars in close.bars.items():
            message = stored[bars.id].message
            assert message.subject == bars_lane(flow.session, universe)
            assert decode_closed_bars(message.payload).close_time == close.close_time
        for model, signals in close.signals.items():
            assert stored[signals.id].message.subject == signals_lane(flow.session, model)
        assert close.reports[-1].noun.closed == close.close_time
        assert close.decision.noun.cut.fills_sequence == close.reports[-1].sequence
        for report in close.reports:
            assert stored[report.id].sequence == report.sequence


def test_an_unfinished_session_gives_the_closes_that_are_complete() -> None:
    flow = calm()
    journal, whole = flow.world.bus.journal, log_of(flow.world.bus, flow.session)
    for stop in range(0, len(journal), 7):
        log = log_of(rewritten(journal, as_stored, stop), flow.session)
        assert log.halts == ()
        decided = sum(
            stored.message.subject == orders_lane(flow.session)
            and stored.message.kind is Kind.CONTENT
            for stored in journal[:stop]
        )
        assert log.is_complete == (decided == len(whole.closes))
        assert told(log.entries) == told(whole.entries[:decided])


def test_a_lane_out_of_step_ends_where_its_readers_halt() -> None:
    flow = calm()
    lane, third = orders_lane(flow.session), flow.decisions[2]

    def leave_out(stored: Stored) -> bytes | None:
        message = stored.message
        if message.subject != lane or message.kind is Kind.OWNER:
            return message.payload
        return None if decode_decision(message.payload) == third else message.payload

    log = log_of(rewritten(flow.world.bus.journal, leave_out), flow.session)
    assert len(log.closes) == 2
    (halt,) = log.halts
    assert (halt.noun, halt.lane, halt.close_time) == ("orders", lane, third.close_time)
    assert halt.why == (
        f"{lane} was asked for close {third.close_time}, "
        f"but its next message is of close {flow.decisions[3].close_time}"
    )


def test_a_payload_that_is_none_of_its_noun_ends_its_lane() -> None:
    flow = calm()
    lane = fills_lane(flow.session)

    def spoil(stored: Stored) -> bytes:
        message = stored.message
        fitting = message.subject == lane and message.kind is Kind.CONTENT
        if fitting and decode_fills_report(message.payload).number == 0:
            return b"\xff"
        return message.payload

    log = log_of(rewritten(flow.world.bus.journal, spoil), flow.session)
    assert log.closes == ()
    (halt,) = log.halts
    assert halt.noun == "fills"
    assert halt.why.startswith("bad fills message: ")


def test_an_execution_of_an_unknown_order_ends_the_entries_and_not_the_closes() -> None:
    flow = calm(8)
    lane = fills_lane(flow.session)

    def misname(stored: Stored) -> bytes:
        message = stored.message
        if message.subject != lane or message.kind is Kind.OWNER:
            return message.payload
        report = decode_fills_report(message.payload)
        events = tuple(
            replace(e, order_id="another") if e.execution_id else e for e in report.events
        )
        return encode_fills_report(replace(report, events=events))

    log = log_of(rewritten(flow.world.bus.journal, misname), flow.session)
    assert log.is_complete
    (halt,) = log.halts
    assert halt.noun == "fills"
    assert len(log.entries) == [c.close_time for c in log.closes].index(halt.close_time)
    assert "belongs to order another, which is not working" in halt.why
