"""What an order's events make of it, folded in the lane's order."""

from decimal import Decimal

import pytest

from stratvector.services.execution.order_log import OrderLog, OrderState
from stratvector.trading.fills import TERMINAL, FillEvent, FillKind
from stratvector.trading.orders import ApprovedOrder

ORDER = ApprovedOrder("o1", "A", -5, (-5,), Decimal(10), decided_at=100, expires_at=200)


def state_after(*events: FillEvent) -> OrderState:
    log = OrderLog()
    log.fold(events)
    return log.state(ORDER)


def event(kind: FillKind, lots: int = 0, order_id: str = "o1") -> FillEvent:
    return FillEvent(kind, order_id, "A", lots=lots)


def test_an_order_without_events_is_new() -> None:
    assert state_after() is OrderState.NEW
    assert state_after(event(FillKind.SENDING, order_id="o2")) is OrderState.NEW


@pytest.mark.parametrize("kind", [FillKind.SENDING, FillKind.UNKNOWN])
def test_a_claimed_order_may_or_may_not_be_at_the_broker(kind: FillKind) -> None:
    assert state_after(event(kind)) is OrderState.CLAIMED


def test_an_accepted_order_stays_accepted_whatever_is_unknown_later() -> None:
    known = event(FillKind.SENDING), event(FillKind.ACCEPTED), event(FillKind.UNKNOWN)
    assert state_after(*known) is OrderState.ACCEPTED


def test_partial_fills_end_an_order_when_they_add_up_to_it() -> None:
    assert state_after(event(FillKind.FILLED, -2)) is OrderState.ACCEPTED
    whole = event(FillKind.FILLED, -2), event(FillKind.FILLED, -3)
    assert state_after(*whole) is OrderState.ENDED


@pytest.mark.parametrize("kind", sorted(TERMINAL))
def test_a_terminal_event_ends_an_order_for_ever(kind: FillKind) -> None:
    log = OrderLog()
    log.fold([event(FillKind.FILLED, -2), event(kind), event(FillKind.ACCEPTED)])
    assert log.state(ORDER) is OrderState.ENDED
    assert not log.is_open("o1")


def execution(execution_id: str, lots: int) -> FillEvent:
    return FillEvent(FillKind.FILLED, "o1", "A", execution_id=execution_id, lots=lots)


def test_an_execution_that_a_broker_tells_twice_is_recorded_once() -> None:
    log = OrderLog()
    first, second = execution("e1", -2), execution("e2", -3)
    assert log.unrecorded([first, first, second]) == [first, second]
    log.fold([first])
    assert log.unrecorded([first, second, event(FillKind.EXPIRED)]) == [
        second,
        event(FillKind.EXPIRED),
    ]


def test_an_order_is_open_from_its_claim_to_its_end() -> None:
    log = OrderLog()
    log.fold([event(FillKind.SENDING)])
    assert log.is_open("o1")
    log.fold([event(FillKind.CANCELLED)])
    assert not log.is_open("o1")


def test_an_executed_order_is_forgotten_when_it_has_ended_and_not_before() -> None:
    log = OrderLog()
    log.fold([event(FillKind.SENDING), execution("e1", -2)])
    log.forget_ended([ORDER])
    assert log.state(ORDER) is OrderState.ACCEPTED
    log.fold([execution("e2", -3)])
    log.forget_ended([])
    assert not log.is_open("o1")
    assert log.unrecorded([execution("e2", -3)]) == []
    assert vars(log)["_states"] == vars(log)["_filled"] == vars(log)["_executed"] == {}
