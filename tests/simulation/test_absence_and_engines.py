"""A universe is silent while the portfolio goes on with another engine, service by service."""

import random
from collections.abc import Callable

import pytest

from stratvector.runtime.logged_session import FEED_DEADLINE_SECONDS
from tests.sessions.engine_flow import NEW, OLD, Stay, decided_by_another, engines_of, run_engines
from tests.sessions.silent_flow import (
    SILENT_SECONDS,
    SLOW,
    Silence,
    absences,
    breaches,
    late_bars,
    paced,
    session_of,
    universes_of,
)


def replaced(seed: int) -> list[Stay]:
    """Risk, execution and strategy in some order, from before a silence until after it."""
    dice, stays = random.Random(seed), list[Stay]()
    for service in ("risk", "execution", "strategy"):
        begins = dice.uniform(8.0, 24.0)
        stays += [Stay(service, OLD, 0.0, begins + 1.0), Stay(service, NEW, begins)]
    return stays


def test_a_close_without_a_universe_is_decided_once_whichever_engine_goes_on(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, say: Callable[[str], None]
) -> None:
    absent = late = changed = 0
    seeds = range(40 if request.config.getoption("--long") else 6)
    for seed in seeds:
        paced(monkeypatch, [Silence(universes_of(seed)[0], 5.0, 14.0)])
        flow = run_engines(
            session_of(seed),
            replaced(seed),
            seed,
            SLOW,
            closes_per_chapter=(5_000, 3)[seed % 2],
            absent_after_deadlines=SILENT_SECONDS / FEED_DEADLINE_SECONDS,
        )
        assert [*breaches(flow), *decided_by_another(flow)] == [], f"seed {seed}"
        assert engines_of(flow)[-1] == NEW
        absent, late = absent + len(absences(flow)), late + len(late_bars(flow))
        openings = {opening.close_time for opening in flow.openings}
        changed += any(close in openings for _, close in absences(flow))
    say(
        f"{len(seeds)} upgrades in a silence, {absent} times absent, {late} late, {changed} between"
    )
    assert absent
    assert late
    assert changed
