"""The mutation guard: each protection switched off in turn must be caught by the same storms."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from stratvector.runtime.inbox import Inbox
from stratvector.runtime.lane import Lane
from stratvector.runtime.lease import Lease
from stratvector.runtime.ports import Kind, Message, Published, Stored
from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.bus import SimulatedBus, SubjectLog
from stratvector.runtime.simulation.fate import CrashPlan, Plan
from stratvector.runtime.simulation.faults import Faults
from stratvector.runtime.simulation.world import SimulationError
from stratvector.services.execution.order_log import OrderLog, OrderState
from stratvector.trading.account import PortfolioAccount
from stratvector.trading.orders import ApprovedOrder
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import breaches_of, run_flow

SEEDS = 40
SHAPE = Shape(universes=2, symbols=2, models=2, closes=10, warmup=2)
STORMY = Faults.stormy()
# Machines that are suspended for longer than the bus remembers ids, their own clock standing still:
# only the fence can stop such an owner from claiming again what its heir has claimed.
SUSPENDING = replace(
    Faults.none(), delay_seconds_max=0.05, pause=0.01, pause_seconds_max=600.0, clock_stops=1.0
)
REAL_STATE = OrderLog.state
REAL_NEXT = Inbox.next
REAL_STORE = SimulatedBus._store


def crash_after_a_send(seed: int) -> Sequence[Plan]:
    """The broker has the order, the log only its claim."""
    return [CrashPlan("execution", "broker send", 1 + seed % 5, "after")]


def no_plans(seed: int) -> Sequence[Plan]:
    """Only what the seed draws."""
    return []


def first_breach(
    faults: Faults,
    identity: Identity | None,
    plans: Callable[[int], Sequence[Plan]] = no_plans,
    kind: str = "",
) -> str | None:
    """What the first storm says that notices anything (of a kind, such as I1)."""
    for seed in range(SEEDS):
        session = generated_session(seed, SHAPE)
        try:
            breaches = breaches_of(run_flow(session, seed, faults, plans(seed), identity, 2))
        except SimulationError as error:
            breaches = [str(error).splitlines()[0]]
        told = [breach for breach in breaches if breach.startswith(kind)]
        if told:
            return f"seed {seed}: {told[0]}"
    return None


async def next_heard(self: Inbox) -> Stored:
    """No idempotency: whatever is heard is handed over."""
    if self._follows:
        return await REAL_NEXT(self)
    if self._arrivals is None:
        self._arrivals = await self._bus.arrivals(self.subject)
    while True:
        stored = await self._arrivals.next(self._poll_seconds)
        if stored is not None and stored.message.kind is Kind.CONTENT:
            return stored


async def adopt_nothing(self: Lane, after: int = 0) -> AsyncIterator[Stored]:
    """No adoption: a new owner does not look at what is in its lane."""
    nothing: tuple[Stored, ...] = ()
    for stored in nothing:
        yield stored


def store_unfenced(
    self: SimulatedBus, log: SubjectLog, message: Message, expected: int
) -> Published:
    """No fence: whoever publishes is stored, whatever it believes the last sequence to be."""
    return REAL_STORE(self, log, message, 0 if log.last is None else log.last.sequence)


def always_fresh(self: Lease) -> bool:
    """No fence: nobody looks at the lease before acting."""
    return True


def forget_claims(self: OrderLog, order: ApprovedOrder) -> OrderState:
    """Lost claim: a claimed order looks like one that was never sent."""
    state = REAL_STATE(self, order)
    return OrderState.NEW if state is OrderState.CLAIMED else state


def keep_reservation(self: PortfolioAccount, symbol: str) -> None:
    """Leaked reservation: a terminal event releases nothing."""


def test_no_idempotency_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(Inbox, "next", next_heard)
    breach = first_breach(STORMY, None)
    assert breach is not None
    say(f"planted: no idempotency, caught by {breach}")


def test_no_fence_is_caught(monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]) -> None:
    monkeypatch.setattr(SimulatedBus, "_store", store_unfenced)
    monkeypatch.setattr(Lease, "is_fresh", always_fresh)
    breach = first_breach(SUSPENDING, Identity.NOT_UNIQUE, kind="I1")
    assert breach is not None
    say(f"planted: no fence, caught by {breach}")


def test_no_adoption_is_caught(monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]) -> None:
    monkeypatch.setattr(Lane, "history", adopt_nothing)
    breach = first_breach(STORMY, None)
    assert breach is not None
    say(f"planted: no adoption, caught by {breach}")


def test_a_lost_claim_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(OrderLog, "state", forget_claims)
    breach = first_breach(STORMY, Identity.NOT_UNIQUE, crash_after_a_send, "I1")
    assert breach is not None
    say(f"planted: lost claim, caught by {breach}")


def test_a_leaked_reservation_is_caught(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    monkeypatch.setattr(PortfolioAccount, "_release", keep_reservation)
    breach = first_breach(STORMY, Identity.UNIQUE_FOR_EVER)
    assert breach is not None
    say(f"planted: leaked reservation, caught by {breach}")


def test_the_same_storms_are_quiet_without_a_bug() -> None:
    """Suspended machines are asked for I1 only: nothing but the venue can stop a send that was
    claimed before the suspension and leaves after it, so I4 can break there.
    """
    assert first_breach(STORMY, None) is None
    assert first_breach(STORMY, Identity.UNIQUE_FOR_EVER) is None
    assert first_breach(STORMY, Identity.NOT_UNIQUE, crash_after_a_send) is None
    assert first_breach(SUSPENDING, Identity.NOT_UNIQUE, kind="I1") is None
