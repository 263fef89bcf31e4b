"""What Prometheus scrapes of a record is the newest close that the real database holds."""

from prometheus_client import CollectorRegistry

from stratvector.services.ledger.adapters.database import LedgerDatabase
from stratvector.services.ledger.metrics import RecordedCloses
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import record
from tests.sessions.simulated_flow import run_flow

ENTRIES = run_flow(generated_session(1, Shape(2, 2, 3, closes=25))).entries
WHOSE = {"portfolio": ENTRIES[0].portfolio, "run": ENTRIES[0].run}


def told(recorded: RecordedCloses) -> float | None:
    registry = CollectorRegistry()
    registry.register(recorded)
    return registry.get_sample_value("stratvector_ledger_close_seconds", WHOSE)


def test_a_record_that_nothing_was_written_of_is_not_told() -> None:
    assert told(RecordedCloses()) is None


def test_the_newest_close_in_the_database_is_told(database: LedgerDatabase) -> None:
    recorded = RecordedCloses()
    for until in (7, len(ENTRIES)):
        record(database, ENTRIES[:until], on_written=recorded.written)
        assert told(recorded) == ENTRIES[until - 1].close_time / 1e9


def test_an_owner_that_takes_over_tells_of_what_was_written_before(
    database: LedgerDatabase,
) -> None:
    record(database, ENTRIES)
    recorded = RecordedCloses()
    record(database, ENTRIES[-1:], on_written=recorded.written)  # the newest is committed again
    assert told(recorded) == ENTRIES[-1].close_time / 1e9


def test_an_older_close_that_is_committed_again_takes_nothing_back(
    database: LedgerDatabase,
) -> None:
    recorded = RecordedCloses()
    record(database, ENTRIES, on_written=recorded.written)
    record(database, ENTRIES[3:4], on_written=recorded.written)
    assert told(recorded) == ENTRIES[-1].close_time / 1e9
