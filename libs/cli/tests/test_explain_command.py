"""`stratvector explain` and `stratvector ledger verify` on a finished session's folder."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stratvector.cli.main import app
from stratvector.trading.reasons import REJECTED, Outcome
from stratvector.trading.timestamps import utc_text
from tests.sessions.begun import session_in
from tests.sessions.generated_sessions import Shape, generated_session
from tests.sessions.recorded_ledger import new_database, record
from tests.sessions.simulated_flow import run_flow

FLOW = run_flow(generated_session(2, Shape(2, 2, 2, closes=40)))
ENTRIES, NAME = FLOW.entries, FLOW.session.portfolio.name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, as `up` leaves it."""
    folder: Path = tmp_path_factory.mktemp("run")
    session = folder / "session"
    session.mkdir()
    session_in(session, FLOW.session)
    database = new_database(session)
    record(database, ENTRIES)
    database.close()
    return folder


def told(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


def document(*arguments: str | Path) -> Any:
    answer = told(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_a_finished_run_is_verified_without_a_trace(run: Path) -> None:
    before = sorted(path.name for path in (run / "session").iterdir())
    found = document("ledger", "verify", "--session", run)
    assert found["passed"]
    assert found["sealed"]
    assert found["closes"] == len(ENTRIES)
    assert len(found["records"][0]["chain_hash"]) == 64
    assert sorted(path.name for path in (run / "session").iterdir()) == before


def test_an_edited_fill_is_named_and_the_exit_code_says_so(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    file = tmp_path / "copy" / "session" / "ledger.db"
    filled = next(entry.close_time for entry in ENTRIES if entry.attributed)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE fills SET lots = lots + 1 WHERE close_time = ?", (filled,))
    connection.close()
    answer = told("ledger", "verify", "--session", tmp_path / "copy")
    assert answer.exit_code == 1
    assert "not as it was recorded" in answer.stdout
    assert f"fills of {NAME} in replay.1 at {utc_text(filled)}: lots of the row" in answer.stdout
    assert "  file: it is not the file that was sealed" in answer.stdout


def test_an_order_is_explained_by_its_id_and_by_its_symbol_and_day(run: Path) -> None:
    entry = next(one for one in ENTRIES if one.decision.orders)
    order = entry.decision.orders[0]
    when = utc_text(entry.close_time)
    by_id = document("explain", order.order_id[:8], "--session", run)
    assert by_id["order"]["order_id"] == order.order_id
    assert by_id["order"]["lots"] == order.lots
    assert by_id["stages"][0]["stage"] == "netted"
    answer = told("explain", f"{order.symbol}@{when}", "--session", run)
    assert answer.exit_code == 0, answer.output
    first = answer.stdout.splitlines()[0]
    assert first.startswith(f"{order.symbol} at {when}: ordered: an order was approved: ")
    for word in ("Models", "Exposure after each stage", "held", order.order_id):
        assert word in answer.stdout


def test_a_reason_opens_into_symbols_and_one_symbol_into_its_closes(run: Path) -> None:
    rejected = [
        (one.outcome, one.symbol, entry.close_time)
        for entry in ENTRIES
        for one in entry.decision.symbols
        if one.outcome in REJECTED
    ]
    reason, symbol, _ = rejected[0]
    name = reason.name.lower()
    total = sum(one[0] is reason for one in rejected)
    closes = document("explain", "--reason", name, "--symbol", symbol, "--session", run)
    assert [one["first_close"] for one in closes["rejections"]] == [
        utc_text(at) for outcome, of, at in rejected if (outcome, of) == (reason, symbol)
    ]
    answer = told("explain", "--reason", name, "--session", run)
    assert f"{name} {total:,}" in answer.stdout
    assert symbol in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name an order, a symbol such as AAPL@2018-02-06, or a --reason"),
        (["AAPL", "--reason", "stale"], "name an order, a symbol such as"),
        (["AAPL", "--start", "2018-01-01"], "--symbol, --start and --end go with --reason"),
        (["@2018-01-01"], "'@2018-01-01' names no symbol"),
        (["AAPL@soon"], "'soon' is neither a date nor a time"),
        (["--reason", "below_bnd"], "'below_bnd' is no reason for no order: did you mean below_b"),
        (["--reason", "stale", "--session", "/nowhere"], "/nowhere: there is no such folder"),
        (["A", "--session", ".", "--address", "h:1"], "--session and --address exclude"),
    ],
)
def test_what_can_not_be_explained_is_one_sentence(arguments: list[str], said: str) -> None:
    answer = told("explain", *arguments)
    assert answer.exit_code == 1
    assert said in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_session_without_a_ledger_is_told_and_gets_none(tmp_path: Path) -> None:
    session_in(tmp_path, FLOW.session)
    answer = told("ledger", "verify", "--session", tmp_path)
    assert answer.exit_code == 1
    assert "unable to open database file" in answer.stderr
    assert not (tmp_path / "ledger.db").exists()


def test_every_reason_is_known_by_its_name() -> None:
    assert Outcome.BELOW_BAND in REJECTED
    assert Outcome.ORDERED not in REJECTED
