"""strategy alone: every close of the universe becomes signals, and the model's memory survives."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from stratvector.contracts.codecs import decode_signals, encode_signals
from stratvector.runtime.deployment import Deployment
from stratvector.runtime.host import Tasks
from stratvector.runtime.ports import Ports
from stratvector.runtime.simulation.fate import CrashPlan, Plan, When
from stratvector.runtime.simulation.store import MemoryLedgerStore
from stratvector.runtime.simulation.world import ProcessFailed, World
from stratvector.runtime.unfit_messages import OtherSymbols
from stratvector.services.strategy.model_lane import BrokenStrategy, ForeignSignals
from stratvector.services.strategy.wiring import build
from stratvector.trading.bars import Bars
from stratvector.trading.reasons import SignalReason
from stratvector.trading.session import Session
from stratvector.trading.signals import Action, Signals
from tests.sessions.generated_sessions import DriftStrategy, Shape, generated_session
from tests.sessions.hand_fed import (
    bars_lane,
    feed,
    feed_bars,
    feed_decisions,
    payloads_of,
    signals_lane,
    signals_of,
)
from tests.sessions.scripted_sessions import (
    NAN,
    Script,
    ScriptedStrategy,
    one_symbol,
    scripted_session,
)

PRICES = [10.0] * 8


def finish(session: Session, *plans: Plan) -> World:
    """The service alone over the session's bars."""
    world = World(plans=plans)
    feed_bars(world, session)
    feed_decisions(world, session)
    world.add("strategy", partial(build, Deployment(session, MemoryLedgerStore())))
    world.run(until=["strategy"])
    return world


def signals_in(world: World, session: Session, model: str = "model") -> list[Signals]:
    return [decode_signals(p) for p in payloads_of(world, signals_lane(session, model))]


def of_one_symbol(weights: list[float], **script: object) -> list[Signals]:
    session = one_symbol(PRICES[: len(weights)], weights, **script)
    return signals_in(finish(session), session)


def bits(values: object) -> list[int]:
    integers: list[int] = np.asarray(values, dtype=np.float64).view(np.int64).ravel().tolist()
    return integers


def test_a_model_warms_up_with_weight_0_and_says_so() -> None:
    rows = [signals.rows[0] for signals in of_one_symbol([0.7] * 5, needs=3)]
    assert [row.weight for row in rows] == [0.0, 0.0, 0.7, 0.7, 0.7]
    assert [row.reason for row in rows] == [SignalReason.WARMING_UP] * 2 + [SignalReason.NONE] * 3
    assert [row.confidence for row in rows] == [0.0, 0.0, 0.7, 0.7, 0.7]


def test_bars_before_the_start_warm_up_and_give_no_signals() -> None:
    published = of_one_symbol([0.7] * 6, needs=3, warmup=2)
    assert len(published) == 4
    assert {signals.rows[0].reason for signals in published} == {SignalReason.NONE}


def test_signals_come_at_every_close_also_when_nothing_changed() -> None:
    session = one_symbol(PRICES, [0.5] * 8)
    published = signals_in(finish(session), session)
    assert [s.close_time for s in published] == session.schedule.close_times.tolist()


def test_actions_are_steps_from_the_last_known_weight() -> None:
    weights = [0.2, 0.2, NAN, 0.5, NAN, 0.1, 0.0, 0.0]
    actions = [signals.rows[0].action for signals in of_one_symbol(weights)]
    assert actions == [
        Action.BUY,
        Action.HOLD,
        Action.HOLD,
        Action.BUY,
        Action.HOLD,
        Action.SELL,
        Action.CLOSE,
        Action.HOLD,
    ]


