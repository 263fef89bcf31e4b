"""A log in which a symbol was sold and has gone, read by whoever starts later."""

from pathlib import Path

import pytest

from tests.sessions.changed_sessions import without_symbol
from tests.sessions.generated_sessions import generated_session
from tests.sessions.later_readers import (
    assert_archive_is_proven,
    assert_ledger_from_nothing,
    drift_over,
)
from tests.sessions.rewritten_log import log_of
from tests.sessions.simulated_flow import Flow, breaches_in_the_log
from tests.sessions.symbol_flow import SHAPE, applied

LOST = "EQUITY0"


@pytest.fixture(scope="module")
def flow() -> Flow:
    """Chapters of a few closes; the symbol is held, closing and gone in some of them."""
    session = generated_session(3, SHAPE)
    found = applied(session, [without_symbol(session, LOST)], 1.2, closes_per_chapter=9)
    assert breaches_in_the_log(found) == []
    chapters = [one.portfolio for one in log_of(found.world.bus, session).chapters]
    assert any(LOST in one.closing_symbols for one in chapters)
    assert LOST not in chapters[-1].symbols
    return found


def test_a_ledger_that_starts_from_nothing_writes_the_same_record(flow: Flow) -> None:
    assert_ledger_from_nothing(flow)


def test_drift_follows_its_models_over_it(flow: Flow) -> None:
    last = dict.fromkeys(flow.session.portfolio.model_names, 0)
    for entry in flow.entries:
        last |= {one.model: one.close_time for one in entry.signals}
    assert {one.model: one.close_time for one in drift_over(flow).check("")} == last


def test_its_archive_is_proven_from_the_files_alone(flow: Flow, tmp_path: Path) -> None:
    assert_archive_is_proven(flow, tmp_path)
