"""Seeded storms: delays, duplicates, lost arrivals and answers, pauses, crashes, standbys.

Every seed is a session of one or two accounts, a broker and faults of its own. With the simulated
broker the result must be the backtest's; with a venue of its own the invariants I1, I2, I4 and I5
must hold. 40 seeds meet every combination of broker, instances and chapters once: `make test` runs
80, `make simulation` 1,000.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from stratvector.runtime.simulation.broker_double import Identity
from stratvector.runtime.simulation.faults import Faults
from stratvector.trading.chapters import CLOSES_PER_CHAPTER
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.simulated_flow import Flow, breaches_of, run_flow

BATCHES = 8
BROKERS = (None, *Identity)
CHAPTERS = (1, 2, 3, 4, CLOSES_PER_CHAPTER)
SHAPE = Shape(universes=2, symbols=2, models=2, closes=10, warmup=2)


def storm(seed: int) -> Flow:
    """The run that is a function of its seed."""
    session = generated_session(seed, replace(SHAPE, accounts=1 + seed // 3 % 2))
    broker = BROKERS[seed % len(BROKERS)]
    instances = 1 + seed // len(BROKERS) % 2
    closes_per_chapter = CHAPTERS[seed // 2 % len(CHAPTERS)]
    return run_flow(session, seed, Faults.stormy(), (), broker, instances, closes_per_chapter)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_storm_keeps_the_invariants(
    batch: int, request: pytest.FixtureRequest, say: Callable[[str], None]
) -> None:
    seeds = range(batch, request.config.getoption("--seeds"), BATCHES)
    crashes: Counter[str] = Counter()
    losses = chapters = 0
    for seed in seeds:
        flow = storm(seed)
        assert breaches_of(flow) == [], f"seed {seed}"
        crashes.update({service: n for (service, _, _), n in flow.world.crashes.items()})
        losses += sum(flow.world.losses.values())
        chapters += len(flow.openings)
    told = ", ".join(f"{service} {count}" for service, count in sorted(crashes.items()))
    say(
        f"storms, batch {batch}: {len(seeds)} seeds; crashes: {told}; lanes lost: {losses}; "
        f"chapters: {chapters}"
    )


@pytest.mark.parametrize("seed", [3, 4, 6])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert storm(seed).world.trace_hash() == storm(seed).world.trace_hash()


def test_another_seed_gives_another_trace() -> None:
    session = generated_session(4, SHAPE)
    traces = {run_flow(session, seed, Faults.stormy()).world.trace_hash() for seed in range(5)}
    assert len(traces) > 1