def test_a_nan_weight_travels_with_its_reason_and_no_confidence() -> None:
    known, unknown, later = (signals.rows[0] for signals in of_one_symbol([0.4, NAN, 0.4]))
    assert (known.reason, later.reason) == (SignalReason.NONE, SignalReason.NONE)
    assert unknown.weight != unknown.weight
    assert (unknown.reason, unknown.confidence) == (SignalReason.MISSING_DATA, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_weights_confidence_and_state_are_the_backtests_to_the_bit(seed: int) -> None:
    session = generated_session(seed, Shape(2, 3, 3, closes=40))
    world = finish(session)
    for model in session.portfolio.models:
        scan, closes = session.scans[model.name], session.schedule.closes_of(model.universe)
        published = signals_in(world, session, model.name)
        assert [s.close_time for s in published] == closes.tolist()
        rows = [[row.weight for row in s.rows] for s in published]
        assert bits(rows) == bits(scan.weights[-len(closes) :])
        assert bits([s.state for s in published]) == bits(scan.states[-len(closes) :])


def test_signals_name_the_bars_that_they_come_from() -> None:
    session = one_symbol(PRICES, [0.5] * 8, warmup=3)
    world = finish(session)
    ids = [stored.message.id for stored in world.bus.contents(bars_lane(session, "fast"))]
    assert [s.bars_id for s in signals_in(world, session)] == ids[3:]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_new_owner_continues_with_the_same_bits(when: When) -> None:
    """Killed at every publish, the owner's mark first."""
    session = generated_session(3, Shape(2, 2, 1, closes=12))
    lane = signals_lane(session, "model_0")
    calm = payloads_of(finish(session), lane)
    for occurrence in range(1, len(calm) + 2):
        world = finish(session, CrashPlan("strategy", "publish SIGNALS", occurrence, when))
        assert payloads_of(world, lane) == calm, occurrence
        assert world.crashes.total() == 1


def test_what_is_published_is_adopted_with_its_memory_and_never_computed_again() -> None:
    """An earlier owner left a memory that this one could never have come to by itself."""
    memory = (0.25, -0.75)
    calm = DriftStrategy(window=1, threshold=1e9)
    session = replace(generated_session(3, Shape(1, 2, 1, closes=12)), strategies={"model_0": calm})
    closes = session.schedule.close_times.tolist()
    earlier = [signals_of(session, "model_0", close) for close in closes[:3]]
    left = [encode_signals(replace(signals, state=memory)) for signals in earlier]
    world = World()
    feed(world, signals_lane(session, "model_0"), left)
    feed_bars(world, session)
    feed_decisions(world, session)
    world.add("strategy", partial(build, Deployment(session, MemoryLedgerStore())))
    world.run(until=["strategy"])
    assert payloads_of(world, signals_lane(session, "model_0"))[:3] == left
    published = signals_in(world, session, "model_0")
    assert [signals.close_time for signals in published] == closes
    for signals in published[3:]:
        assert signals.state == memory
        known = [row.weight for row in signals.rows if row.weight == row.weight]
        assert set(known) <= {0.125, -0.375}


def test_a_memory_of_another_size_is_refused() -> None:
    session = generated_session(3, Shape(1, 2, 1, closes=6))
    first = signals_of(session, "model_0", session.schedule.close_times.tolist()[0])
    short = replace(first, state=(1.0,))
    world = World()
    feed(world, signals_lane(session, "model_0"), [encode_signals(short)])
    feed_bars(world, session)
    feed_decisions(world, session)
    world.add("strategy", partial(build, Deployment(session, MemoryLedgerStore())))
    with pytest.raises(
        ProcessFailed, match=r"a state of 1 numbers; this model is .* with 2"
    ) as failed:
        world.run(until=["strategy"])
    assert isinstance(failed.value.error, ForeignSignals)


def test_features_of_another_shape_end_the_process_with_one_sentence() -> None:
    class RowLess(ScriptedStrategy):
        def features(self, bars: Bars) -> NDArray[np.float64]:
            return super().features(bars)[1:]

    session = one_symbol(PRICES, [0.5] * 8, needs=2)
    scripted = session.strategies["model"]
    assert isinstance(scripted, ScriptedStrategy)
    broken = RowLess(table=scripted.table, needs=2)
    sentence = (
        r"^model model: features of scripted are float64 of shape \(1, 1, 1\); "
        r"they must be float64 of shape \(2 closes, 1 symbols, at least 1 feature\)$"
    )
    with pytest.raises(ProcessFailed) as failed:
        finish(replace(session, strategies={"model": broken}))
    assert isinstance(failed.value.error, BrokenStrategy)
    assert re.match(sentence, str(failed.value.error))


def test_bars_of_other_symbols_stop_the_lane() -> None:
    session = scripted_session(
        Script({"A": PRICES, "B": PRICES}, {"model": {"A": [0.5] * 8, "B": [0.5] * 8}})
    )
    narrow = one_symbol(PRICES, [0.5] * 8)
    world = World()
    feed_bars(world, narrow)
    world.add("strategy", partial(build, Deployment(session, MemoryLedgerStore())))
    with pytest.raises(ProcessFailed) as failed:
        world.run(until=["strategy"])
    assert isinstance(failed.value.error, OtherSymbols)
    assert signals_in(world, session) == []


def test_the_wiring_builds_a_lane_and_its_keeper_per_model() -> None:
    session = generated_session(2, Shape(2, 1, 3, closes=6))
    world = World()
    feed_bars(world, session)
    feed_decisions(world, session)
    built: list[Tasks] = []

    def remember(ports: Ports) -> Tasks:
        built.append(build(Deployment(session, MemoryLedgerStore()), ports))
        return built[-1]

    world.add("strategy", remember)
    world.run(until=["strategy"])
    assert [len(built[0].main), len(built[0].lanes)] == [3, 3]
    for model in session.portfolio.models:
        closes = session.schedule.closes_of(model.universe)
        assert len(signals_in(world, session, model.name)) == len(closes)
