"""A log in which engines have come and gone, read by whoever starts later."""

from pathlib import Path

import pytest

from tests.sessions.engine_flow import NEW, SHAPE, Stay, breaches, engines_of, run_engines
from tests.sessions.generated_sessions import Shape
from tests.sessions.late_flow import paper_session
from tests.sessions.later_readers import (
    assert_archive_is_proven,
    assert_ledger_from_nothing,
    drift_over,
)
from tests.sessions.simulated_flow import Flow
from tests.simulation.test_engines import flapping

LONG = Shape(universes=1, symbols=2, models=2, closes=130, warmup=2)


@pytest.fixture(scope="module")
def flow() -> Flow:
    """Nine chapters of two engines; in one of them nothing was decided."""
    found = run_engines(paper_session(1, SHAPE), flapping(1), 1, closes_per_chapter=6)
    assert breaches(found) == []
    assert NEW in engines_of(found)
    return found


def test_a_ledger_that_starts_from_nothing_writes_the_same_record(flow: Flow) -> None:
    assert_ledger_from_nothing(flow)


def test_drift_finds_what_it_finds_where_one_engine_decided() -> None:
    stays = [Stay("risk", NEW, 2.0), *flapping(3)]
    two, one = (run_engines(paper_session(2, LONG), each, 2) for each in (stays, []))
    assert (len(engines_of(two)) > 1, len(engines_of(one))) == (True, 1)
    assert drift_over(two).board.records() == drift_over(one).board.records()


def test_its_archive_is_proven_from_the_files_alone(flow: Flow, tmp_path: Path) -> None:
    assert_archive_is_proven(flow, tmp_path)
