"""`stratvector up --in-process`: every service, the same results as the backtest, a clean end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratvector.backtest import result_of
from stratvector.cli.in_process import run_in_process
from stratvector.config import load_session
from stratvector.trading import replay

if TYPE_CHECKING:
    from libs.cli.tests.conftest import Place

NAMES = ["equity.parquet", "fills.parquet", "orders.parquet", "result.json"]
COMMAND = Path(sys.executable).with_name("stratvector")
WAIT_SECONDS = 120.0
SAMPLE = Path(__file__).parents[3] / "config" / "system.yaml"


def test_the_services_and_the_compiled_loop_leave_the_same_bytes(place: Place) -> None:
    assert place.backtest().exit_code == 0
    run = place.up()
    assert run.exit_code == 0, run.stderr
    backtested, replayed = place.results()
    for name in NAMES:
        assert (backtested / name).read_bytes() == (replayed / name).read_bytes()


def test_the_sample_session_is_the_same_by_both_drivers() -> None:
    session = load_session(SAMPLE, "2018-01-02", "2018-02-28")
    backtested = result_of(replay.run(session))
    replayed = run_in_process(session, lambda entry, done: None)
    assert replayed.orders.equals(backtested.orders)
    assert replayed.fills.equals(backtested.fills)
    assert replayed.equity.equals(backtested.equity)
    assert replayed.models == backtested.models
    assert replayed.metrics == pytest.approx(backtested.metrics, nan_ok=True, rel=0, abs=0)
    assert (replayed.bars, replayed.signals) == (backtested.bars, backtested.signals)
    assert len(replayed.fills) > 0


def test_the_summary_file_holds_what_was_printed(place: Place) -> None:
    run = place.up("--json", "deep/up.json")
    document = json.loads((place.folder / "deep" / "up.json").read_text())
    assert document["close_times"] > 0
    assert document["seconds"] > 0
    assert document["close_times_per_s"] > 0
    assert document["fills"] == json.loads(_result(place))["fills"] > 0
    assert set(document["models"]) == {"EquityTrendModel_v1", "CryptoMomentumModel_v1"}
    assert f"{document['final_equity']:,.2f}" in run.stdout
    assert document["results"] in run.stdout


def test_up_logs_orders_trades_and_performance_as_json_lines(place: Place) -> None:
    place.up("--json", "up.json")
    document = json.loads((place.folder / "up.json").read_text())
    for name, count in (("orders", "orders"), ("trades", "fills")):
        lines = (place.folder / "logs" / f"{name}.log").read_text().splitlines()
        assert len(lines) == document[count]
        assert json.loads(lines[0])["run"] == document["run"]
    (line,) = (place.folder / "logs" / "performance.log").read_text().splitlines()
    assert json.loads(line)["final_equity"] == document["final_equity"]


def test_verbose_tells_every_order_and_fill(place: Place) -> None:
    run = place.up("--verbose", "--json", "up.json")
    document = json.loads((place.folder / "up.json").read_text())
    assert run.stderr.count(" orders to ") == document["orders"]
    assert run.stderr.count(" bought ") + run.stderr.count(" sold ") == document["fills"]


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_modes_that_need_a_broker_are_refused(place: Place, mode: str) -> None:
    place.change("system.yaml", "mode: replay", f"mode: {mode}")
    run = place.up()
    assert run.exit_code == 1
    assert (
        f"system.mode is '{mode}', but up sends nothing to a broker: write backtest or replay"
        in (run.stderr)
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_middle_leaves_nothing_and_exits_130(
    place: Place, number: signal.Signals
) -> None:
    process = _started("up", "--in-process", "--once", "--verbose")
    _wait_for(process, " orders to ")
    process.send_signal(number)
    _, rest = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130
    assert "stratvector: interrupted before the end" in rest
    assert "Traceback" not in rest
    assert not (place.folder / "results").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stays_until_an_interrupt_and_then_exits_0(place: Place, number: signal.Signals) -> None:
    process = _started("up", "--in-process")
    _wait_for(process, "press Ctrl-C to leave")
    assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(number)
    output, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0
    assert "results: results/small-" in output


def _started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(COMMAND), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def _wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"the command ended without saying {words!r}")


def _result(place: Place) -> str:
    return (place.results()[0] / "result.json").read_text()
