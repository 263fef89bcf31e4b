"""faults: how often things go wrong, and the dice that decide it for each effect from the seed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Self

from stratvector.runtime.ports import LEASE_SECONDS
from stratvector.runtime.simulation.effect import Channel, Effect
from stratvector.runtime.simulation.fate import Fate, Loss, Plan, When

SOONEST_LATE_SECONDS = 2.5


@dataclass(frozen=True)
class Faults:
    """Probabilities per effect, and the sizes that go with them.

    delay_seconds_max : of each way, uniform.
    slow : a way that takes up to slow_seconds_max instead.
    arrival_lost, arrival_twice : of what the bus publishes again, on each listener's way.
    request_lost, answer_lost, landing_late : of publishes; late ones land up to late_seconds_max
        after they left.
    swap_answer_lost : of the key-value store.
    send_request_lost, send_answer_lost : of the broker.
    pause : a process stops for up to pause_seconds_max, at most pauses_max times in a run.
    clock_stops : of the pauses, those that the process's own clock does not count, so that only the
        fence stops it; a send that was already claimed has no fence and goes out late.
    crash : half of them before, half after the effect, at most crashes_max times in a run.
    """

    delay_seconds_max: float = 0.0
    slow: float = 0.0
    slow_seconds_max: float = 1.0
    arrival_lost: float = 0.0
    arrival_twice: float = 0.0
    request_lost: float = 0.0
    answer_lost: float = 0.0
    landing_late: float = 0.0
    late_seconds_max: float = 20.0
    swap_answer_lost: float = 0.0
    send_request_lost: float = 0.0
    send_answer_lost: float = 0.0
    pause: float = 0.0
    pause_seconds_max: float = 4 * LEASE_SECONDS
    pauses_max: int = 20
    clock_stops: float = 0.0
    crash: float = 0.0
    crashes_max: int = 20

    @classmethod
    def none(cls) -> Self:
        """Nothing ever goes wrong, and everything takes no time."""
        return cls()

    @classmethod
    def stormy(cls) -> Self:
        """Everything goes wrong, often enough to meet in a run of some hundred effects."""
        return cls(
            delay_seconds_max=0.05,
            slow=0.02,
            arrival_lost=0.05,
            arrival_twice=0.05,
            request_lost=0.02,
            answer_lost=0.02,
            landing_late=0.02,
            swap_answer_lost=0.05,
            send_request_lost=0.05,
            send_answer_lost=0.1,
            pause=0.002,
            crash=0.004,
        )


class Dice:
    """Draws the fate of each effect; the same seed in the same order gives the same fates."""

    def __init__(self, seed: int, faults: Faults, plans: Iterable[Plan]) -> None:
        self.random = Random(seed)
        self._faults = faults
        self._calm = faults == Faults.none()
        self._plans = {(p.service, p.effect_kind, p.occurrence): p.fate for p in plans}
        self._crashes_left = faults.crashes_max
        self._pauses_left = faults.pauses_max

    def tie(self) -> float:
        """Which of two things at one instant comes first."""
        return 0.0 if self._calm else self.random.random()

    def fate(self, service: str, occurrence: int, effect: Effect[object]) -> Fate:
        """What becomes of the n-th effect (from 1) of its kind in a service."""
        planned = self._plans.get((service, effect.kind, occurrence))
        if planned is not None or self._calm:
            return planned or Fate()
        channel = effect.channel
        fate = Fate(out_seconds=self._way(channel), back_seconds=self._way(channel))
        return self._misfortune(self._loss(fate, channel), channel)

    def ways(self) -> tuple[float, ...]:
        """How long a message of the bus is under way to one listener, each time that it comes."""
        if self._calm:
            return (0.0,)
        if self._happens(self._faults.arrival_lost):
            return ()
        times = 2 if self._happens(self._faults.arrival_twice) else 1
        return tuple(self._way(Channel.READ) for _ in range(times))

    def _misfortune(self, fate: Fate, channel: Channel) -> Fate:
        """A crash or a pause on top, while there are any left."""
        if self._crashes_left and self._happens(self._faults.crash):
            self._crashes_left -= 1
            return replace(fate, crash=self._side())
        if self._pauses_left and self._happens(self._faults.pause):
            self._pauses_left -= 1
            seconds = self.random.uniform(0.0, self._faults.pause_seconds_max)
            # Nothing but the broker itself can refuse a send that left before the pause and arrives
            # long after.
            when: When = "after" if channel is Channel.SEND else self._side()
            stops = self._happens(self._faults.clock_stops)
            return replace(fate, pause_seconds=seconds, pause=when, clock_stops=stops)
        return fate

    def _loss(self, fate: Fate, channel: Channel) -> Fate:
        faults = self._faults
        loss: Loss | None = None
        if channel is Channel.PUBLISH:
            loss = self._one_of(faults.request_lost, faults.answer_lost, faults.landing_late)
        elif channel is Channel.SEND:
            loss = self._one_of(faults.send_request_lost, faults.send_answer_lost, 0.0)
        elif channel is Channel.SWAP:
            loss = self._one_of(0.0, faults.swap_answer_lost, 0.0)
        if loss == "late":
            seconds = self.random.uniform(SOONEST_LATE_SECONDS, faults.late_seconds_max)
            return replace(fate, loss=loss, out_seconds=seconds)
        return fate if loss is None else replace(fate, loss=loss)

    def _one_of(self, request: float, answer: float, late: float) -> Loss | None:
        drawn = self.random.random()
        if drawn < request:
            return "request"
        if drawn < request + answer:
            return "answer"
        return "late" if drawn < request + answer + late else None

    def _way(self, channel: Channel) -> float:
        if channel is Channel.LOCAL:
            return 0.0
        slow = self._happens(self._faults.slow)
        longest = self._faults.slow_seconds_max if slow else self._faults.delay_seconds_max
        return self.random.uniform(0.0, longest)

    def _side(self) -> When:
        return "before" if self.random.random() < 0.5 else "after"

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability
