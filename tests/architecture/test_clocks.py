"""Only market_data's feed and execution may ask what time it is: when a close is due and whether an
order may still be sent are their judgements, which the log records; everybody else follows the log.
"""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UTC, READS = "utc_now", {"time", "time_ns", "now", "utcnow", "today"}
MODULES = {"time", "datetime", "date", "dt"}
RUN_CLOCK = "libs/runtime/src/stratvector/runtime/run_clock.py"
WIRINGS = [
    "services/execution/src/stratvector/services/execution/wiring.py",
    "services/market_data/src/stratvector/services/market_data/live_feeds.py",
]
# Wall time that becomes no judgement of trading: metrics, when somebody asked for a job, and how
# long a login lasts.
MEASURES = {
    "services/gateway/src/stratvector/services/gateway/entrance.py",
    "services/execution/src/stratvector/services/execution/metrics.py",
    "services/research/src/stratvector/services/research/job_board.py",
}


def asks_utc(code: str) -> bool:
    """Whether code asks a clock port for UTC."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == UTC
        for node in ast.walk(ast.parse(code))
    )


def makes_run_clock(code: str) -> bool:
    """Whether code constructs the one thing that asks."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "RunClock"
        for node in ast.walk(ast.parse(code))
    )


def reads_machine(code: str) -> bool:
    """Whether code reads the machine's wall clock past the port."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in READS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in MODULES
        for node in ast.walk(ast.parse(code))
    )


def sources(*rooms: str) -> dict[str, str]:
    found = {}
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "/tests/" not in name and "/v1/" not in name:
                found[name] = path.read_text(encoding="utf-8")
    return found


def test_only_the_runs_clock_asks_the_port_for_utc() -> None:
    assert [n for n, code in sources("libs", "services").items() if asks_utc(code)] == [RUN_CLOCK]


def test_of_the_services_only_the_feed_and_execution_get_the_runs_clock() -> None:
    assert [n for n, code in sources("services").items() if makes_run_clock(code)] == WIRINGS


def test_no_service_reads_the_machines_wall_clock_for_anything_but_measures() -> None:
    found = {n for n, code in sources("services").items() if reads_machine(code)}
    assert found == MEASURES


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("ports.clock.utc_now()", asks_utc),
        ("RunClock(ports.clock)", makes_run_clock),
        ("time.time_ns()", reads_machine),
        ("datetime.now(UTC)", reads_machine),
    ],
)
def test_a_planted_question_is_found(code: str, found: Callable[[str], bool]) -> None:
    assert found(code)
    assert not found("clock.monotonic_seconds()")
